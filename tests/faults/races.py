"""T9: fifty people and workers at one gate at once: approve, reject, revoke, plan anew, claim, and hashes of yesterday.

One round is one gate. Afterwards the ticket's events are read as one serial story: each accepted act must be legal at
its place in the story, each refused one leaves no event, and the rows must stand as the story ends (P3, P4, P14).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select

from autorke.core.db import transaction
from autorke.core.errors import AutoRkeError
from autorke.workflow import commands, journal
from autorke.workflow.gates import Decision
from autorke.workflow.journal import By
from autorke.workflow.models import Approval, Attempt, Event, Gate, StepRow
from tests.faults import place
from tests.workflow.conftest import Desk
from tests.workflow.toy import make_flow

PEOPLE, ACTS, THREADS = 9, 50, 12
STEP = (
    "close"  # its gate opens after the ticket has changed something: a rejection asks for a new plan, not for the end
)
STALE = "e" * 64
REFUSALS = ("already-decided", "gate-not-open", "invalid-transition", "not-found", "stale-plan", "step-not-retryable")
FLOW = make_flow("toy-races")
for _step in FLOW.steps:
    _step.quorum = 2


def run(seed: int, rounds: int) -> dict[str, Any]:
    figures: Counter[str] = Counter()
    with place.seeded(seed) as dice, place.desk(PEOPLE, pool_size=THREADS) as desk:
        for number in range(rounds):
            figures.update(_race(desk, dice, f"r{number}"))
    return {"gates": rounds, **dict(sorted(figures.items()))}


def _race(desk: Desk, dice: random.Random, machine: str) -> Counter[str]:
    ticket = desk.submit(flow=FLOW.name, nodes=[machine], policy="standard")
    while desk.steps(ticket)[STEP] != "WAIT_PRE_GATE":
        desk.work()
        for who in desk.approvers[:2] if desk.steps(ticket)[STEP] != "WAIT_PRE_GATE" else []:
            desk.decide(ticket, who)
    acts = _acts(desk, dice, ticket)
    first = len(desk.events(ticket))
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(lambda act: (act[0], _tried(act[1])), acts))
    _settle(desk, ticket)
    events = desk.events(ticket)
    with transaction() as session:
        assert journal.verify_chain(session, ticket)
    story = Story()
    for event in events:
        story.tell(event)
    story.compare(ticket)
    accepted = Counter(kind for kind, answer in answers if answer == "accepted")
    told = Counter(_act_of(event) for event in events[first:])
    for kind in ("approve", "reject", "revoke", "replan"):
        assert told[kind] == accepted[kind], f"{kind}: {told[kind]} events for {accepted[kind]} accepted acts"
    refused = Counter(answer for kind, answer in answers if kind == "stale")
    assert set(refused) <= {"stale-plan", "gate-not-open"}, refused
    assert {answer for _, answer in answers} <= {"accepted", "nothing", *REFUSALS}
    figures = Counter(acts=len(answers), accepted=sum(accepted.values()), stale_refused=sum(refused.values()))
    figures.update({f"accepted_{kind}": count for kind, count in accepted.items()})
    with transaction() as session, suppress(AutoRkeError):
        commands.cancel(session, ticket, By("user", "x"), "the race is over")
    return figures


def _tried(act: Callable[[], object]) -> str:
    """A refusal is a legal answer, by its code; anything else that is raised fails the part."""
    try:
        return "nothing" if act() == "nothing" else "accepted"
    except AutoRkeError as error:
        return error.code


def _acts(desk: Desk, dice: random.Random, ticket: UUID) -> list[tuple[str, Callable[[], object]]]:
    """What everybody does: with the gate that is open when his turn comes, as a page shows it to him."""

    def gate() -> tuple[UUID, str]:
        with transaction() as session:
            query = select(Gate.id, Gate.subject_hash).join(StepRow, StepRow.id == Gate.step_id)
            query = query.where(StepRow.ticket_id == ticket, StepRow.key == STEP, Gate.phase == "PRE")
            row = session.execute(query.order_by(Gate.opened_at.desc()).limit(1)).one()
            return row.id, row.subject_hash

    def decide(who: UUID, approve: bool, subject: str | None = None) -> None:
        shown, seen = gate()
        with transaction() as session:
            said = Decision(approve, "", "" if approve else "no")
            commands.decide(session, ticket, {shown: subject or seen}, who, said)

    def revoke(who: UUID) -> None:
        shown, _ = gate()
        with transaction() as session:
            commands.revoke(session, ticket, shown, who)

    def replan() -> None:
        with transaction() as session:
            commands.retry(session, ticket, STEP, By("user", "operator"))

    def work() -> str:
        """Plans are made; a run is claimed, and its claim is left alone."""
        for attempt in desk.ready():
            claim = desk.claim(attempt)
            if claim is not None and claim.purpose.value == "PLAN":
                desk.run(claim)
        return "nothing"

    makers: list[tuple[str, int, Callable[[UUID], Callable[[], object]]]] = [
        ("approve", 20, lambda who: lambda: decide(who, True)),
        ("reject", 3, lambda who: lambda: decide(who, False)),
        ("revoke", 10, lambda who: lambda: revoke(who)),
        ("stale", 7, lambda who: lambda: decide(who, True, STALE)),
        ("replan", 5, lambda _who: replan),
        ("work", 5, lambda _who: work),
    ]
    acts = [(kind, make(dice.choice(desk.approvers))) for kind, count, make in makers for _ in range(count)]
    assert len(acts) == ACTS
    dice.shuffle(acts)
    return acts


def _settle(desk: Desk, ticket: UUID) -> None:
    """Plans that are under way are made, so that the story ends at a gate."""
    for attempt in desk.attempts(ticket, STEP, "PLAN"):
        if attempt.state == "READY":
            claim = desk.claim(attempt.id)
            assert claim is not None
            desk.run(claim)


def _act_of(event: Event) -> str:
    if event.kind == "gate.decided":
        return "approve" if event.body["decision"] == "APPROVE" else "reject"
    return {"gate.revoked": "revoke", "step.retry": "replan"}.get(event.kind, "")


@dataclass
class Told:
    """A gate as the story has it so far."""

    subject: str
    quorum: int
    state: str = "OPEN"
    signed: dict[str, str] = field(default_factory=dict)

    def count(self) -> int:
        return list(self.signed.values()).count("APPROVE")


class Story:
    """What happened to the gates of a ticket, one event after the other; each must be legal where it stands."""

    def __init__(self) -> None:
        self.gates: dict[str, Told] = {}

    def tell(self, event: Event) -> None:
        teller = {
            "gate.opened": self._opened,
            "gate.decided": self._decided,
            "gate.revoked": self._revoked,
            "gate.void": self._void,
            "gate.reopened": self._reopened,
        }.get(event.kind)
        if teller is not None:
            teller(event.body, event.actor_id or "")

    def _opened(self, body: dict[str, Any], _who: str) -> None:
        self.gates[body["gate_id"]] = Told(body["subject_hash"], body["quorum"])

    def _decided(self, body: dict[str, Any], who: str) -> None:
        gate = self.gates[body["gate_id"]]
        assert gate.state == "OPEN", f"decided when {gate.state}"
        assert who not in gate.signed, "decided twice by one person"
        assert body["subject_hash"] == gate.subject
        gate.signed[who] = body["decision"]
        if body["decision"] == "REJECT":
            gate.state = "REJECTED"
        elif gate.count() >= gate.quorum:
            gate.state = "APPROVED"

    def _revoked(self, body: dict[str, Any], who: str) -> None:
        gate = self.gates[body["gate_id"]]
        assert gate.state in ("OPEN", "APPROVED"), f"revoked when {gate.state}"
        assert gate.signed.pop(who, None) == "APPROVE", "nothing to take back"

    def _void(self, body: dict[str, Any], _who: str) -> None:
        assert self.gates[body["gate_id"]].state in ("OPEN", "APPROVED")
        self.gates[body["gate_id"]].state = "VOID"

    def _reopened(self, body: dict[str, Any], _who: str) -> None:
        gate = self.gates[body["gate_id"]]
        assert (gate.state, gate.count() < gate.quorum) == ("APPROVED", True)
        gate.state = "OPEN"

    def compare(self, ticket: UUID) -> None:
        """The rows stand as the story ends."""
        with transaction() as session:
            query = select(Gate).join(StepRow, StepRow.id == Gate.step_id).where(StepRow.ticket_id == ticket)
            rows = {str(gate.id): gate.state for gate in session.execute(query).scalars()}
            signed: dict[str, dict[str, str]] = {key: {} for key in rows}
            standing = select(Approval).join(Gate, Gate.id == Approval.gate_id)
            standing = standing.join(StepRow, StepRow.id == Gate.step_id).where(StepRow.ticket_id == ticket)
            for row in session.execute(standing.where(Approval.revoked_at.is_(None))).scalars():
                signed[str(row.gate_id)][str(row.approver_id)] = row.decision
            step = session.execute(select(StepRow).where(StepRow.ticket_id == ticket, StepRow.key == STEP)).scalar_one()
            live = select(Attempt.state).where(Attempt.step_id == step.id, Attempt.purpose == "RUN")
            live = live.where(Attempt.state.in_(["READY", "CLAIMED", "RUNNING", "UNKNOWN"]))
            runs = session.execute(live).scalars().all()
        assert rows == {key: gate.state for key, gate in self.gates.items()}
        assert signed == {key: gate.signed for key, gate in self.gates.items()}
        last = list(self.gates.values())[-1]
        assert last.state != "APPROVED" or last.count() >= last.quorum, "approved without its quorum"
        expected = {"OPEN": "WAIT_PRE_GATE", "APPROVED": "READY", "REJECTED": "GATE_CLOSED"}[last.state]
        assert step.state == expected, f"{step.state} behind a gate that is {last.state}"
        assert len(runs) == (last.state == "APPROVED"), runs
