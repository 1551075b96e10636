"""One ticket as its page shows it: all steps with their gates and attempts, and what this person may do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from autorke.core.db import Base
from autorke.tickets import actions, approvals, listing, seen, signers
from autorke.users.access import Actor
from autorke.workflow import locks
from autorke.workflow.models import Attempt, Gate, NodeResult, PlanRow, StepRow, Ticket
from autorke.workflow.states import TERMINAL_TICKET, GateState

CLOSED_GATE: Mapping[str, Any] = {"may_sign": False, "reason": None, "acting_for": None, "candidates": []}


def _columns(row: Base) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def detail(session: Session, actor: Actor, ticket: Ticket) -> dict[str, Any]:
    """Everything the ticket page shows but logs, plan bodies and node rows; a fixed number of statements."""
    steps = session.execute(select(StepRow).where(StepRow.ticket_id == ticket.id).order_by(StepRow.ord)).scalars().all()
    ids = [step.id for step in steps]
    gates, attempts, plans = _gates(session, actor, ticket, ids), _attempts(session, ids), _plans(session, steps)
    counts = _counts(session, ids)
    columns = {**listing.shown_one(session, ticket), "params": ticket.params, **seen.notes(session, actor, ticket)}
    columns["steps"] = [
        {
            **ticket.flow_snapshot["steps"][step.ord],
            **_columns(step),
            "plan_hash": plans[step.plan_id].plan_hash if step.plan_id in plans else None,
            "problems": plans[step.plan_id].problems if step.plan_id in plans else [],
            "counts": counts[step.id],
            "gates": gates[step.id],
            "attempts": attempts[step.id],
        }
        for step in steps
    ]
    facts = None if ticket.state in TERMINAL_TICKET else actions.gather(session, ticket, steps, attempts, counts)
    columns["actions"] = actions.offered(actor, ticket, facts)
    columns["waiting_for"] = locks.waiting_for(session, ticket.id) if ticket.state == "QUEUED" else []
    return columns


def _plans(session: Session, steps: Sequence[StepRow]) -> dict[UUID | None, Any]:
    wanted = [step.plan_id for step in steps if step.plan_id is not None]
    query = select(PlanRow.id, PlanRow.plan_hash, PlanRow.problems).where(PlanRow.id.in_(wanted))
    return {row.id: row for row in session.execute(query)}


def _attempts(session: Session, step_ids: Sequence[UUID]) -> dict[UUID, list[Attempt]]:
    found: dict[UUID, list[Attempt]] = defaultdict(list)
    for row in session.execute(select(Attempt).where(Attempt.step_id.in_(step_ids)).order_by(Attempt.n)).scalars():
        found[row.step_id].append(row)
    return found


def _gates(
    session: Session, actor: Actor, ticket: Ticket, step_ids: Sequence[UUID]
) -> dict[UUID, list[dict[str, Any]]]:
    """Every gate with what was said; an open one also with who may sign it and whether the caller may."""
    rows = session.execute(select(Gate).where(Gate.step_id.in_(step_ids)).order_by(Gate.opened_at)).scalars().all()
    said = approvals.by_gate(session, [gate.id for gate in rows])
    found: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    signing = _signing(session, actor, ticket, said) if any(gate.state == GateState.OPEN for gate in rows) else {}
    for gate in rows:
        more = signing.get(gate.id, CLOSED_GATE)
        found[gate.step_id].append({**_columns(gate), "approvals": said[gate.id], **more})
    return found


def _signing(
    session: Session, actor: Actor, ticket: Ticket, said: Mapping[UUID, Sequence[Mapping[str, Any]]]
) -> dict[UUID, dict[str, Any]]:
    """Of each open gate: who may sign it, and whether the caller may."""
    gates = signers.open_gates(session, actor.user_id, Ticket.id == ticket.id)
    standing = {
        gate.gate_id: {it["approver_id"]: it["decision"] for it in said[gate.gate_id] if it["revoked_at"] is None}
        for gate in gates
    }
    people = signers.candidates(session, ticket, gates, standing)
    signer = signers.signer_of(session, actor)
    return {
        gate.gate_id: {"candidates": people[gate.gate_id], **signers.answer(signer, gate.subject)} for gate in gates
    }


def _counts(session: Session, step_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Nodes of each step by their newest state."""
    newest = (
        select(NodeResult.step_id, NodeResult.node_id, NodeResult.state)
        .ext(distinct_on(NodeResult.step_id, NodeResult.node_id))
        .join(Attempt, Attempt.id == NodeResult.attempt_id)
        .where(NodeResult.step_id.in_(step_ids))
        .order_by(NodeResult.step_id, NodeResult.node_id, Attempt.n.desc())
        .subquery()
    )
    query = select(newest.c.step_id, newest.c.state, func.count()).group_by(newest.c.step_id, newest.c.state)
    found: dict[UUID, dict[str, int]] = defaultdict(dict)
    for step_id, state, count in session.execute(query):
        found[step_id][state] = count
    return found
