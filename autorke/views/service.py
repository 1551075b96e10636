"""Saved views: one's own and shared ones are seen, one's own are changed. Nobody commits here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from autorke.core.errors import NotFound
from autorke.users import audit
from autorke.users.access import Actor
from autorke.users.models import User
from autorke.views.errors import NotTheOwner, TooManyViews, ViewExists, ViewTooLarge
from autorke.views.models import SavedView

MAX_BYTES = 16_384
MAX_OWN = 100
MAX_SHOWN = 1_000
Owned = tuple[SavedView, str]
"""A view and the name of its owner."""


def listing(session: Session, actor: Actor, *, page: str) -> list[Owned]:
    """The actor's own views of a page by name, then those that others share."""
    mine = SavedView.owner_id == actor.user_id
    query = (
        select(SavedView, User.display_name)
        .join(User, User.id == SavedView.owner_id)
        .where(SavedView.page == page, or_(mine, SavedView.shared))
        .order_by(mine.desc(), SavedView.name, SavedView.id)
        .limit(MAX_SHOWN)
    )
    return [(view, name) for view, name in session.execute(query)]


def create(session: Session, actor: Actor, *, page: str, name: str, shared: bool, state: Mapping[str, Any]) -> Owned:
    """Keep a view. Raises ViewExists, TooManyViews, ViewTooLarge."""
    own = select(func.count()).where(SavedView.owner_id == actor.user_id, SavedView.page == page)
    if session.execute(own).scalar_one() >= MAX_OWN:
        raise TooManyViews(limit=MAX_OWN)
    _refuse_taken(session, actor, page, name)
    view = SavedView(owner_id=actor.user_id, page=page, name=name, shared=shared, state=_checked(state))
    session.add(view)
    session.flush()
    session.refresh(view)
    _record(session, actor, "create", view)
    return _owned(session, view)


def update(session: Session, actor: Actor, view_id: UUID, *, changes: Mapping[str, Any]) -> Owned:
    """Change the given fields. Raises NotFound, NotTheOwner, ViewExists, ViewTooLarge."""
    view = _own(session, actor, view_id)
    if changes.get("name", view.name) != view.name:
        _refuse_taken(session, actor, view.page, changes["name"])
    for field, value in changes.items():
        setattr(view, field, _checked(value) if field == "state" else value)
    session.flush()
    session.refresh(view)
    _record(session, actor, "update", view, fields=sorted(changes))
    return _owned(session, view)


def delete(session: Session, actor: Actor, view_id: UUID) -> None:
    """Raises NotFound, NotTheOwner."""
    view = _own(session, actor, view_id)
    _record(session, actor, "delete", view)
    session.delete(view)


def _own(session: Session, actor: Actor, view_id: UUID) -> SavedView:
    view = session.get(SavedView, view_id)
    if view is None or (view.owner_id != actor.user_id and not view.shared):
        raise NotFound(field="view_id", what="view", key=view_id)
    if view.owner_id != actor.user_id:
        raise NotTheOwner(field="view_id", name=view.name, owner=_owned(session, view)[1])
    return view


def _owned(session: Session, view: SavedView) -> Owned:
    return view, session.get_one(User, view.owner_id).display_name


def _refuse_taken(session: Session, actor: Actor, page: str, name: str) -> None:
    taken = select(SavedView.id).where(
        SavedView.owner_id == actor.user_id, SavedView.page == page, SavedView.name == name
    )
    if session.execute(taken).first() is not None:
        raise ViewExists(field="name", name=name)


def _checked(state: Mapping[str, Any]) -> dict[str, Any]:
    size = len(json.dumps(state, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_BYTES:
        raise ViewTooLarge(field="state", size=size, limit=MAX_BYTES)
    return dict(state)


def _record(session: Session, actor: Actor, action: str, view: SavedView, **detail: Any) -> None:
    audit.record(
        session,
        actor,
        action=f"view.{action}",
        object_type="view",
        object_id=view.id,
        page=view.page,
        name=view.name,
        shared=view.shared,
        **detail,
    )
