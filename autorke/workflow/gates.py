"""Gates: a person before and after every step, bound to the hash of what was shown (engine.md §3.9, P3, P14)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from autorke.core.canonical import sha256_hex
from autorke.core.db import db_now
from autorke.core.errors import NotFound
from autorke.workflow import signing
from autorke.workflow.definition import Effect, Policy
from autorke.workflow.errors import CommentNeeded, GateNotOpen, NotEligible, StalePlan
from autorke.workflow.journal import By, record
from autorke.workflow.models import Approval, Gate, NodeResult, PlanRow, StepRow, Ticket
from autorke.workflow.signing import Signer, Subject
from autorke.workflow.states import GatePhase, GateState

Holds = Callable[[Session, UUID, str, UUID | None], bool]
"""(session, user, permission, scope) -> does this user hold it at this moment?"""

_directory: dict[str, Holds] = {}


def configure_directory(holds: Holds) -> None:
    """Tell the engine whom to ask about people; called once by app and worker."""
    _directory["holds"] = holds


def holds(session: Session, user_id: UUID, permission: str, scope_id: UUID | None) -> bool:
    return _directory["holds"](session, user_id, permission, scope_id)


@dataclass(frozen=True)
class Decision:
    """What a person says: the hash he saw, his words, how he was authenticated, and whom he stands in for.

    Without `acting_for` he signs in his own right, or for whom lets him where he has none.
    """

    approve: bool
    subject_hash: str
    comment: str = ""
    authn: dict[str, Any] | None = None
    acting_for: UUID | None = None
    within: frozenset[str] | None = None
    """What the credential that was shown may be used for; None = all its owner may."""


def gates_of(policy: Policy, effects: Sequence[Effect], index: int) -> tuple[bool, bool]:
    """(pre gate?, post gate?) of step `index` among the steps that are not skipped (design §5).

    strict: all. standard: before each changing step, after the last step. express: before the first changing
    step. A DANGEROUS step keeps both under every policy.
    """
    effect = effects[index]
    if policy is Policy.STRICT or effect is Effect.DANGEROUS:
        return True, True
    changing = [i for i, e in enumerate(effects) if e is not Effect.READ_ONLY]
    if policy is Policy.STANDARD:
        return effect is not Effect.READ_ONLY, index == len(effects) - 1
    return bool(changing) and index == changing[0], False


def result_hash(session: Session, step: StepRow, plan: PlanRow) -> str:
    """What a post gate binds to: the plan and every node's last result."""
    rows = session.execute(
        select(NodeResult.node_id, NodeResult.state, NodeResult.summary)
        .where(NodeResult.step_id == step.id)
        .order_by(NodeResult.node_id, NodeResult.started_at)
    )
    return sha256_hex({"plan": plan.plan_hash, "nodes": [list(row) for row in rows], "result": step.result or {}})


def open_gate(session: Session, ticket: Ticket, step: StepRow, phase: GatePhase, *, ttl: timedelta) -> Gate:
    """Open the gate of a step on its current plan; an earlier live gate of the phase becomes VOID."""
    void_gates(session, ticket, step, phase)
    plan = session.get_one(PlanRow, step.plan_id)
    snapshot = ticket.flow_snapshot["steps"][step.ord]
    subject = plan.plan_hash if phase is GatePhase.PRE else result_hash(session, step, plan)
    gate = Gate(
        step_id=step.id,
        phase=phase.value,
        plan_id=plan.id,
        plan_hash=plan.plan_hash,
        subject_hash=subject,
        quorum=snapshot["quorum"],
        permission=snapshot["permission"],
        state=GateState.OPEN.value,
        expires_at=db_now(session) + ttl,
    )
    session.add(gate)
    session.flush()
    record(session, ticket, "gate.opened", By("system"), _about(step, gate))
    return gate


def live_gate(session: Session, step: StepRow, phase: GatePhase) -> Gate | None:
    query = select(Gate).where(
        Gate.step_id == step.id, Gate.phase == phase.value, Gate.state.in_([GateState.OPEN, GateState.APPROVED])
    )
    return session.execute(query).scalar_one_or_none()


def void_gates(session: Session, ticket: Ticket, step: StepRow, phase: GatePhase | None = None) -> None:
    """Withdraw live gates whose subject is no longer what would run."""
    query = select(Gate).where(Gate.step_id == step.id, Gate.state.in_([GateState.OPEN, GateState.APPROVED]))
    if phase is not None:
        query = query.where(Gate.phase == phase.value)
    for gate in session.execute(query).scalars():
        gate.state = GateState.VOID.value
        gate.closed_at = db_now(session)
        record(session, ticket, "gate.void", By("system"), _about(step, gate))
    session.flush()


def _about(step: StepRow, gate: Gate, **more: Any) -> dict[str, Any]:
    return {
        "step": step.key,
        "phase": gate.phase,
        "gate_id": str(gate.id),
        "subject_hash": gate.subject_hash,
        "quorum": gate.quorum,
        **more,
    }


def signer(session: Session, user_id: UUID, within: frozenset[str] | None = None) -> Signer:
    """A person as the rule of `signing` wants to know him; what he holds is asked at the moment it matters."""

    def holding(user: UUID, permission: str, scope_id: UUID | None) -> bool:
        return holds(session, user, permission, scope_id)

    return Signer(user_id, holding, signing.stand_ins(session, to_ids=(user_id,)).get(user_id, ()), within)


def eligible(session: Session, ticket: Ticket, gate: Gate, approver_id: UUID, acting_for: UUID | None) -> bool:
    """Does what this person signed count at this moment?"""
    subject = Subject(ticket.requester_id, ticket.scope_id, gate.permission)
    return signing.entitled(signer(session, approver_id), subject, acting_for or approver_id)


def quorum_met(session: Session, ticket: Ticket, gate: Gate) -> bool:
    """Count distinct, still eligible principals who approved exactly this hash; asked again right before a start."""
    query = select(Approval).where(
        Approval.gate_id == gate.id,
        Approval.decision == "APPROVE",
        Approval.revoked_at.is_(None),
        Approval.subject_hash == gate.subject_hash,
    )
    query = query.order_by(Approval.at)
    valid = [
        row
        for row in session.execute(query).scalars()
        if eligible(session, ticket, gate, row.approver_id, row.acting_for_id)
    ]
    seen: set[UUID] = set()
    people = 0
    for row in valid:  # a delegate and the one he stands in for count once, whichever of them signs
        both = {row.approver_id, row.acting_for_id or row.approver_id}
        people += not both & seen
        seen |= both
    return people >= gate.quorum


def find_gate(session: Session, ticket: Ticket, gate_id: UUID) -> tuple[StepRow, Gate]:
    query = (
        select(StepRow, Gate)
        .join(Gate, Gate.step_id == StepRow.id)
        .where(Gate.id == gate_id, StepRow.ticket_id == ticket.id)
    )
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFound(what="gate", key=str(gate_id))
    return row[0], row[1]


def decide(session: Session, ticket: Ticket, gate_id: UUID, approver_id: UUID, said: Decision) -> GateState:
    """Record one person's decision on an open gate and return the gate's new state. The ticket is locked."""
    step, gate = find_gate(session, ticket, gate_id)
    acting_for = _acting_for(session, ticket, gate, approver_id, said)
    verdict = "APPROVE" if said.approve else "REJECT"
    session.add(
        Approval(
            gate_id=gate.id,
            approver_id=approver_id,
            acting_for_id=acting_for,
            decision=verdict,
            subject_hash=said.subject_hash,
            comment=said.comment,
            authn=said.authn or {},
        )
    )
    session.flush()
    more = {"decision": verdict, "comment": said.comment, "acting_for": str(acting_for or "") or None}
    record(session, ticket, "gate.decided", By("user", str(approver_id)), _about(step, gate, **more))
    if not said.approve:
        gate.state = GateState.REJECTED.value
        gate.closed_at = db_now(session)
    elif quorum_met(session, ticket, gate):
        gate.state = GateState.APPROVED.value
        gate.closed_at = db_now(session)
    session.flush()
    return GateState(gate.state)


def _acting_for(session: Session, ticket: Ticket, gate: Gate, approver_id: UUID, said: Decision) -> UUID | None:
    """In whose name he signs, None = his own. Raises what the rule refuses, and a decision on what is no longer so."""
    earlier = session.get(Approval, (gate.id, approver_id))
    stands = earlier is not None and earlier.revoked_at is None
    decided = {approver_id: earlier.decision} if earlier is not None and stands else {}
    subject = signing.subject_of(ticket, gate, now=db_now(session), decided=decided)
    answer = signing.may_sign(signer(session, approver_id, said.within), subject, said.acting_for)
    if isinstance(answer.refusal, GateNotOpen):
        raise answer.refusal
    if said.subject_hash != gate.subject_hash:
        raise StalePlan(field="subject_hash", seen=said.subject_hash[:12], current=gate.subject_hash[:12])
    if answer.refusal is not None:
        raise answer.refusal
    if not said.approve and not said.comment.strip():
        raise CommentNeeded(field="comment")
    if earlier is not None:  # taken back before; what was said then is in the events
        session.delete(earlier)
        session.flush()
    return answer.acting_for


def revoke(
    session: Session, ticket: Ticket, gate_id: UUID, approver_id: UUID, within: frozenset[str] | None = None
) -> None:
    """Take back one's own approval; it counts no more, also when the gate had been approved but nothing has begun.

    `within` is what the credential that was shown may be used for, as in `Decision`.
    """
    step, gate = find_gate(session, ticket, gate_id)
    if within is not None and gate.permission not in within:
        raise NotEligible(permission=gate.permission)
    approval = session.get(Approval, (gate.id, approver_id))
    if approval is None or approval.revoked_at is not None:
        raise NotFound(what="approval", key=str(gate_id))
    approval.revoked_at = db_now(session)
    session.flush()
    record(session, ticket, "gate.revoked", By("user", str(approver_id)), _about(step, gate))


def reopen(session: Session, ticket: Ticket, step: StepRow, gate: Gate) -> None:
    """An approved gate that has lost its quorum before the start is open again (P14)."""
    gate.state = GateState.OPEN.value
    gate.closed_at = None
    session.flush()
    record(session, ticket, "gate.reopened", By("system"), _about(step, gate))
