"""What people do to tickets: submit, decide, retry, exclude, pause, cancel, resolve. Each is one transaction.

The caller (a route) has checked the permission; who may approve is checked here, because the engine enforces it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from autorke.core.canonical import sha256_hex
from autorke.core.errors import InvalidTransition, NotFound
from autorke.core.ids import new_id
from autorke.workflow import attempts, engine, gates, lifecycle, locks, options, results
from autorke.workflow.definition import Accepted, Effect, Flow, Step, find_flow
from autorke.workflow.errors import (
    AlreadyPaused,
    DeathNotProven,
    GateNotOpen,
    IdempotencyConflict,
    NotPaused,
    ReasonNeeded,
    UnknownFlow,
    UnknownNodes,
)
from autorke.workflow.gates import Decision
from autorke.workflow.journal import By, lock_ticket, record
from autorke.workflow.models import Attempt, Gate, NodeResult, StepRow, Ticket, TicketNode
from autorke.workflow.states import (
    GatePhase,
    GateState,
    NodeState,
    Purpose,
    StepState,
    TicketState,
)


def submit(
    session: Session, flow_name: str, request: BaseModel, requester_id: UUID, idempotency_key: str | None = None
) -> tuple[Ticket, bool]:
    """Create a ticket with its frozen targets and all its steps; returns it and whether it is new.

    The same key with the same request returns the first ticket; with another request it is a 409.
    """
    flow = find_flow(flow_name)
    if flow is None or flow.accept_fn is None:
        raise UnknownFlow(field="flow", name=flow_name)
    request_hash = sha256_hex({"flow": flow_name, "request": request.model_dump(mode="json")})
    earlier = _earlier(session, requester_id, idempotency_key, request_hash)
    if earlier is not None:
        return earlier, False
    ticket_id = new_id()
    accepted = flow.accept_fn(session, request, str(requester_id), str(ticket_id))
    ticket = _insert(session, flow, accepted, ticket_id, requester_id, idempotency_key, request_hash)
    locks.request(session, ticket.id, accepted.locks)
    body = {"flow": flow.name, "version": flow.version, "flow_hash": ticket.flow_hash, "nodes": len(accepted.nodes)}
    record(session, ticket, "ticket.submitted", By("user", str(requester_id)), body)
    engine.advance(session, ticket)
    return ticket, True


def _earlier(session: Session, requester_id: UUID, key: str | None, request_hash: str) -> Ticket | None:
    if key is None:
        return None
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{requester_id}:{key}", 0))))
    query = select(Ticket).where(Ticket.requester_id == requester_id, Ticket.idempotency_key == key)
    earlier = session.execute(query).scalar_one_or_none()
    if earlier is not None and earlier.request_hash != request_hash:
        raise IdempotencyConflict(field="Idempotency-Key")
    return earlier


def _insert(
    session: Session,
    flow: Flow,
    accepted: Accepted[Any],
    ticket_id: UUID,
    requester_id: UUID,
    key: str | None,
    request_hash: str,
) -> Ticket:
    ticket = Ticket(
        id=ticket_id,
        flow_name=flow.name,
        flow_version=flow.version,
        flow_hash=flow.hash,
        flow_snapshot=flow.snapshot(),
        policy=accepted.policy.value,
        scope_id=UUID(accepted.scope_id) if accepted.scope_id else None,
        requester_id=requester_id,
        idempotency_key=key,
        request_hash=request_hash,
        summary=accepted.summary,
        state=TicketState.QUEUED.value,
        params=accepted.params.model_dump(mode="json"),
        next_seq=1,
        last_hash="",
    )
    session.add(ticket)
    session.flush()
    session.add_all(
        TicketNode(ticket_id=ticket_id, node_id=node.id, ord=i, name=node.name, data=dict(node.data))
        for i, node in enumerate(accepted.nodes)
    )
    session.add_all(step_rows(flow, accepted, ticket_id))
    session.flush()
    return lock_ticket(session, ticket_id)


def step_rows(flow: Flow, accepted: Accepted[Any], ticket_id: UUID) -> list[StepRow]:
    """The steps of such a ticket with their gates, those skipped with the reason; not in the session yet."""
    reasons = [step.skip_fn(accepted.params) if step.skip_fn else None for step in flow.steps]
    running: list[tuple[int, Step]] = [(i, s) for i, s in enumerate(flow.steps) if reasons[i] is None]
    effects: list[Effect] = [step.effect for _, step in running]
    wanted = {i: gates.gates_of(accepted.policy, effects, place) for place, (i, _) in enumerate(running)}
    rows = []
    for i, step in enumerate(flow.steps):
        reason = reasons[i]
        pre, post = wanted.get(i, (False, False))
        rows.append(
            StepRow(
                ticket_id=ticket_id,
                ord=i,
                key=step.key,
                handler=f"{flow.name}.{step.key}@{step.major}",
                unit=step.unit.value,
                effect=step.effect.value,
                state=(StepState.SKIPPED if reason else StepState.PENDING).value,
                skip_reason=reason.as_json() if reason else None,
                pre_gate=pre,
                post_gate=post,
            )
        )
    return rows


def open_ticket(session: Session, ticket_id: UUID) -> Ticket:
    """The ticket, locked; raises Ended for one that is over."""
    ticket = lock_ticket(session, ticket_id)
    options.refuse(options.ended(ticket))
    return ticket


def decide(session: Session, ticket_id: UUID, gate_ids: Mapping[UUID, str], user_id: UUID, said: Decision) -> Ticket:
    """One person's decision on one or several gates (`{gate id: subject hash he saw}`), recorded gate by gate.

    Confirming a step and releasing the next is one call with two gates; a refusal of any refuses all.
    """
    ticket = open_ticket(session, ticket_id)
    for gate_id, subject_hash in gate_ids.items():
        one = replace(said, subject_hash=subject_hash)
        state = gates.decide(session, ticket, gate_id, user_id, one)
        if state is GateState.REJECTED:
            _rejected(session, ticket, gate_id, said.comment)
    engine.advance(session, ticket)
    return ticket


def _rejected(session: Session, ticket: Ticket, gate_id: UUID, comment: str) -> None:
    step, gate = gates.find_gate(session, ticket, gate_id)
    if gate.phase == GatePhase.POST:
        engine.move(session, ticket, step, StepState.FAILED, rejected=comment)
        return
    engine.move(session, ticket, step, StepState.GATE_CLOSED, rejected=comment)
    if not ever_ran(session, ticket):
        _end_unrun(session, ticket, TicketState.REJECTED)


def ever_ran(session: Session, ticket: Ticket) -> bool:
    """Has any step that may change something committed its intent?"""
    query = (
        select(Attempt.id)
        .join(StepRow, StepRow.id == Attempt.step_id)
        .where(StepRow.ticket_id == ticket.id, Attempt.purpose == Purpose.RUN, Attempt.intent_at.is_not(None))
        .where(StepRow.effect != Effect.READ_ONLY)
        .limit(1)
    )
    return session.execute(query).first() is not None


def _end_unrun(session: Session, ticket: Ticket, state: TicketState) -> None:
    for step in engine.steps_of(session, ticket):
        live = attempts.live(session, step)
        if live is not None:
            attempts.abandon(session, ticket, live, state.value.lower())
        gates.void_gates(session, ticket, step)
    engine.close_ticket(session, ticket, state)


def expire_gate(session: Session, ticket: Ticket, step: StepRow, gate: Gate) -> None:
    """An undecided gate has run out: end a ticket that has changed nothing, else ask a person to plan again."""
    gate.state = GateState.EXPIRED.value
    gate.closed_at = func.clock_timestamp()
    session.flush()
    record(session, ticket, "gate.expired", By("system"), {"step": step.key, "gate_id": str(gate.id)})
    if gate.phase == GatePhase.POST:
        gates.open_gate(session, ticket, step, GatePhase.POST, ttl=engine.gate_ttl())
    elif ever_ran(session, ticket):
        engine.move(session, ticket, step, StepState.GATE_CLOSED)
    else:
        engine.move(session, ticket, step, StepState.GATE_CLOSED)
        _end_unrun(session, ticket, TicketState.EXPIRED)
    engine.advance(session, ticket)


def revoke(
    session: Session, ticket_id: UUID, gate_id: UUID, user_id: UUID, within: frozenset[str] | None = None
) -> Ticket:
    """Take back an approval; a step that has not begun goes back to its gate."""
    ticket = open_ticket(session, ticket_id)
    step, gate = gates.find_gate(session, ticket, gate_id)
    if gate.phase != GatePhase.PRE or step.state not in (StepState.WAIT_PRE_GATE, StepState.READY):
        raise InvalidTransition(what=f"step {step.key}", state=step.state, action="be unapproved")
    if gate.state not in (GateState.OPEN, GateState.APPROVED):  # that of an earlier plan
        raise GateNotOpen(state=gate.state)
    gates.revoke(session, ticket, gate_id, user_id, within)
    live = attempts.live(session, step, Purpose.RUN)
    if live is not None:
        attempts.abandon(session, ticket, live, "approval revoked")
        engine.move(session, ticket, step, StepState.WAIT_PRE_GATE)
    if gate.state == GateState.APPROVED and not gates.quorum_met(session, ticket, gate):
        gates.reopen(session, ticket, step, gate)
    engine.advance(session, ticket)
    return ticket


def retry(session: Session, ticket_id: UUID, key: str, by: By, nodes: Sequence[str] | None = None) -> Ticket:
    """Plan the step again for exactly its failed, unreachable and not-started nodes, or some of them (P10)."""
    ticket = open_ticket(session, ticket_id)
    step = find_step(session, ticket, key)
    options.refuse(options.retry(ticket, step))
    unfinished = results.open_nodes(session, ticket.id, step)
    chosen = list(nodes) if nodes is not None else unfinished
    strangers = sorted(set(chosen) - set(unfinished))
    if strangers:
        raise UnknownNodes(field="nodes", nodes=", ".join(strangers))
    if not unfinished:  # its result was rejected, or the nodes that were left were left out
        engine.await_confirmation(session, ticket, step)
    else:
        _reset_later(session, ticket, step)
        engine.start_planning(session, ticket, step, chosen)
    record(session, ticket, "step.retry", by, {"step": key, "nodes": chosen})
    engine.advance(session, ticket)
    return ticket


def _reset_later(session: Session, ticket: Ticket, step: StepRow) -> None:
    """A later step that was planned on this one's old result is planned anew."""
    for later in engine.steps_of(session, ticket)[step.ord + 1 :]:
        if StepState(later.state) in (StepState.PENDING, StepState.SKIPPED):
            continue
        live = attempts.live(session, later, Purpose.PLAN)
        if live is not None:
            attempts.abandon(session, ticket, live, "an earlier step is retried")
        gates.void_gates(session, ticket, later)
        engine.move(session, ticket, later, StepState.PENDING)


def find_step(session: Session, ticket: Ticket, key: str) -> StepRow:
    for step in engine.steps_of(session, ticket):
        if step.key == key:
            return step
    raise NotFound(what="step", key=key, field="step")


def exclude(session: Session, ticket_id: UUID, nodes: Sequence[str], by: By, reason: str) -> Ticket:
    """Take nodes out of the rest of the ticket; what was done to them stays recorded."""
    ticket = open_ticket(session, ticket_id)
    if not reason.strip():
        raise ReasonNeeded(field="reason")
    query = select(TicketNode).where(TicketNode.ticket_id == ticket.id, TicketNode.excluded_at.is_(None))
    rows = {row.node_id: row for row in session.execute(query).scalars()}
    strangers = sorted(set(nodes) - set(rows))
    if strangers:
        raise UnknownNodes(field="nodes", nodes=", ".join(strangers))
    steps = engine.steps_of(session, ticket)
    options.refuse(options.exclude(ticket, steps, left=len(rows) - len(set(nodes))))
    for node_id in nodes:
        rows[node_id].excluded_at = func.clock_timestamp()
        rows[node_id].excluded_reason = reason
    session.flush()
    record(session, ticket, "node.excluded", by, {"nodes": list(nodes), "reason": reason})
    step = next(step for step in steps if step.state in options.STUCK)
    if not results.open_nodes(session, ticket.id, step):
        engine.await_confirmation(session, ticket, step)
    elif StepState(step.state) in options.REPLANNABLE:
        engine.start_planning(session, ticket, step)
    engine.advance(session, ticket)
    return ticket


def pause(session: Session, ticket_id: UUID, by: By, *, paused: bool) -> Ticket:
    """Stop before the next node or step, or go on. Nodes that have begun finish. What is so already stays so."""
    ticket = open_ticket(session, ticket_id)
    refusal = options.pause(ticket) if paused else options.resume(ticket)
    if isinstance(refusal, AlreadyPaused | NotPaused):
        return ticket
    options.refuse(refusal)
    ticket.pause_requested_at = func.clock_timestamp() if paused else None
    session.flush()
    session.refresh(ticket)
    record(session, ticket, "ticket.paused" if paused else "ticket.resumed", by)
    engine.advance(session, ticket)
    return ticket


def cancel(session: Session, ticket_id: UUID, by: By, reason: str) -> Ticket:
    """Ask for the end: at once where nothing runs, at the next safe point where something does (P9)."""
    ticket = open_ticket(session, ticket_id)
    if options.cancel(ticket) is None:
        ticket.cancel_requested_at = func.clock_timestamp()
        session.flush()
        session.refresh(ticket)
        record(session, ticket, "ticket.cancel_requested", by, {"reason": reason})
    engine.advance(session, ticket)
    return ticket


def close_failed(session: Session, ticket_id: UUID, by: By, reason: str) -> Ticket:
    """Give up a ticket that needs a person; everything done so far stays recorded node by node."""
    ticket = open_ticket(session, ticket_id)
    options.refuse(options.needs_stuck(ticket, engine.steps_of(session, ticket)))
    if not reason.strip():
        raise ReasonNeeded(field="reason")
    record(session, ticket, "ticket.given_up", by, {"reason": reason})
    _end_unrun(session, ticket, TicketState.FAILED)
    return ticket


def resolve(
    session: Session,
    ticket_id: UUID,
    attempt_id: UUID,
    user_id: UUID,
    verdicts: Mapping[str, bool],
    reason: str,
    *,
    override: bool = False,
) -> Ticket:
    """Say of every unknown node whether it is done. Without proof that the runner is dead, two people must override."""
    ticket = open_ticket(session, ticket_id)
    attempt = session.get(Attempt, attempt_id, populate_existing=True)
    step = session.get(StepRow, attempt.step_id) if attempt else None
    if attempt is None or step is None or step.ticket_id != ticket.id:
        raise NotFound(what="attempt", key=str(attempt_id))
    options.refuse(options.resolve(ticket, attempt))
    if not reason.strip():
        raise ReasonNeeded(field="reason")
    query = select(NodeResult.node_id).where(NodeResult.attempt_id == attempt.id, NodeResult.state == NodeState.UNKNOWN)
    unknown = set(session.execute(query).scalars())
    if unknown != set(verdicts):
        raise UnknownNodes(field="verdicts", nodes=", ".join(sorted(unknown ^ set(verdicts))))
    if attempt.death_proof is None and not _overridden(session, ticket, attempt, user_id, override):
        return ticket
    states = {node: NodeState.SUCCEEDED if done else NodeState.FAILED for node, done in verdicts.items()}
    lifecycle.resolve(session, ticket, attempt, states, By("user", str(user_id)), reason)
    return ticket


def _overridden(session: Session, ticket: Ticket, attempt: Attempt, user_id: UUID, override: bool) -> bool:
    """True once a second person confirms; the first call only records who took the responsibility first."""
    if not override:
        raise DeathNotProven()
    if attempt.override_by is None:
        attempt.override_by = user_id
        session.flush()
        record(session, ticket, "attempt.override_asked", By("user", str(user_id)), {"attempt_id": str(attempt.id)})
        return False
    options.refuse(options.override(attempt, user_id))
    return True
