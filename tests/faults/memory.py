"""The side of the reference: what happens to it, in the words of the rules, and how it stands."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from autorke.core.errors import AutoRkeError
from autorke.workflow import options
from autorke.workflow.errors import Fenced
from autorke.workflow.states import (
    NEEDS_PERSON,
    TERMINAL_TICKET,
    AttemptState,
    GateState,
    NodeState,
    Purpose,
    StepState,
    TicketState,
)
from tests.faults.reference import REQUESTER, WHOLE, Run, Step, Ticket
from tests.faults.reference_orders import Installation

Ends = dict[str, NodeState]
FREE = (NodeState.NOT_STARTED, NodeState.CANCELLED)


@dataclass(frozen=True)
class Claimed:
    """A claim by what it is of; `serial` tells it from a later attempt of the same kind."""

    ticket: int
    step: str
    purpose: Purpose
    serial: int


@dataclass(frozen=True)
class Behaviour:
    """How a run goes: what is not named succeeds; more bad nodes than `budget` stop it."""

    nodes: Mapping[str, NodeState]
    budget: int = 0
    drifted: bool = False
    blocked: bool = False


class Memory:
    def __init__(self) -> None:
        self.engine = Installation()
        self.retries: Counter[tuple[int, str]] = Counter()

    def ticket(self, number: int) -> Ticket:
        return self.engine.tickets[number]

    def step(self, number: int, key: str) -> Step:
        return next(step for step in self.ticket(number).steps if step.key == key)

    def tried(self, order: Callable[[Installation], object]) -> str:
        """The code of a refusal, which leaves nothing behind, or "ok"."""
        before = pickle.dumps(self.engine)
        try:
            order(self.engine)
        except AutoRkeError as error:
            self.engine = pickle.loads(before)  # noqa: S301  our own bytes
            return error.code
        return "ok"

    # what the rules say --------------------------------------------------------------------------------------------
    def submit(self, nodes: list[str], policy: str, flat: bool) -> None:
        self.engine.submit(nodes, policy, flat=flat)

    def decide(self, number: int, who: str, approve: bool, comment: str, right_hash: bool) -> str:
        ticket = lambda e: e.tickets[number]  # noqa: E731
        return self.tried(lambda e: e.decide(ticket(e), who, approve=approve, comment=comment, right_hash=right_hash))

    def order(self, number: int, what: str, who: str, more: str) -> str:
        stuck = next((step.key for step in self.ticket(number).steps if step.state in options.STUCK), "configure")
        orders: dict[str, Callable[[Installation, Ticket], object]] = {
            "cancel": lambda e, t: e.ask_cancel(t),
            "pause": lambda e, t: e.pause(t, paused=True),
            "resume": lambda e, t: e.pause(t, paused=False),
            "exclude": lambda e, t: e.exclude(t, more),
            "close": lambda e, t: e.close_failed(t),
            "retry": lambda e, t: e.retry(t, stuck),
            "revoke": lambda e, t: e.revoke(t, who),
        }
        answer = self.tried(lambda e: orders[what](e, e.tickets[number]))
        if (what, answer) == ("retry", "ok"):
            self.retries[number, stuck] += 1
        return answer

    def resolve(self, number: int, who: str, done: bool, override: bool) -> str:
        return self.tried(lambda e: e.resolve(e.tickets[number], who, done=done, override=override))

    def claim_all(self) -> list[Claimed]:
        """Every attempt's hint has come; what can be claimed is."""
        found = []
        for number, ticket in enumerate(self.engine.tickets):
            for step in ticket.steps:
                for run in list(step.live.values()):
                    if run.state is AttemptState.READY and self.engine.claim(ticket, step, run.purpose):
                        found.append(Claimed(number, step.key, run.purpose, run.serial))
        return found

    def held(self, claim: Claimed) -> tuple[Ticket, Step, Run]:
        ticket, step = self.ticket(claim.ticket), self.step(claim.ticket, claim.step)
        run = step.live.get(claim.purpose)
        if run is None or run.serial != claim.serial:
            raise Fenced()
        return ticket, step, run

    def ends(self, claim: Claimed, how: Behaviour) -> Ends:
        """What such a run leaves of each of its nodes."""
        try:
            ticket, step, run = self.held(claim)
        except Fenced:
            return {}
        ends: Ends = {}
        bad = 0
        for node in [WHOLE] if step.kind.whole else [it for it in run.nodes if it not in ticket.excluded]:
            if bad > how.budget:
                ends[node] = NodeState.NOT_STARTED
            else:
                ends[node] = how.nodes.get(node, NodeState.SUCCEEDED)
                bad += ends[node] is not NodeState.SUCCEEDED
        return ends

    def run(self, claim: Claimed, how: Behaviour, ends: Ends) -> None:
        try:
            ticket, step, run = self.held(claim)
            self.engine.work(ticket, step, run, drifted=how.drifted, blocked=how.blocked, ends=ends)
        except Fenced:
            return

    def begin_and_die(self, claim: Claimed, count: int) -> bool:
        try:
            ticket, step, run = self.held(claim)
            if not self.engine.begin(ticket, step, run):
                return False
            if run.purpose is Purpose.RUN:
                for node in run.nodes[:count]:
                    self.engine.start_node(ticket, step, run, node)
        except Fenced:
            return False
        return True

    def silent(self, proven: bool) -> None:
        self.engine.reconcile(proven=proven, silent=True)

    def reconcile(self) -> None:
        self.engine.reconcile(proven=True)

    def expire_gate(self, number: int) -> bool:
        doors = self.engine.open_doors(self.ticket(number))
        if self.ticket(number).state in TERMINAL_TICKET or not doors:
            return False
        step, phase = doors[0]
        self.engine.expire(self.ticket(number), step, phase)
        self.reconcile()
        return True

    def callback(self, number: int, late: bool) -> str:
        step = self.step(number, "notice")
        if not step.begun:
            return "nothing"
        return f"applied {self.engine.callback(self.ticket(number), step, late=late)}"

    def role(self, who: str) -> None:
        self.engine.rights ^= {who}

    def delegate(self, giver: str, taker: str) -> None:
        if self.engine.stand_ins.pop(taker, None) is None:
            self.engine.stand_ins[taker] = giver

    def halt(self) -> None:
        self.engine.halted = not self.engine.halted

    def release(self, quorum: int) -> None:
        self.engine.quorum = quorum

    # how it stands -------------------------------------------------------------------------------------------------
    def snapshot(self) -> list[Any]:
        return [self._shown(ticket) for ticket in self.engine.tickets]

    def _shown(self, ticket: Ticket) -> dict[str, Any]:
        return {
            "state": ticket.state.value,
            "cancel": bool(ticket.cancel_requested_at),
            "pause": bool(ticket.pause_requested_at),
            "excluded": sorted(ticket.excluded),
            "locks": sorted(ticket.nodes) if self.engine.holds_locks(ticket) else [],
            "steps": {step.key: _shown_step(step) for step in ticket.steps},
        }

    # what must hold ------------------------------------------------------------------------------------------------
    def check(self) -> None:
        """P1, P2, P5, P7, P8, P9, P10 of the reference itself."""
        begun = Counter(self.engine.starts or ())
        for (number, key, node), count in begun.items():
            assert count <= 1 + self.retries[number, key], f"{key} of {node} began {count} times without a person"
        holders = Counter(n for t in self.engine.tickets if self.engine.holds_locks(t) for n in t.nodes)
        assert all(count == 1 for count in holders.values()), "a machine in two active tickets"
        for ticket in self.engine.tickets:
            check_ticket(self.engine, ticket)


def _shown_step(step: Step) -> dict[str, Any]:
    return {
        "state": step.state.value,
        "live": {p.value: (r.state.value, sorted(r.nodes), r.proven) for p, r in step.live.items()},
        "gates": {
            phase: (door.state.value, {who: (said.approve, said.acting_for) for who, said in door.signed.items()})
            for phase, door in step.doors.items()
        },
        "last": {node: state.value for node, state in step.last.items()},
    }


def check_ticket(engine: Installation, ticket: Ticket) -> None:
    """Whatever happened: one change at a time, no dead end, nobody signs his own ticket."""
    runs = [run for step in ticket.steps for run in step.live.values() if run.purpose is Purpose.RUN]
    assert len(runs) <= 1, "two live changes in one ticket"
    for door in (door for step in ticket.steps for door in step.doors.values()):
        assert REQUESTER not in door.signed, "the requester has signed"
        assert door.state in (GateState.OPEN, GateState.APPROVED)
    if ticket.state in TERMINAL_TICKET:
        assert not any(run.state is AttemptState.RUNNING for run in runs), "ended while a change runs"
        return
    live = [run for step in ticket.steps for run in step.live.values() if run.state is not AttemptState.UNKNOWN]
    if ticket.state is TicketState.QUEUED:
        assert not live, "works without its locks"
        return
    waits = engine.open_doors(ticket) or any(step.state is StepState.WAIT_CALLBACK for step in ticket.steps)
    person = ticket.pause_requested_at or any(step.state in NEEDS_PERSON for step in ticket.steps)
    assert live or waits or person, f"a dead end: {[(step.key, step.state.value) for step in ticket.steps]}"
