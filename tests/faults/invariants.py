"""P1-P18 as questions to the rows of a database; each function bears the name it has in engine.md §3.4."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from autorke.core.db import transaction
from autorke.workflow import journal, locks
from autorke.workflow.models import Approval, Attempt, Event, Gate, NodeResult, ResourceLock, StepRow, Ticket
from autorke.workflow.states import LIVE_ATTEMPT, TERMINAL_TICKET


def check(tickets: list[UUID], requester: UUID) -> None:
    """All of them, in one transaction."""
    with transaction() as session:
        p1_p8_p10_nothing_runs_twice_without_a_person(session)
        p2_p5_one_live_change_per_ticket_and_machine(session)
        p3_p14_every_start_was_approved_by_others_on_that_plan(session, requester)
        p4_events_are_gapless_chained_and_one_for_each_decision(session, tickets)
        p7_no_dead_end(session, tickets)
        p9_nothing_starts_after_a_cancel(session)


def p1_p8_p10_nothing_runs_twice_without_a_person(session: Session) -> None:
    rows = session.execute(
        select(NodeResult.step_id, NodeResult.node_id, NodeResult.state, NodeResult.started_at)
    ).all()
    starts = Counter((row.step_id, row.node_id) for row in rows if row.started_at is not None)
    succeeded = Counter((row.step_id, row.node_id) for row in rows if row.state == "SUCCEEDED")
    asked = session.execute(select(Event).where(Event.kind == "step.retry")).scalars()
    decided = Counter((event.ticket_id, event.body["step"]) for event in asked)
    steps = {step.id: (step.ticket_id, step.key) for step in session.execute(select(StepRow)).scalars()}
    assert all(count == 1 for count in succeeded.values()), "a success was repeated"
    assert all(count <= 1 + decided[steps[step]] for (step, _), count in starts.items()), (
        "a node began without a person"
    )


def p2_p5_one_live_change_per_ticket_and_machine(session: Session) -> None:
    query = select(StepRow.ticket_id).join(Attempt, Attempt.step_id == StepRow.id)
    live = session.execute(query.where(Attempt.purpose == "RUN", Attempt.state.in_(LIVE_ATTEMPT))).scalars()
    assert all(count == 1 for count in Counter(live).values()), "two live changes in one ticket"
    held = Counter(session.execute(select(ResourceLock.ticket_id)).scalars())
    for ticket, state in session.execute(select(Ticket.id, Ticket.state)):
        assert bool(held[ticket]) == (state not in TERMINAL_TICKET and state != "QUEUED"), (
            f"{state} with {held[ticket]} locks"
        )


def p3_p14_every_start_was_approved_by_others_on_that_plan(session: Session, requester: UUID) -> None:
    query = select(Attempt, StepRow).join(StepRow, StepRow.id == Attempt.step_id)
    begun = query.where(Attempt.purpose == "RUN", Attempt.intent_at.is_not(None), StepRow.pre_gate)
    for attempt, step in session.execute(begun):
        signed = select(Approval.approver_id, Gate.id, Gate.quorum).join(Gate, Gate.id == Approval.gate_id)
        signed = signed.where(Gate.step_id == step.id, Gate.phase == "PRE", Approval.decision == "APPROVE")
        signed = signed.where(Approval.at < attempt.intent_at, Approval.subject_hash == Gate.subject_hash)
        rows = session.execute(signed.where(Gate.plan_hash == Gate.subject_hash)).all()
        people = {gate: {row.approver_id for row in rows if row.id == gate} for gate in {row.id for row in rows}}
        assert any(len(people[row.id]) >= row.quorum for row in rows), "begun without its quorum"
        assert all(requester not in those for those in people.values()), "the requester has signed"


def p4_events_are_gapless_chained_and_one_for_each_decision(session: Session, tickets: list[UUID]) -> None:
    assert all(journal.verify_chain(session, ticket) for ticket in tickets)
    told = session.execute(select(Event.kind, Event.body).where(Event.kind.in_(["gate.decided", "gate.revoked"]))).all()
    standing = session.execute(select(Approval.gate_id).where(Approval.revoked_at.is_(None))).scalars().all()
    counts = Counter(kind for kind, _ in told)
    assert counts["gate.decided"] - counts["gate.revoked"] == len(standing), "decisions and their events differ"


def p7_no_dead_end(session: Session, tickets: list[UUID]) -> None:
    for ticket in tickets:
        row = session.get_one(Ticket, ticket)
        if row.state in TERMINAL_TICKET or row.state in ("ATTENTION", "PAUSED"):
            continue
        if row.state == "QUEUED":
            assert locks.waiting_for(session, ticket) or ticket in locks.grantable(session), "queued behind nobody"
            continue
        steps = select(StepRow.id, StepRow.state).where(StepRow.ticket_id == ticket)
        states = {it.id: it.state for it in session.execute(steps)}
        moving = select(Attempt.id).where(
            Attempt.step_id.in_(states), Attempt.state.in_(["READY", "CLAIMED", "RUNNING"])
        )
        signing = select(Gate.id).where(Gate.step_id.in_(states), Gate.state == "OPEN")
        waits = "WAIT_CALLBACK" in states.values()
        found = session.execute(moving).first() or session.execute(signing).first()
        assert found or waits, f"{row.state} with {sorted(states.values())}"


def p9_nothing_starts_after_a_cancel(session: Session) -> None:
    query = select(Attempt, Ticket).join(StepRow, StepRow.id == Attempt.step_id)
    query = query.join(Ticket, Ticket.id == StepRow.ticket_id).where(Ticket.cancel_requested_at.is_not(None))
    for attempt, ticket in session.execute(query):
        assert attempt.intent_at is None or attempt.intent_at <= ticket.cancel_requested_at
        assert ticket.state != "CANCELLED" or attempt.state not in LIVE_ATTEMPT, "cancelled while something lives"
