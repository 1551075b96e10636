"""Changes are noticed by their table and told after the commit, in one message; what is rolled back is not told."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from autorke.core import events, hints
from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.flows import wiring
from autorke.machines.models import Machine
from autorke.users.models import UserSession
from autorke.workflow.models import EngineSwitch
from tests.machines.make import machine

CLUSTER = UUID(int=5)


@pytest.fixture
def sent(configured_db: object, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Messages for pages, as they leave."""
    wiring.wire()
    found: list[Any] = []

    def note(channel: str, payload: str) -> None:
        if channel == hints.CHANNEL:
            found.append(json.loads(payload))

    monkeypatch.setattr(events, "publish", note)
    return found


def _is(topic: str, *ids: object, scope: UUID | None = None) -> dict[str, Any]:
    return {"topic": topic, "scope": str(scope) if scope else None, "ids": sorted(map(str, ids))}


def test_objects_and_statements_are_noticed(sent: list[Any]) -> None:
    with transaction() as session:
        made = machine(session).id
    assert sent.pop() == [_is("machines", made)]
    with transaction() as session:
        session.get_one(Machine, made).rack = "B12"
    assert sent.pop() == [_is("machines", made)]
    for statement in (update(Machine).values(rack="C1"), delete(Machine)):
        with transaction() as session:
            session.execute(statement)
        assert sent.pop() == [_is("machines")]
    with transaction() as session:
        session.execute(insert(EngineSwitch).values(name="engine", halted=True, reason="x"))
    assert sent.pop() == [_is("engine")]
    assert sent == []


def test_of_some_tables_only_it_matters_that_rows_go(sent: list[Any]) -> None:
    """A session that is used is written to each minute; what a page must hear of is that it ends."""
    with transaction() as session:
        session.execute(update(UserSession).values(user_agent="x"))
    assert sent == []
    with transaction() as session:
        session.execute(delete(UserSession))
    assert sent == [[_is("people")]]


def test_reading_is_no_change(sent: list[Any]) -> None:
    with transaction() as session:
        session.scalars(select(Machine)).all()
    assert sent == []


def test_one_transaction_is_one_message(sent: list[Any]) -> None:
    ticket = new_id()
    with transaction() as session:
        made = [machine(session).id for _ in range(3)]
        hints.hint(session, "tickets", scope=CLUSTER, ids=[ticket])
        hints.hint(session, "tickets", scope=CLUSTER, ids=[ticket])
        hints.hint(session, "tickets")
        assert sent == [], "nothing leaves before the commit"
    assert sent == [[_is("machines", *made), _is("tickets", ticket, scope=CLUSTER), _is("tickets")]]


def test_what_is_rolled_back_is_not_told(sent: list[Any]) -> None:
    session = Session(bind=_bind())
    machine(session)
    session.rollback()
    hints.hint(session, "inbox")
    session.commit()
    session.close()
    assert sent == [[_is("inbox")]]


def _bind() -> Any:
    with transaction() as session:
        return session.get_bind()


def test_many_changes_are_told_as_anything(sent: list[Any]) -> None:
    with transaction() as session:
        hints.hint(session, "tickets", ids=[new_id() for _ in range(hints.MOST_IDS + 1)])
    assert sent == [[_is("tickets")]]
