"""Locks of tickets on clusters, machines and ippools: all or none, first come first served, no expiry (P5, P18)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, func, literal, select, text, tuple_, union_all
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, aliased

from autorke.workflow.models import LockRequest, ResourceLock, Ticket
from autorke.workflow.states import TicketState

Key = tuple[str, str]
_GRANT_LOCK = 0x4C4F434B  # advisory lock: one grant pass at a time in the whole installation


@dataclass(frozen=True)
class Waiting:
    """Why a ticket waits: which key, and the ticket that holds it or stands before it."""

    kind: str
    key: str
    ticket_id: UUID
    ticket_number: int
    holds: bool


def request(session: Session, ticket_id: UUID, keys: Iterable[Key]) -> None:
    """Queue a ticket for its keys, in sorted order."""
    session.add_all(LockRequest(ticket_id=ticket_id, kind=kind, key=key) for kind, key in sorted(set(keys)))
    session.flush()


def _queue(session: Session) -> dict[UUID, list[Key]]:
    """Waiting tickets, oldest first, with all keys that each needs."""
    rows = session.execute(
        select(LockRequest.ticket_id, LockRequest.kind, LockRequest.key)
        .join(Ticket, Ticket.id == LockRequest.ticket_id)
        .where(Ticket.state == TicketState.QUEUED)
        .order_by(LockRequest.id)
    )
    queue: dict[UUID, list[Key]] = {}
    for ticket_id, kind, key in rows:
        queue.setdefault(ticket_id, []).append((kind, key))
    return queue


def _held(session: Session) -> set[Key]:
    return {(kind, key) for kind, key in session.execute(select(ResourceLock.kind, ResourceLock.key))}


def grantable(session: Session) -> list[UUID]:
    """Tickets that may have all their locks now. What an earlier waiter wants counts as taken: nobody overtakes."""
    session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _GRANT_LOCK})
    taken = _held(session)
    ready = []
    for ticket_id, keys in _queue(session).items():
        if not taken.intersection(keys):
            ready.append(ticket_id)
        taken.update(keys)
    return ready


def take(session: Session, ticket_id: UUID) -> bool:
    """Take every lock a queued ticket asked for, or none. False when one is held or wanted earlier by another."""
    if ticket_id not in grantable(session):
        return False
    rows = session.execute(select(LockRequest.kind, LockRequest.key).where(LockRequest.ticket_id == ticket_id))
    for kind, key in rows:
        fence = session.execute(text("select nextval('fence_seq')")).scalar_one()
        session.add(ResourceLock(kind=kind, key=key, ticket_id=ticket_id, fence=fence))
    session.flush()
    return True


def release(session: Session, ticket_id: UUID) -> None:
    """Give back a ticket's locks and its place in the queue; only for a ticket that has ended."""
    session.execute(delete(ResourceLock).where(ResourceLock.ticket_id == ticket_id))
    session.execute(delete(LockRequest).where(LockRequest.ticket_id == ticket_id))


def waiting_for(session: Session, ticket_id: UUID) -> Sequence[Waiting]:
    """What a queued ticket waits for, holders first; empty for one that waits for nothing."""
    wanted = list(
        session.execute(
            select(LockRequest.kind, LockRequest.key, func.min(LockRequest.id))
            .where(LockRequest.ticket_id == ticket_id)
            .group_by(LockRequest.kind, LockRequest.key)
        )
    )
    found: list[Waiting] = []
    for kind, key, place in wanted:
        found.extend(_ahead(session, ticket_id, (kind, key), place))
    return sorted(found, key=lambda w: (not w.holds, w.ticket_number))


def _ahead(session: Session, ticket_id: UUID, key: Key, place: int) -> list[Waiting]:
    held = session.execute(
        select(Ticket.id, Ticket.number)
        .join(ResourceLock, ResourceLock.ticket_id == Ticket.id)
        .where(ResourceLock.kind == key[0], ResourceLock.key == key[1], Ticket.id != ticket_id)
    )
    earlier = session.execute(
        select(Ticket.id, Ticket.number)
        .join(LockRequest, LockRequest.ticket_id == Ticket.id)
        .where(LockRequest.kind == key[0], LockRequest.key == key[1], LockRequest.id < place)
        .where(Ticket.state == TicketState.QUEUED)
    )
    return [Waiting(*key, row.id, row.number, True) for row in held] + [
        Waiting(*key, row.id, row.number, False) for row in earlier
    ]


def first_in_the_way(session: Session, ticket_ids: Collection[UUID]) -> dict[UUID, Waiting]:
    """Of each of these queued tickets one thing that it waits for: a holder before one that only stands before it."""
    mine, other = aliased(LockRequest), aliased(LockRequest)
    wanted = (mine.ticket_id.label("waits"), mine.kind, mine.key)
    held = (
        select(*wanted, Ticket.id, Ticket.number, literal(True).label("holds"))
        .join(ResourceLock, (ResourceLock.kind == mine.kind) & (ResourceLock.key == mine.key))
        .join(Ticket, Ticket.id == ResourceLock.ticket_id)
        .where(mine.ticket_id.in_(ticket_ids), ResourceLock.ticket_id != mine.ticket_id)
    )
    before = (other.kind == mine.kind) & (other.key == mine.key) & (other.id < mine.id)
    earlier = (
        select(*wanted, Ticket.id, Ticket.number, literal(False).label("holds"))
        .join(other, before)
        .join(Ticket, Ticket.id == other.ticket_id)
        .where(mine.ticket_id.in_(ticket_ids), other.ticket_id != mine.ticket_id, Ticket.state == TicketState.QUEUED)
    )
    ways = union_all(held, earlier).subquery()
    first = select(ways).ext(distinct_on(ways.c.waits)).order_by(ways.c.waits, ways.c.holds.desc(), ways.c.number)
    return {row.waits: Waiting(row.kind, row.key, row.id, row.number, row.holds) for row in session.execute(first)}


def ahead(session: Session, keys: Iterable[Key]) -> Sequence[Waiting]:
    """What a ticket that asked for these keys now would wait for: their holders, then who waits for them already."""
    wanted = sorted(set(keys))
    if not wanted:
        return []
    held = (
        select(ResourceLock.kind, ResourceLock.key, Ticket.id, Ticket.number)
        .join(Ticket, Ticket.id == ResourceLock.ticket_id)
        .where(tuple_(ResourceLock.kind, ResourceLock.key).in_(wanted))
        .order_by(Ticket.number)
    )
    queued = (
        select(LockRequest.kind, LockRequest.key, Ticket.id, Ticket.number)
        .join(Ticket, Ticket.id == LockRequest.ticket_id)
        .where(tuple_(LockRequest.kind, LockRequest.key).in_(wanted), Ticket.state == TicketState.QUEUED)
        .order_by(LockRequest.id)
    )
    holding = [Waiting(*row, holds=True) for row in session.execute(held)]
    return holding + [Waiting(*row, holds=False) for row in session.execute(queued)]


def fence_of(session: Session, ticket_id: UUID) -> int:
    """The highest fence number of a ticket's locks: the value machines may compare with (engine.md §3.7)."""
    value = session.execute(
        select(func.max(ResourceLock.fence)).where(ResourceLock.ticket_id == ticket_id)
    ).scalar_one()
    return int(value or 0)
