"""Locks over the API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from autorke.core.errors import NotFound
from autorke.core.schemas import Page
from autorke.overview import locks
from autorke.overview.lock_schemas import LockOut, ReleasedOut, ReleaseIn, shown
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
