"""The node × step matrix: the same results as the full list without its weight, then only what changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from autorke.core import events
from autorke.core.db import transaction
from autorke.tickets import follow, matrix, service
from autorke.workflow import commands
from autorke.workflow.models import Ticket
from tests.api import V1, Api, counted
from tests.workflow.conftest import USER, Desk
from tests.workflow.toy import World, fail

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def partial(desk: Desk, world: World) -> UUID:
    """A ticket of three nodes whose second one failed."""
    world.behave["change:b"] = fail
    ticket = desk.submit(batches={"canary": 0, "budget": 5})
    desk.until(ticket, "change", "PARTIAL")
    return ticket


def table(ticket_id: UUID) -> dict[str, Any]:
    with transaction() as session:
        return matrix.matrix(session, session.get_one(Ticket, ticket_id))


def test_the_matrix_says_what_the_full_list_says_but_its_evidence(partial: UUID) -> None:
    with transaction() as session:
        full = service.nodes(session, session.get_one(Ticket, partial))
    rows = {row["node_id"]: row for row in table(partial)["nodes"]}
    assert list(rows) == ["a", "b", "c"]
    for row in full:
        for one, other in zip(row["results"], rows.get(row["node_id"], {}).get("results", []), strict=False):
            assert {key: one[key] for key in other} == other
            assert "evidence" not in other
    assert [cell["state"] for cell in rows["b"]["results"] if cell["step"] == "change"] == ["FAILED"]


def test_a_node_that_was_left_out_says_why(desk: Desk, partial: UUID) -> None:
    with transaction() as session:
        commands.exclude(session, partial, ["b"], USER, "broken disk")
    (row,) = [row for row in table(partial)["nodes"] if row["node_id"] == "b"]
    assert row["excluded_at"] is not None
    assert row["excluded_reason"] == "broken disk"


def test_changes_are_those_since_a_moment_and_none_comes_twice(partial: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "MOST_CHANGES", 2)
    seen: list[tuple[str, str]] = []
    since = LONG_AGO
    with transaction() as session:
        while rows := matrix.changes(session, partial, since):
            assert len(rows) <= 2
            seen += [(row["step"], row["node_id"]) for row in rows]
            since = rows[-1]["changed_at"]
    assert sorted(set(seen)) == sorted(seen)
    assert {("change", "a"), ("change", "b"), ("change", "c")} <= set(seen)


def test_the_stream_sends_changed_nodes_and_resumes_behind_them(partial: UUID) -> None:
    at = follow.Cursor.parse(f"0;;{LONG_AGO.isoformat()}")
    with transaction() as session:
        ticket = session.get_one(Ticket, partial)
        ((cursor, name, data),) = follow.nodes(session, ticket, at)
        assert name == "nodes"
        assert {cell["node_id"] for cell in data["results"]} >= {"a", "b", "c"}
        again = follow.Cursor.parse(cursor)
        assert str(again) == cursor
        assert follow.nodes(session, ticket, again) == []


@pytest.mark.parametrize("text", ["1;;yesterday", "1;;2026-01-01T00:00:00", "1;x=y", "x"])
def test_a_cursor_that_cannot_be_read_means_from_the_beginning(text: str) -> None:
    assert str(follow.Cursor.parse(text)) == "0;"


def test_who_looks_is_woken_by_a_node_result(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[tuple[str, str]] = []
    monkeypatch.setattr(events, "publish", lambda channel, payload: woken.append((channel, payload)))
    ticket = desk.submit(nodes=["a"])
    desk.until(ticket, "change", "WAIT_POST_GATE")
    assert woken.count((f"ticket:{ticket}", "nodes")) >= 2


def test_one_node_comes_with_its_evidence(api: Api, partial: UUID, engine: Any) -> None:
    admin = api.caller("admin")
    path = f"{V1}/tickets/{partial}"
    node = admin.get(f"{path}/nodes/a").json()
    assert [one["evidence"] for one in node["results"] if one["step"] == "change"] == [{"node": "a"}]
    assert admin.get(f"{path}/nodes/nobody").status_code == 404
    with counted(engine) as seen:
        assert len(admin.get(f"{path}/matrix").json()["nodes"]) == 3
    assert len(seen) <= 6
