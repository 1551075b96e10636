"""Events: gapless and hash-chained per ticket, written in the transaction that makes them true (P4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from autorke.core import events
from autorke.core.canonical import sha256_hex
from autorke.core.db import after_commit, db_now
from autorke.core.errors import NotFound
from autorke.core.hints import hint
from autorke.workflow.models import Event, Ticket


@dataclass(frozen=True)
class By:
    """Who did it: `user` with his id, `runner` with the attempt's id, `callback`, or `system`."""

    type: str
    id: str | None = None


SYSTEM = By("system")


class _Wake:
    """Tells who looks at a ticket that it has new events: once for all events of a transaction."""

    def __init__(self, ticket_id: UUID) -> None:
        self.ticket_id = ticket_id
        self.seq = 0

    def __call__(self) -> None:
        events.publish(f"ticket:{self.ticket_id}", str(self.seq))


def lock_ticket(session: Session, ticket_id: UUID) -> Ticket:
    """The ticket, locked until the end of the transaction: every change of a ticket starts here."""
    query = select(Ticket).where(Ticket.id == ticket_id).with_for_update().execution_options(populate_existing=True)
    ticket = session.execute(query).scalar_one_or_none()
    if ticket is None:
        raise NotFound(what="ticket", key=str(ticket_id))
    return ticket


def try_lock_ticket(session: Session, ticket_id: UUID) -> Ticket | None:
    """The same without waiting; None when another transaction holds the ticket at this moment."""
    query = select(Ticket).where(Ticket.id == ticket_id).with_for_update(skip_locked=True)
    return session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _link(prev_hash: str, seq: int, at: str, actor: By, kind: str, body: dict[str, Any]) -> str:
    entry = {"seq": seq, "at": at, "actor": [actor.type, actor.id], "kind": kind, "body": body}
    return sha256_hex({"prev": prev_hash, "entry": entry})


def record(session: Session, ticket: Ticket, kind: str, by: By, body: dict[str, Any] | None = None) -> Event:
    """Append one event; the caller holds the ticket's row lock. Viewers are woken after the commit."""
    at = db_now(session)
    body = body or {}
    entry = Event(
        ticket_id=ticket.id,
        seq=ticket.next_seq,
        at=at,
        actor_type=by.type,
        actor_id=by.id,
        kind=kind,
        body=body,
        prev_hash=ticket.last_hash,
        hash=_link(ticket.last_hash, ticket.next_seq, _utc(at), by, kind, body),
    )
    session.add(entry)
    ticket.next_seq += 1
    ticket.last_hash = entry.hash
    ticket.row_version += 1
    ticket.updated_at = at
    _wake(session, ticket.id, entry.seq)
    for topic in ("tickets", "inbox"):
        hint(session, topic, scope=ticket.scope_id, ids=[ticket.id])
    return entry


def _wake(session: Session, ticket_id: UUID, seq: int) -> None:
    waiting = [it for it in session.info.get("after_commit", ()) if isinstance(it, _Wake) and it.ticket_id == ticket_id]
    if not waiting:
        waiting = [_Wake(ticket_id)]
        after_commit(session, waiting[0])
    waiting[0].seq = seq


def verify_chain(session: Session, ticket_id: UUID) -> bool:
    """True when a ticket's events are gapless, unaltered, and none is missing at the end; for auditors and tests."""
    previous, expected = "", 1
    rows = session.execute(select(Event).where(Event.ticket_id == ticket_id).order_by(Event.seq)).scalars()
    for row in rows:
        by = By(row.actor_type, row.actor_id)
        at = _utc(row.at)
        if row.seq != expected or row.prev_hash != previous:
            return False
        if row.hash != _link(previous, row.seq, at, by, row.kind, row.body):
            return False
        previous, expected = row.hash, expected + 1
    query = select(Ticket.last_hash, Ticket.next_seq).where(Ticket.id == ticket_id)
    return session.execute(query).one_or_none() == (previous, expected)
