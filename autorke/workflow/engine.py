"""The engine's one decision, `next_action`, and the one place that carries it out, `advance`.

`advance` is called under the ticket's row lock after anything that may let the ticket move: a decision, the end of an
attempt, a grant of locks, a command of a person, and the reconciler's pass. It holds no other knowledge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from autorke.core.db import db_now
from autorke.core.settings import get_settings
from autorke.workflow import attempts, gates, locks, options, results
from autorke.workflow.definition import Node, find_flow
from autorke.workflow.journal import SYSTEM, record, try_lock_ticket
from autorke.workflow.models import Attempt, KeptSecret, StepRow, Ticket, TicketNode
from autorke.workflow.states import (
    CLOSED_STEP,
    NEEDS_PERSON,
    STEP_ARROWS,
    TERMINAL_TICKET,
    AttemptState,
    GatePhase,
    GateState,
    Purpose,
    StepState,
    TicketState,
)

Verb = Literal["plan", "launch", "close", "finish", "wait"]


@dataclass(frozen=True)
class StepView:
    """What the decision needs to know of a step: its state, and whether its gates let it pass (no gate = passed)."""

    state: StepState
    pre_passed: bool = False
    post_passed: bool = False


@dataclass(frozen=True)
class Action:
    verb: Verb
    step: int = -1


def next_action(steps: Sequence[StepView]) -> Action:
    """What to do next in a ticket that is neither paused nor cancelled. Pure; failed, unknown and closed gates wait.

    A step is planned as soon as its predecessor has run, so that confirming the one and releasing the other can be
    one decision of a person; it starts only when every predecessor is closed.
    """
    before_closed = True
    for index, step in enumerate(steps):
        if step.state in CLOSED_STEP:
            continue
        if step.state is StepState.PENDING:
            return Action("plan", index)
        if step.state is StepState.WAIT_PRE_GATE and step.pre_passed and before_closed:
            return Action("launch", index)
        if step.state is StepState.WAIT_POST_GATE:
            if step.post_passed:
                return Action("close", index)
            if before_closed:
                before_closed = False
                continue
        return Action("wait", index)
    return Action("finish") if before_closed else Action("wait")


def steps_of(session: Session, ticket: Ticket) -> list[StepRow]:
    query = select(StepRow).where(StepRow.ticket_id == ticket.id).order_by(StepRow.ord)
    return list(session.execute(query.execution_options(populate_existing=True)).scalars())


def move(session: Session, ticket: Ticket, step: StepRow, to: StepState, **body: object) -> None:
    """Change a step's state along an allowed arrow and record it; any other arrow is a bug and raises."""
    if to not in STEP_ARROWS[StepState(step.state)]:
        raise RuntimeError(f"step {step.key}: no arrow {step.state} -> {to.value}")
    record(session, ticket, "step.state", SYSTEM, {"step": step.key, "from": step.state, "to": to.value, **body})
    step.state = to.value
    if to in CLOSED_STEP or to is StepState.CANCELLED:
        step.ended_at = db_now(session)
    session.flush()


def advance(session: Session, ticket: Ticket) -> None:
    """Move the (locked) ticket as far as it goes without a person, a machine or a lock."""
    if ticket.state in TERMINAL_TICKET:
        return
    if ticket.cancel_requested_at is not None:
        _cancel(session, ticket)
        return
    if ticket.state == TicketState.QUEUED:
        if not locks.take(session, ticket.id):
            return
        ticket.state = TicketState.ACTIVE.value
        record(session, ticket, "ticket.locked", SYSTEM)
    while ticket.pause_requested_at is None and _act(session, ticket):
        pass
    _settle_ticket_state(session, ticket)


def _act(session: Session, ticket: Ticket) -> bool:
    """Carry out one action; False when there is nothing left to do now."""
    if ticket.state in TERMINAL_TICKET:
        return False
    steps = steps_of(session, ticket)
    action = upcoming(session, steps)
    if action.verb == "wait":
        return False
    if action.verb == "finish":
        close_ticket(session, ticket, TicketState.SUCCEEDED)
        return False
    step = steps[action.step]
    if action.verb == "plan":
        start_planning(session, ticket, step)
    elif action.verb == "launch":
        _launch(session, ticket, step)
    else:
        move(session, ticket, step, StepState.DONE)
    return True


def upcoming(session: Session, steps: Sequence[StepRow]) -> Action:
    """What an active ticket with these steps would do next by itself."""
    return next_action([_view(session, step) for step in steps])


def _view(session: Session, step: StepRow) -> StepView:
    state = StepState(step.state)
    pre = post = False
    if state is StepState.WAIT_PRE_GATE:
        pre = not step.pre_gate or _approved(session, step, GatePhase.PRE)
    elif state is StepState.WAIT_POST_GATE:
        post = not step.post_gate or _approved(session, step, GatePhase.POST)
    return StepView(state, pre, post)


def _approved(session: Session, step: StepRow, phase: GatePhase) -> bool:
    gate = gates.live_gate(session, step, phase)
    return gate is not None and gate.state == GateState.APPROVED


def start_planning(session: Session, ticket: Ticket, step: StepRow, nodes: Sequence[str] | None = None) -> None:
    """A new round: plan for all nodes of the step that have not succeeded, or for the given ones (P10)."""
    gates.void_gates(session, ticket, step)
    move(session, ticket, step, StepState.PLANNING)
    step.round += 1
    step.retry_nodes = list(nodes) if nodes is not None else None
    step.result = {key: value for key, value in (step.result or {}).items() if key != "callback"} or None
    targets = list(nodes) if nodes is not None else results.open_nodes(session, ticket.id, step)
    attempts.create(session, ticket, step, Purpose.PLAN, targets)


def _launch(session: Session, ticket: Ticket, step: StepRow) -> None:
    move(session, ticket, step, StepState.READY)
    plan_attempt = results.planned_nodes(session, step)
    attempts.create(session, ticket, step, Purpose.RUN, plan_attempt)


def settle_step(session: Session, ticket: Ticket, step: StepRow) -> None:
    """After an attempt: decide from the results of all its nodes how the step stands, and open its post gate."""
    verdict = results.verdict(session, ticket.id, step)
    snapshot = ticket.flow_snapshot["steps"][step.ord]
    if verdict is not StepState.WAIT_POST_GATE:
        move(session, ticket, step, verdict)
        return
    answered = "callback" in (step.result or {})
    if snapshot["wait_callback_s"] and not answered and step.state in (StepState.RUNNING, StepState.UNKNOWN):
        move(session, ticket, step, StepState.WAIT_CALLBACK)
        return
    await_confirmation(session, ticket, step)


def await_confirmation(session: Session, ticket: Ticket, step: StepRow) -> None:
    """The step did what it should: wait for a person to confirm, where the policy asks for one."""
    move(session, ticket, step, StepState.WAIT_POST_GATE)
    if step.post_gate:
        gates.open_gate(session, ticket, step, GatePhase.POST, ttl=gate_ttl())


def gate_ttl() -> timedelta:
    """How long a gate waits for a decision."""
    return get_settings().gate_ttl


def _settle_ticket_state(session: Session, ticket: Ticket) -> None:
    if ticket.state in TERMINAL_TICKET or ticket.state == TicketState.QUEUED:
        return
    reason = _attention_reason(session, ticket)
    state = TicketState.ATTENTION if reason else TicketState.ACTIVE
    if ticket.pause_requested_at is not None:
        state = TicketState.PAUSED
    if (ticket.state, ticket.attention) != (state.value, reason):
        ticket.state, ticket.attention = state.value, reason
        record(session, ticket, "ticket.state", SYSTEM, {"state": state.value, "attention": reason})


def _attention_reason(session: Session, ticket: Ticket) -> str | None:
    for step in steps_of(session, ticket):
        if StepState(step.state) in NEEDS_PERSON:
            return f"{step.key}: {step.state}"
    return None


def nodes_of(session: Session, ticket_id: UUID) -> list[Node]:
    """Every frozen target of the ticket, in order, also the excluded ones."""
    query = select(TicketNode).where(TicketNode.ticket_id == ticket_id).order_by(TicketNode.ord)
    return [Node(row.node_id, row.name, row.data) for row in session.execute(query).scalars()]


def close_ticket(session: Session, ticket: Ticket, state: TicketState, **body: object) -> None:
    """End a ticket: give back machines and locks in the same transaction, then let waiting tickets go on."""
    ticket.state = state.value
    ticket.attention = None
    ticket.ended_at = db_now(session)
    flow = find_flow(ticket.flow_name)
    if flow is not None and flow.release_fn is not None:
        done = state is TicketState.SUCCEEDED
        flow.release_fn(session, str(ticket.id), nodes_of(session, ticket.id), done)
    locks.release(session, ticket.id)
    session.execute(delete(KeptSecret).where(KeptSecret.ticket_id == ticket.id))
    record(session, ticket, "ticket.ended", SYSTEM, {"state": state.value, **body})
    session.flush()


def grant_locks(session: Session) -> int:
    """Let queued tickets whose locks are free go on; returns how many did.

    A ticket that somebody holds at this moment is left to him: he may be waiting for the grant lock that we hold.
    """
    granted = 0
    for ticket_id in locks.grantable(session):
        ticket = try_lock_ticket(session, ticket_id)
        if ticket is not None:
            advance(session, ticket)
            granted += ticket.state != TicketState.QUEUED
    return granted


def _cancel(session: Session, ticket: Ticket) -> None:
    """Cancel what can be cancelled now; a running or unknown attempt is waited for, never declared dead (P9)."""
    steps = steps_of(session, ticket)
    for step in steps:
        for attempt in _live_attempts(session, step):
            if options.holds_up_cancel(attempt):
                _settle_ticket_state(session, ticket)
                return
            claimed = attempt.purpose == Purpose.RUN and attempt.state == AttemptState.CLAIMED
            attempts.abandon(session, ticket, attempt, "cancelled before its intent" if claimed else "cancelled")
    gates_left = [step for step in steps if step.state not in CLOSED_STEP and step.state != StepState.CANCELLED]
    for step in gates_left:
        gates.void_gates(session, ticket, step)
        move(session, ticket, step, StepState.CANCELLED)
    close_ticket(session, ticket, TicketState.CANCELLED, nodes=results.truth(session, ticket.id))


def _live_attempts(session: Session, step: StepRow) -> list[Attempt]:
    states = [AttemptState.READY, AttemptState.CLAIMED, AttemptState.RUNNING, AttemptState.UNKNOWN]
    query = select(Attempt).where(Attempt.step_id == step.id, Attempt.state.in_(states))
    return list(session.execute(query.execution_options(populate_existing=True)).scalars())
