"""Locks over the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import ConfigDict, Field

from autorke.core.errors import NotFound
from autorke.core.schemas import In, Out, Page, Words
from autorke.overview import locks
from autorke.overview.locks import HeldLock
from autorke.users import audit
from autorke.users.access import Actor
from autorke.users.deps import allowed
from autorke.web.deps import PageDep, SessionDep
from autorke.web.paging import Slice
from autorke.workflow.journal import By
from autorke.workflow.lock_release import force_release, holder
from autorke.workflow.models import Ticket

router = APIRouter(prefix="/locks", tags=["locks"])

Reader = Annotated[Actor, allowed("ticket:read")]
Releaser = Annotated[Actor, allowed("lock:release")]
Kind = Annotated[str, Path(pattern=r"^[a-z_]{1,32}$", examples=["cluster"])]
LockKey = Annotated[str, Path(min_length=1, max_length=300, description="As the list gives it")]


class WaiterOut(Out):
    ticket_id: UUID
    ticket_number: int
    requested_at: datetime


class LockOut(Out):
    """A lock, its ticket, and who waits for it, first come first. `name` is the cluster's or machine's."""

    kind: str
    key: str
    name: str
    acquired_at: datetime
    ticket_id: UUID
    ticket_number: int
    ticket_state: str
    ticket_summary: str
    flow_name: str
    cluster_id: UUID | None
    waiting: list[WaiterOut]
    obstacle: Words | None = Field(description="Why it cannot be taken away now; null: nothing of the ticket can act")


class ReleaseIn(In):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "restored from backup", "close_ticket": True}]}
    )

    reason: Annotated[str, Field(min_length=1, max_length=1000)]
    close_ticket: bool = Field(
        False, description="End the ticket as FAILED if it has not ended; gives back all its locks"
    )


class ReleasedOut(Out):
    ticket_id: UUID
    ticket_number: int
    ticket_state: str


def shown(held: HeldLock) -> LockOut:
    """A lock on the wire."""
    ticket = held.ticket
    return LockOut(
        kind=held.lock.kind,
        key=held.lock.key,
        name=held.name,
        acquired_at=held.lock.acquired_at,
        ticket_id=ticket.id,
        ticket_number=ticket.number,
        ticket_state=ticket.state,
        ticket_summary=ticket.summary,
        flow_name=ticket.flow_name,
        cluster_id=ticket.scope_id,
        waiting=[WaiterOut.model_validate(waiter) for waiter in held.waiting],
        obstacle=Words(**held.obstacle.as_json()) if held.obstacle else None,
    )


@router.get("", response_model=Page[LockOut])
def list_locks(actor: Reader, session: SessionDep, query: PageDep) -> Slice:
    """Every lock whose ticket the caller may see, the oldest first."""
    found = locks.locks_page(session, actor, query)
    return Slice(items=[shown(held) for held in found.items], next=found.next, total=found.total)


@router.post("/{kind}/{key:path}/release", response_model=ReleasedOut)
def release_lock(kind: Kind, key: LockKey, body: ReleaseIn, actor: Releaser, session: SessionDep) -> ReleasedOut:
    """Take away a lock that outlived its ticket, or one together with its ticket, where nothing can still act."""
    ticket = session.get_one(Ticket, holder(session, (kind, key)))
    if not actor.may("ticket:read", ticket.scope_id):
        raise NotFound(field="key", what="lock", key=f"{kind}/{key}")
    actor.require("lock:release", ticket.scope_id)
    by = By("user", str(actor.user_id))
    ended = force_release(session, (kind, key), by=by, reason=body.reason, close_ticket=body.close_ticket)
    audit.record(
        session,
        actor,
        action="lock.release",
        object_type="lock",
        object_id=f"{kind}/{key}",
        ticket=str(ended.id),
        reason=body.reason,
    )
    return ReleasedOut(ticket_id=ended.id, ticket_number=ended.number, ticket_state=ended.state)
