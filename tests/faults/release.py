"""T11: a new release of a flow while its tickets are under way; each ticket ends as it was begun (P17).

One round is one ticket of release 1, moved to a place that is drawn, then release 2 comes: another version of the flow
with one more step, another quorum, and one step whose functions mean something else (its major has risen). Old and new
worker hosts take turns; at the end only new ones are left, first without the old major, which parks the tickets, then
with it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from autorke.core.db import transaction
from autorke.worker import process
from autorke.workflow import attempts, commands, definition
from autorke.workflow.context import Context
from autorke.workflow.definition import Accepted, Effect, Flow, Node, Outcome, Plan, Policy, Unit
from autorke.workflow.models import StepRow, Ticket
from tests.faults import place
from tests.workflow.conftest import LEASE, Desk
from tests.workflow.toy import words

NAME = "released"
DID: list[tuple[str, str, int]] = []
"""(ticket, step, major of the function that ran)"""
Handlers = dict[str, tuple[Flow, definition.Step]]


class Request(BaseModel):
    machine: str


def flow(version: int) -> Flow:
    """Release 1: look, change. Release 2: look, change (major 2, two approvals), verify."""
    made = Flow(NAME, version, words(NAME), Request, Request)

    @made.accept
    def accept(_session: Session, request: Request, _requester: str, _ticket: str) -> Accepted[Request]:
        nodes = [Node(request.machine, request.machine, {})]
        return Accepted(request, nodes, [("machine", request.machine)], None, Policy.STRICT, NAME)

    changed = {"major": 2, "quorum": 2} if version == 2 else {}
    _step(made, "look", Effect.READ_ONLY)
    _step(made, "change", Effect.CONVERGENT, **changed)
    if version == 2:
        _step(made, "verify", Effect.READ_ONLY)
    return made


def _step(made: Flow, key: str, effect: Effect, **more: int) -> None:
    minute = timedelta(minutes=1)
    step = made.step(key, title=words(key), does=words(key), effect=effect, unit=Unit.TICKET, timeout=minute, **more)  # type: ignore[arg-type]

    @step.plan
    def plan(_ctx: Context) -> Plan:
        return Plan({"major": step.major})

    @step.run
    def run(ctx: Context) -> Outcome:
        DID.append((str(ctx.ticket_id), ctx.step_key, step.major))
        return Outcome.ok()


def handlers(made: Flow) -> Handlers:
    return {f"{made.name}.{step.key}@{step.major}": (made, step) for step in made.steps}


@contextmanager
def _deployed() -> Iterator[None]:
    """What this process carries is put back afterwards."""
    flows, known = dict(definition._flows), dict(definition._handlers)
    DID.clear()
    try:
        yield
    finally:
        definition._flows.clear()
        definition._flows.update(flows)
        definition._handlers.clear()
        definition._handlers.update(known)


def run(seed: int, rounds: int) -> dict[str, Any]:
    with place.seeded(seed) as dice, place.desk() as desk, _deployed():
        return _Deploy(desk, dice).live(rounds)


class _Deploy:
    def __init__(self, desk: Desk, dice: random.Random) -> None:
        self.desk, self.dice = desk, dice
        self.old, self.new = flow(1), flow(2)
        self.figures: Counter[str] = Counter()

    def live(self, rounds: int) -> dict[str, Any]:
        definition._flows[NAME] = self.old
        before = [self.submit(f"old-{number}") for number in range(rounds)]
        for ticket in before:
            for _ in range(self.dice.randrange(6)):
                self.turn(ticket, [handlers(self.old)])
        snapshots = self.snapshots(before)
        definition._flows[NAME] = self.new  # the api is new at once, workers follow one by one
        after = [self.submit(f"new-{number}") for number in range(rounds)]
        fleet = [handlers(self.old), handlers(self.new)]
        for _ in range(3):
            for ticket in self.dice.sample(before + after, 2 * rounds):
                self.turn(ticket, fleet)
        self.parked(before, after)
        both = handlers(self.old) | handlers(self.new)
        for ticket in before + after:
            for _ in range(20):
                self.turn(ticket, [both])
            assert self.desk.state(ticket) == "SUCCEEDED", self.desk.steps(ticket)
        assert self.snapshots(before) == snapshots
        self.told(before, 1, {"look": 1, "change": 1})
        self.told(after, 2, {"look": 1, "change": 2, "verify": 1})
        return {"tickets": 2 * rounds, **dict(sorted(self.figures.items()))}

    def submit(self, machine: str) -> UUID:
        with transaction() as session:
            ticket, _ = commands.submit(session, NAME, Request(machine=machine), self.desk.requester)
            return ticket.id

    def turn(self, ticket: UUID, fleet: list[Handlers]) -> None:
        """A worker host takes what it can run; then people sign, two where two are asked for."""
        carried = self.dice.choice(fleet)
        definition._handlers.clear()
        definition._handlers.update(carried)
        for attempt in [one.id for step in self.desk.steps(ticket) for one in self._ready(ticket, step)]:
            with transaction() as session:
                claim = attempts.claim(
                    session,
                    attempt,
                    runner_id="host",
                    boot_id=process.boot_id(),
                    handlers=definition.handlers(),
                    lease=LEASE,
                )
            self.figures["claimed" if claim else "left_to_others"] += 1
            if claim is not None:
                self.desk.run(claim)
        for who in self.desk.approvers[:2]:
            if self.desk.open_gates(ticket):
                self.desk.decide(ticket, who)

    def _ready(self, ticket: UUID, step: str) -> list[Any]:
        every = self.desk.attempts(ticket, step, "PLAN") + self.desk.attempts(ticket, step, "RUN")
        return [one for one in every if one.state == "READY"]

    def parked(self, before: list[UUID], after: list[UUID]) -> None:
        """Only new hosts without the old major: what needs it waits and is neither failed nor lost."""
        for ticket in before + after:
            for _ in range(20):
                self.turn(ticket, [handlers(self.new)])
        self.desk.reconcile()
        for ticket in after:
            assert self.desk.state(ticket) == "SUCCEEDED", self.desk.steps(ticket)
        for ticket in before:
            done = self.desk.steps(ticket)["change"] == "DONE"
            assert self.desk.state(ticket) == ("SUCCEEDED" if done else "ACTIVE"), self.desk.steps(ticket)
            self.figures["parked"] += not done

    def snapshots(self, tickets: list[UUID]) -> list[Any]:
        with transaction() as session:
            query = select(Ticket.id, Ticket.flow_version, Ticket.flow_hash, Ticket.flow_snapshot, Ticket.params)
            steps = select(StepRow.ticket_id, StepRow.key, StepRow.handler, StepRow.pre_gate, StepRow.post_gate)
            rows = session.execute(query.where(Ticket.id.in_(tickets)).order_by(Ticket.id)).all()
            planned = session.execute(steps.where(StepRow.ticket_id.in_(tickets)).order_by(StepRow.id)).all()
            return [tuple(row) for row in [*rows, *planned]]

    def told(self, tickets: list[UUID], version: int, functions: dict[str, int]) -> None:
        """Which functions ran, once each, and how many people signed: as the ticket's own release says."""
        quorum = version
        for ticket in tickets:
            assert [it for it in DID if it[0] == str(ticket)] == [(str(ticket), *item) for item in functions.items()]
            events = self.desk.events(ticket)
            opened = {e.body["quorum"] for e in events if e.kind == "gate.opened" and e.body["step"] == "change"}
            assert opened == {quorum}, opened
            assert events[0].body["version"] == version
