"""Saved views over the API."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from autorke.users.deps import CurrentActor
from autorke.views import service
from autorke.views.schemas import PAGE_PATTERN, ViewIn, ViewOut, ViewPatch
from autorke.web.deps import SessionDep

router = APIRouter(prefix="/views", tags=["views"])


def _shown(owned: service.Owned) -> ViewOut:
    view, owner = owned
    values = {name: getattr(view, name) for name in ViewOut.model_fields if name != "owner_name"}
    return ViewOut(**values, owner_name=owner)


@router.get("", response_model=list[ViewOut])
def list_views(
    actor: CurrentActor,
    session: SessionDep,
    page: Annotated[str, Query(pattern=PAGE_PATTERN, examples=["machines"], description="Of which page")],
) -> list[ViewOut]:
    """One's own views of a page, then those that others share."""
    return [_shown(owned) for owned in service.listing(session, actor, page=page)]


@router.post("", response_model=ViewOut, status_code=201)
def create_view(body: ViewIn, actor: CurrentActor, session: SessionDep) -> ViewOut:
    """Keep a view under a name of one's own."""
    return _shown(service.create(session, actor, **body.model_dump()))


@router.patch("/{view_id}", response_model=ViewOut)
def update_view(view_id: UUID, body: ViewPatch, actor: CurrentActor, session: SessionDep) -> ViewOut:
    """Change one's view."""
    return _shown(service.update(session, actor, view_id, changes=body.changes()))


@router.delete("/{view_id}", status_code=204)
def delete_view(view_id: UUID, actor: CurrentActor, session: SessionDep) -> None:
    """Drop one's view, also for those who use it."""
    service.delete(session, actor, view_id)
