"""Bringing on a ticket that stands still although nothing is waited for, by the engine's own rules. What may have had
an effect is never run again: it is judged by its results or becomes a person's matter.

The engine leaves no such ticket by itself: an attempt and the state that waits for it are one commit. A database that
was restored or repaired by hand may.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from autorke.core.errors import Conflict, Text
from autorke.workflow import attempts, engine, gates, lifecycle, results
from autorke.workflow.models import Attempt, StepRow, Ticket
from autorke.workflow.states import CLOSED_STEP, AttemptState, GatePhase, Purpose, StepState


class NothingToDo(Conflict):
    code = "nothing-to-do"
    text = Text(zh="工单已按规则停在该停的地方", en="The ticket stands where its rules want it to stand")
    remedy = Text(zh="刷新后查看它在等什么", en="Reload and read what it waits for")


def take_on(session: Session, ticket: Ticket) -> None:
    """Move the (locked) ticket on. Raises NothingToDo when there was nothing to move."""
    before = ticket.next_seq
    engine.advance(session, ticket)
    if ticket.next_seq == before:
        for step in engine.steps_of(session, ticket):
            if StepState(step.state) not in CLOSED_STEP and attempts.live(session, step) is None:
                _mend(session, ticket, step)
                break
        engine.advance(session, ticket)
    if ticket.next_seq == before:
        raise NothingToDo()


def _mend(session: Session, ticket: Ticket, step: StepRow) -> None:
    """The first open step has no attempt: give it what its state waits for."""
    match StepState(step.state):
        case StepState.PLANNING:
            nodes = step.retry_nodes if step.retry_nodes is not None else results.open_nodes(session, ticket.id, step)
            attempts.create(session, ticket, step, Purpose.PLAN, nodes)
        case StepState.READY:
            engine.start_planning(session, ticket, step, step.retry_nodes)
        case StepState.RUNNING:
            _settle(session, ticket, step)
        case StepState.WAIT_PRE_GATE if step.pre_gate and gates.live_gate(session, step, GatePhase.PRE) is None:
            engine.start_planning(session, ticket, step, step.retry_nodes)
        case StepState.WAIT_POST_GATE if step.post_gate and gates.live_gate(session, step, GatePhase.POST) is None:
            gates.open_gate(session, ticket, step, GatePhase.POST, ttl=engine.gate_ttl())
        case _:
            return


def _settle(session: Session, ticket: Ticket, step: StepRow) -> None:
    """A run that has ended without its step knowing: by the results, or UNKNOWN where they do not say."""
    query = select(Attempt).where(Attempt.step_id == step.id, Attempt.purpose == Purpose.RUN).order_by(Attempt.n.desc())
    last = session.execute(query.limit(1)).scalar_one_or_none()
    if last is None:
        return
    if results.verdict(session, ticket.id, step) is StepState.UNKNOWN:
        last.state, last.ended_at = AttemptState.RUNNING.value, None
        session.flush()
        lifecycle.lost(session, ticket, last, last.death_proof)
    else:
        engine.settle_step(session, ticket, step)
