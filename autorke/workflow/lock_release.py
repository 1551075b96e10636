"""Taking a lock away by hand: only where nothing of its ticket can still act (engine.md §3.2).

A lock belongs to a ticket and never expires; the end of the ticket gives it back. What is left for a person is a lock
that outlived its ticket, and a ticket that nobody can bring to an end: that one is closed together with its locks.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.orm import Session

from autorke.core.errors import Conflict, NotFound, Text
from autorke.workflow import engine, gates
from autorke.workflow.errors import ReasonNeeded
from autorke.workflow.journal import By, lock_ticket, record
from autorke.workflow.locks import Key
from autorke.workflow.models import Attempt, ResourceLock, StepRow, Ticket
from autorke.workflow.states import LIVE_ATTEMPT, TERMINAL_TICKET, AttemptState, TicketState

RESOLVED = (AttemptState.RESOLVED_DONE, AttemptState.RESOLVED_FAILED)


class LockStillNeeded(Conflict):
    code = "lock-still-needed"
    text = Text(
        zh="工单 #{ticket} 仍可能在操作：{zh}，不能释放它的锁",
        en="Ticket #{ticket} can still act: {en}; its lock stays",
    )
    remedy = Text(
        zh="等待执行结束，取消工单，或先在工单页判定结果未知的执行",
        en="Wait for its end, cancel the ticket, or first resolve the unknown attempt on its page",
    )


class LockTicketOpen(Conflict):
    code = "lock-ticket-open"
    text = Text(
        zh="工单 #{ticket} 尚未结束（{state}），释放锁意味着关闭该工单",
        en="Ticket #{ticket} has not ended ({state}): to release its lock is to close it",
    )
    remedy = Text(
        zh="确认后带 close_ticket=true 重新提交；该工单将以 FAILED 结束并交还全部锁",
        en="Send close_ticket=true to do so; the ticket ends as FAILED and gives back all its locks",
    )


def obstacles(session: Session, ticket_ids: Iterable[UUID]) -> dict[UUID, Text]:
    """What of each ticket can still act, in words; tickets of which nothing can are left out. One statement.

    An attempt that has not ended can act. One that people declared over can, unless its runner's death was proven, as
    long as its ticket is open: that it may end in spite of this was decided by two people.
    """
    open_ticket = Ticket.state.not_in(TERMINAL_TICKET)
    unproven = and_(Attempt.state.in_(RESOLVED), Attempt.death_proof.is_(None), open_ticket)
    query = (
        select(StepRow.ticket_id, StepRow.key, Attempt.n, Attempt.state)
        .join(StepRow, StepRow.id == Attempt.step_id)
        .join(Ticket, Ticket.id == StepRow.ticket_id)
        .where(StepRow.ticket_id.in_(list(ticket_ids)), or_(Attempt.state.in_(LIVE_ATTEMPT), unproven))
        .order_by(StepRow.ord.desc(), Attempt.n.desc())
    )
    return {ticket_id: _obstacle(step, n, AttemptState(state)) for ticket_id, step, n, state in session.execute(query)}


def _obstacle(step: str, n: int, state: AttemptState) -> Text:
    if state in RESOLVED:
        return Text(
            zh=f"步骤 {step} 的执行 {n} 已由人判定，但没有证据表明其执行器已结束",
            en=f"attempt {n} of step {step} was resolved, but nothing proves that its runner has ended",
        )
    return Text(
        zh=f"步骤 {step} 的执行 {n} 尚未结束（{state.value}）",
        en=f"attempt {n} of step {step} has not ended ({state.value})",
    )


def force_release(session: Session, key: Key, *, by: By, reason: str, close_ticket: bool) -> Ticket:
    """Take the lock from its ticket, on the record; an open ticket ends with it and gives back all its locks.

    Raises NotFound, ReasonNeeded, LockStillNeeded, LockTicketOpen.
    """
    if not reason.strip():
        raise ReasonNeeded(field="reason")
    ticket = lock_ticket(session, holder(session, key))
    if holder(session, key) != ticket.id:
        raise NotFound(field="key", what="lock", key="/".join(key))
    obstacle = obstacles(session, [ticket.id]).get(ticket.id)
    if obstacle is not None:
        raise LockStillNeeded(ticket=ticket.number, **obstacle.as_json())
    ended = ticket.state in TERMINAL_TICKET
    if not ended and not close_ticket:
        raise LockTicketOpen(field="close_ticket", ticket=ticket.number, state=ticket.state)
    kind, name = key
    record(session, ticket, "lock.released", by, {"kind": kind, "key": name, "reason": reason, "closes": not ended})
    if ended:
        session.execute(delete(ResourceLock).where(ResourceLock.kind == kind, ResourceLock.key == name))
    else:
        for step in engine.steps_of(session, ticket):
            gates.void_gates(session, ticket, step)
        engine.close_ticket(session, ticket, TicketState.FAILED, reason=reason)
    return ticket


def holder(session: Session, key: Key) -> UUID:
    """The ticket that holds the lock at this moment. Raises NotFound."""
    kind, name = key
    query = select(ResourceLock.ticket_id).where(ResourceLock.kind == kind, ResourceLock.key == name)
    found = session.execute(query).scalar_one_or_none()
    if found is None:
        raise NotFound(field="key", what="lock", key="/".join(key))
    return found
