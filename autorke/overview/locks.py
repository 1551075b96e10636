"""Locks as people read them: what is held, by which ticket, who waits, and whether it may be taken away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text as SqlText
from sqlalchemy import Uuid, cast, func, or_, select, tuple_
from sqlalchemy.orm import Session

from autorke.clusters.models import Cluster
from autorke.core.errors import Text
from autorke.machines.models import Machine
from autorke.users.access import Actor, scope
from autorke.web.paging import Column, PageQuery, Slice, page
from autorke.workflow.lock_release import obstacles
from autorke.workflow.models import LockRequest, ResourceLock, Ticket
from autorke.workflow.states import TicketState

COLUMNS = {
    "kind": Column(ResourceLock.kind),
    "key": Column(ResourceLock.key),
    "acquired_at": Column(ResourceLock.acquired_at, datetime),
    "ticket_id": Column(ResourceLock.ticket_id, UUID),
    "ticket_number": Column(Ticket.number, int),
    "cluster_id": Column(Ticket.scope_id, UUID),
}
_KEY = cast(func.md5(ResourceLock.kind + "/" + ResourceLock.key), Uuid)


@dataclass(frozen=True)
class Waiter:
    """A queued ticket that wants the lock."""

    ticket_id: UUID
    ticket_number: int
    requested_at: datetime


@dataclass(frozen=True)
class HeldLock:
    """`name` is the cluster's or machine's. `obstacle` says what of the ticket can still act; None = nothing can."""

    lock: ResourceLock
    ticket: Ticket
    name: str
    waiting: list[Waiter]
    obstacle: Text | None


def locks_page(session: Session, actor: Actor, query: PageQuery) -> Slice:
    """One page of the locks whose tickets the actor may see."""
    statement = _statement().where(scope(actor, "ticket:read", Ticket.scope_id, unowned=True))
    found = page(session, statement, COLUMNS, query, key=_KEY, default_sort="acquired_at")
    return Slice(items=described(session, found.items), next=found.next, total=found.total)


def of_cluster(session: Session, cluster_id: UUID) -> list[HeldLock]:
    """The lock on this cluster, and whatever its tickets hold, in that order."""
    itself = (ResourceLock.kind == "cluster") & (ResourceLock.key == str(cluster_id))
    query = _statement().where(or_(itself, Ticket.scope_id == cluster_id)).limit(1_000)
    rows = session.execute(query.order_by(itself.desc(), ResourceLock.kind, ResourceLock.key)).all()
    return described(session, rows)


def _statement() -> Any:
    return select(ResourceLock, Ticket).join(Ticket, Ticket.id == ResourceLock.ticket_id)


def described(session: Session, rows: Sequence[Any]) -> list[HeldLock]:
    """Names, queues and obstacles of these locks; four statements for any number."""
    if not rows:
        return []
    keys = [(lock.kind, lock.key) for lock, _ in rows]
    names = _names(session, keys)
    waiting = _waiting(session, keys)
    held = obstacles(session, {ticket.id for _, ticket in rows})
    return [
        HeldLock(lock, ticket, names.get(key, lock.key), waiting[key], held.get(ticket.id))
        for (lock, ticket), key in zip(rows, keys, strict=True)
    ]


def _names(session: Session, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    wanted: dict[str, list[str]] = defaultdict(list)
    for kind, key in keys:
        wanted[kind].append(key)
    found = {}
    for kind, model, name in (("cluster", Cluster, Cluster.name), ("machine", Machine, Machine.hostname)):
        as_text = cast(model.id, SqlText)  # keys are texts, and not always ids
        for key, shown in session.execute(select(as_text, name).where(model.id.in_(_ids(wanted[kind])))):
            found[kind, key] = shown
    return found


def _ids(keys: Iterable[str]) -> list[UUID]:
    found = []
    for key in keys:
        try:
            found.append(UUID(key))
        except ValueError:
            continue
    return found


def _waiting(session: Session, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[Waiter]]:
    query = (
        select(LockRequest.kind, LockRequest.key, Ticket.id, Ticket.number, LockRequest.requested_at)
        .join(Ticket, Ticket.id == LockRequest.ticket_id)
        .where(tuple_(LockRequest.kind, LockRequest.key).in_(keys), Ticket.state == TicketState.QUEUED)
        .order_by(LockRequest.id)
    )
    found: dict[tuple[str, str], list[Waiter]] = defaultdict(list)
    for kind, key, ticket_id, number, since in session.execute(query):
        found[kind, key].append(Waiter(ticket_id, number, since))
    return found
