"""What is stuck, over the api."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter

from autorke.stuck import repair, service
from autorke.stuck.schemas import RepairIn, StuckListOut, StuckOut
from autorke.users.access import Actor
from autorke.users.deps import allowed
from autorke.web.deps import SessionDep

router = APIRouter(prefix="/stuck", tags=["stuck"])
Reader = Annotated[Actor, allowed("ticket:read")]


@router.get("", response_model=StuckListOut)
def list_stuck(actor: Reader, session: SessionDep) -> dict[str, Any]:
    """What stands still now, by named causes: since when, which tickets, and what may be done about it."""
    return service.listing(session, actor)


@router.post("/{stuck_id}/repair", response_model=StuckOut)
def repair_stuck(stuck_id: UUID, body: RepairIn, actor: Reader, session: SessionDep) -> dict[str, Any]:
    """Ask for the repair of a cause; each takes its own permission. Nothing that may have had an effect is run again.

    It disappears from the list when a look, a few seconds later, finds its cause gone.
    """
    return service.shown(session, actor, repair.ask(session, actor, stuck_id, body.reason))
