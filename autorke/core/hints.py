"""Hints for open pages: what kind of thing changed, so that they read it again. Never the change itself.

Slices do not call this. Changes that go through a session are noticed by their table (`watch` says which table means
what to a page), and one message leaves after the commit. Whoever knows more, as the engine knows ticket and cluster,
says it with `hint`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any
from uuid import UUID

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session

from autorke.core import events
from autorke.core.db import after_commit

CHANNEL = "pages"
MOST_IDS = 50
"""More changed at once: a page reads everything of the topic again."""

_topics: dict[str, tuple[str, ...]] = {}


def watch(tables: Mapping[str, tuple[str, ...]]) -> None:
    """Say which topics a table belongs to; `table:delete` means only that rows of it go. Called once by each process,
    see `flows.wiring`."""
    _topics.clear()
    _topics.update(tables)


class _Pending:
    """What one transaction has to tell; sent as one message when it is committed."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str | None], set[str] | None] = {}

    def add(self, topic: str, scope: str | None, ids: Iterable[str]) -> None:
        """No ids: any object of the topic may have changed."""
        known, new = self.found.get((topic, scope), set()), set(ids)
        self.found[topic, scope] = known | new if known is not None and new else None

    def __call__(self) -> None:
        told = [
            {"topic": topic, "scope": scope, "ids": sorted(ids) if ids and len(ids) <= MOST_IDS else []}
            for (topic, scope), ids in self.found.items()
        ]
        events.publish(CHANNEL, json.dumps(told))


def hint(session: Session, topic: str, *, scope: UUID | None = None, ids: Iterable[Any] = ()) -> None:
    """Tell pages after the commit. `scope` is the cluster whose people are meant; None = everybody."""
    waiting = session.info.get("after_commit", ())
    pending = next((action for action in waiting if isinstance(action, _Pending)), None)
    if pending is None:
        pending = _Pending()
        after_commit(session, pending)
    pending.add(topic, str(scope) if scope else None, map(str, ids))


@event.listens_for(Session, "after_flush")
def _note_objects(session: Session, _context: Any) -> None:
    for row in chain(session.new, session.dirty, session.deleted):
        for topic in _of(row.__table__.name, deleted=row in session.deleted):
            hint(session, topic, ids=[row.id] if hasattr(row, "id") else [])


def _of(table: str, *, deleted: bool) -> tuple[str, ...]:
    return _topics.get(table, ()) + (_topics.get(f"{table}:delete", ()) if deleted else ())


@event.listens_for(Session, "do_orm_execute")
def _note_statements(state: ORMExecuteState) -> None:
    if not (state.is_update or state.is_insert or state.is_delete) or state.bind_mapper is None:
        return
    for topic in _of(getattr(state.bind_mapper.local_table, "name", ""), deleted=state.is_delete):
        hint(state.session, topic)
