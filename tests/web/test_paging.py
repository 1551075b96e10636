"""Pages, sorting and filters, on the audit log (a table with nulls, times, ids and texts)."""

from __future__ import annotations

import base64
import itertools
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, select
from sqlalchemy import text as sql
from sqlalchemy.orm import Session

from autorke.core.errors import AutoRkeError
from autorke.users.admin_routes import AUDIT_COLUMNS, USER_COLUMNS
from autorke.users.models import AuditEntry, User
from autorke.users.service import listing
from autorke.web.errors import BadCursor, BadFilter, BadSort
from autorke.web.paging import PageQuery, Slice, page
from tests.api import V1, Api, counted

START = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE = (UUID(int=1), UUID(int=2))


@pytest.fixture
def entries(session: Session, secret_key: str) -> list[AuditEntry]:
    """24 rows with repeating and missing values, so that ties and nulls cross the page borders."""
    rows = [
        AuditEntry(
            at=START + timedelta(hours=number // 4),
            actor_id=PEOPLE[number % 2] if number % 3 else None,
            actor_name=["Wei", "li", "100%", "a_b"][number % 4],
            method="token",
            action=f"action{number:02d}",
            object_type="user",
            object_id=str(number),
            detail={},
            ip=None if number % 5 == 0 else f"192.0.2.{number % 3}",
        )
        for number in range(24)
    ]
    session.add_all(rows)
    session.flush()
    return rows


def _page(session: Session, **query: object) -> Slice:
    return page(
        session, select(AuditEntry), AUDIT_COLUMNS, PageQuery(**query), key=AuditEntry.id, default_sort="-at"  # type: ignore[arg-type]
    )  # fmt: skip


def _walk(session: Session, *, limit: int, **query: object) -> list[UUID]:
    """Ids of all pages, one after the other."""
    seen: list[UUID] = []
    cursor: str | None = None
    for _ in range(100):
        found = _page(session, limit=limit, cursor=cursor, **query)
        assert len(found.items) <= limit
        seen.extend(row.id for row in found.items)
        cursor = found.next
        if cursor is None:
            return seen
    raise AssertionError("the pages never end")


@pytest.mark.parametrize("limit", [1, 5, 23, 24, 25])
@pytest.mark.parametrize("sort", ["at", "-at", "ip", "-ip", "ip,-at", "-actor_id,ip,action", "actor_name,-action"])
def test_pages_together_are_the_whole_list_in_order(
    session: Session, entries: list[AuditEntry], sort: str, limit: int
) -> None:
    whole = [row.id for row in _page(session, limit=500, sort=sort).items]
    assert len(whole) == len(entries)
    assert _walk(session, limit=limit, sort=sort) == whole


@pytest.mark.parametrize("sort", ["ip", "-ip"])
def test_rows_without_a_value_come_last_in_both_directions(
    session: Session, entries: list[AuditEntry], sort: str
) -> None:
    values = [row.ip for row in _page(session, limit=500, sort=sort).items]
    filled = list(itertools.takewhile(lambda value: value is not None, values))
    assert filled == sorted(filled, reverse=sort.startswith("-"))
    assert set(values[len(filled) :]) == {None}


def test_a_row_added_or_removed_between_pages_shifts_nothing(session: Session, entries: list[AuditEntry]) -> None:
    session.execute(sql("alter table audit_entry disable trigger audit_entry_append_only"))  # as in lists that shrink
    first = _page(session, limit=10, sort="action")
    session.delete(first.items[0])
    session.flush()
    second = _page(session, limit=10, sort="action", cursor=first.next)
    assert [row.action for row in second.items] == [f"action{number}" for number in range(10, 20)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("actor_name:eq:li", 6),
        ("actor_name:ne:li", 18),
        ("ip:ne:192.0.2.1", 17),
        ("actor_name:in:li,Wei", 12),
        ("actor_name:contains:E", 6),
        ("actor_name:contains:%", 6),
        ("actor_name:contains:_", 6),
        ("actor_name:prefix:W", 6),
        ("actor_name:eq:$(reboot)", 0),
        ("actor_name:eq:a:b", 0),
        ("ip:null:true", 5),
        ("ip:null:false", 19),
        ("at:lt:2026-01-01T01:00:00Z", 4),
        ("at:ge:2026-01-01T01:00:00+00:00", 20),
        ("at:gt:2026-01-01T01:00:00Z", 16),
        ("at:le:2026-01-01T01:00:00Z", 8),
        (f"actor_id:eq:{PEOPLE[0]}", 8),
        (f"actor_id:in:{PEOPLE[0]},{PEOPLE[1]}", 16),
    ],
)
def test_operators(session: Session, entries: list[AuditEntry], text: str, expected: int) -> None:
    found = _page(session, limit=500, filters=(text,), total=True)
    assert (len(found.items), found.total) == (expected, expected)


def test_filters_all_have_to_match(session: Session, entries: list[AuditEntry]) -> None:
    found = _page(session, limit=500, filters=("actor_name:eq:li", "ip:null:false", "at:lt:2026-01-01T02:00:00Z"))
    assert [row.action for row in found.items] == ["action01"]


def test_a_cursor_works_with_its_filters(session: Session, entries: list[AuditEntry]) -> None:
    assert len(_walk(session, limit=2, filters=("actor_name:eq:li",), sort="-ip")) == 6


@pytest.mark.parametrize(
    "text",
    [
        "nothing:eq:1",
        "actor_name",
        "actor_name:eq",
        "actor_name:like:x",
        "actor_id:eq:abc",
        "actor_id:gt:abc",
        "at:lt:yesterday",
        "at:lt:2026-01-01T00:00:00",
        "ip:null:maybe",
        ":",
        "",
        "actor_id:in:" + ",".join(["x"] * 501),
    ],
)
def test_a_bad_filter_names_the_columns(session: Session, secret_key: str, text: str) -> None:
    with pytest.raises(BadFilter) as caught:
        _page(session, filters=(text,))
    assert "actor_name" in caught.value.hint.en
    assert caught.value.field == "filter"


def test_too_many_filters(session: Session, secret_key: str) -> None:
    with pytest.raises(BadFilter):
        _page(session, filters=("ip:null:true",) * 33)


@pytest.mark.parametrize("sort", ["nothing", "-", ",", "at,", "--at", "at desc"])
def test_a_bad_sort_names_the_columns(session: Session, secret_key: str, sort: str) -> None:
    with pytest.raises(BadSort) as caught:
        _page(session, sort=sort)
    assert "actor_name" in caught.value.hint.en


def test_a_cursor_is_opaque_signed_and_tied_to_its_order(session: Session, entries: list[AuditEntry]) -> None:
    cursor = _page(session, limit=5, sort="ip").next
    assert cursor is not None
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=="))
    raw[-3] ^= 1
    forged = base64.urlsafe_b64encode(raw).decode()
    for bad, sort in ((forged, "ip"), (cursor, "-ip"), (cursor, "at"), ("", "ip"), ("???", "ip"), ("ä", "ip")):
        with pytest.raises(BadCursor):
            _page(session, limit=5, sort=sort, cursor=bad)


def test_a_page_costs_one_statement_and_the_total_one_more(
    session: Session, engine: Engine, entries: list[AuditEntry]
) -> None:
    with counted(engine) as statements:
        _page(session, limit=5)
    assert len(statements) == 1
    with counted(engine) as statements:
        _page(session, limit=5, total=True)
    assert len(statements) == 2


def test_an_index_serves_the_next_page_of_the_audit_log(
    session: Session, engine: Engine, entries: list[AuditEntry]
) -> None:
    first = _page(session, limit=5, sort="-at")
    with counted(engine) as statements:
        _page(session, limit=5, sort="-at", cursor=first.next)
    [statement] = statements
    assert "(audit_entry.at, audit_entry.id) <" in statement
    assert "NULLS" not in statement


def test_a_list_with_its_relations_costs_three_statements_over_http(api: Api, engine: Engine) -> None:
    """Caller, page, roles of the page's users (design: at most three, and one more for the total)."""
    admin = api.caller("admin")
    for number in range(10):
        api.user(f"wei{number}", "viewer", "requester")
    admin.get(f"{V1}/users")
    with counted(engine) as statements:
        answer = admin.get(f"{V1}/users?limit=5&sort=-name&filter=name:prefix:WEI")
    assert [user["name"] for user in answer.json()["items"]] == [f"wei{number}" for number in (9, 8, 7, 6, 5)]
    assert len(answer.json()["items"][0]["bindings"]) == 2
    assert len(statements) == 3


def test_the_http_parameters_are_bounded(api: Api) -> None:
    admin = api.caller("admin")
    for query in ("limit=0", "limit=501", "limit=x", "cursor=" + "a" * 4001, "total=perhaps", "sort=" + "a" * 201):
        answer = admin.get(f"{V1}/users?{query}")
        assert (answer.status_code, answer.json()["field"]) == (422, query.split("=")[0])


def test_every_declared_column_can_be_sorted_and_filtered(session: Session, secret_key: str) -> None:
    for name in USER_COLUMNS:
        page(session, listing(), USER_COLUMNS, PageQuery(sort=f"-{name}"), key=User.id, default_sort="name")
        for operator in USER_COLUMNS[name].allowed():
            value = {"null": "true"}.get(
                operator, {bool: "true", datetime: "2026-01-01T00:00Z"}.get(USER_COLUMNS[name].kind, "x")
            )
            filters = (f"{name}:{operator}:{value}",)
            try:
                page(session, listing(), USER_COLUMNS, PageQuery(filters=filters), key=User.id, default_sort="name")
            except AutoRkeError as error:
                raise AssertionError(filters) from error
