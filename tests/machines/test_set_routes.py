"""Figures and selections over the machine list: what a person sees of 100,000 machines without loading them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from autorke.core import db
from autorke.core.ids import new_id
from autorke.machines import selection, service
from autorke.machines.models import Machine
from autorke.machines.service import Membership
from tests.api import V1, Api, counted
from tests.machines.make import machine

BUDGETS: dict[str, int] = json.loads((Path(__file__).parents[1] / "query_counts.json").read_text())
URL = f"{V1}/machines"


def make(count: int = 1, **fields: Any) -> list[UUID]:
    with db.transaction() as session:
        return [machine(session, **fields).id for _ in range(count)]


def serve(cluster_id: UUID, name: str, *ids: UUID, roles: tuple[str, ...] = ("worker",)) -> None:
    with db.transaction() as session:
        found = service.get_many(session, ids)
        members = [Membership(one.id, one.hostname, one.address, roles, 3, 1) for one in found]
        service.attach(session, members=members, cluster_id=cluster_id, cluster_name=name, ticket_id=None)


def touch(machine_id: UUID, **fields: Any) -> None:
    with db.transaction() as session:
        found = session.get_one(Machine, machine_id)
        for name, value in fields.items():
            setattr(found, name, value)


def facets(answer: Any) -> dict[str, dict[str, int]]:
    assert answer.status_code == 200, answer.text
    found = answer.json()["facets"]
    return {name: {one["value"]: one["count"] for one in facet["values"]} for name, facet in found.items()}


def test_the_summary_counts_every_matching_machine_once(api: Api) -> None:
    north = api.cluster()
    inside = make(2, rack="B1", vendor="dell")
    serve(north, "north", *inside)
    (conflicting, _, gone) = make(3, rack="B2", vendor="hpe")
    touch(conflicting, conflict_count=2)
    with db.transaction() as session:
        touch(gone, cmdb_vanished_at=db.db_now(session))
    viewer = api.caller("viewer")
    whole = viewer.get(f"{URL}/summary").json()
    assert whole == {
        "total": 5, "states": {"in_cluster": 2, "free": 3}, "conflicts": 1, "vanished": 1, "facets": {},
    }  # fmt: skip
    narrowed = viewer.get(f"{URL}/summary", params={"filter": ["rack:eq:B2", "state:eq:free"]}).json()
    assert (narrowed["total"], narrowed["states"]) == (3, {"free": 3})
    nothing = viewer.get(f"{URL}/summary", params={"filter": "rack:eq:none", "facet": "rack,vendor"}).json()
    assert nothing["total"] == 0
    assert nothing["facets"]["vendor"] == {"distinct": 0, "values": []}
    assert nothing["facets"]["rack"]["distinct"] == 2


def test_a_facet_ignores_its_own_filter_and_no_other(api: Api) -> None:
    make(3, rack="B1", vendor="dell", cpu_cores=64)
    make(2, rack="B2", vendor="dell", cpu_cores=32)
    make(1, rack="B2", vendor="hpe", cpu_cores=32)
    viewer = api.caller("viewer")
    asked = {"facet": "rack,vendor,cpu_cores,state"}
    assert facets(viewer.get(f"{URL}/summary", params=asked)) == {
        "rack": {"B1": 3, "B2": 3},
        "vendor": {"dell": 5, "hpe": 1},
        "cpu_cores": {"64": 3, "32": 3},
        "state": {"free": 6},
    }
    narrowed = viewer.get(f"{URL}/summary", params={**asked, "filter": ["rack:in:B2", "vendor:eq:dell"]})
    assert facets(narrowed) == {
        "rack": {"B1": 3, "B2": 2},
        "vendor": {"dell": 2, "hpe": 1},
        "cpu_cores": {"32": 2},
        "state": {"free": 2},
    }
    assert narrowed.json()["total"] == 2
    by_address = viewer.get(f"{URL}/summary", params={**asked, "filter": "address:within:10.0.0.0/8"})
    assert facets(by_address)["vendor"] == {"dell": 5, "hpe": 1}


def test_a_facet_shows_the_most_frequent_values_and_says_how_many_there_are(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autorke.machines.summary.MAX_VALUES", 2)
    for rack, count in (("R1", 1), ("R2", 3), ("R3", 2), ("R4", 1)):
        make(count, rack=rack)
    answer = api.caller("viewer").get(f"{URL}/summary", params={"facet": "rack"})
    assert answer.json()["facets"]["rack"]["distinct"] == 4
    assert list(facets(answer)["rack"].items()) == [("R2", 3), ("R3", 2)]


@pytest.mark.parametrize("facet", ["hostname", "colour", "", "rack,,vendor", ",".join(["rack"] * 13)])
def test_what_cannot_be_counted_is_refused(api: Api, facet: str) -> None:
    answer = api.caller("viewer").get(f"{URL}/summary", params={"facet": facet})
    if facet == "":
        assert answer.json()["facets"] == {}
    else:
        assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "bad-facet", "facet")


def test_figures_and_selections_keep_to_the_callers_clusters(api: Api) -> None:
    mine, theirs = api.cluster("mine"), api.cluster("theirs")
    inside, outside, free = make(3, rack="B1")
    serve(mine, "mine", inside)
    serve(theirs, "theirs", outside)
    viewer = api.caller("viewer", cluster_id=mine)
    summary = viewer.get(f"{URL}/summary", params={"facet": "cluster_name"})
    assert summary.json()["total"] == 2
    assert facets(summary)["cluster_name"] == {"": 1, "mine": 1}
    everything = viewer.post(f"{URL}/selection", json={}).json()
    assert set(everything["ids"]) == {str(inside), str(free)}
    named = viewer.post(f"{URL}/selection", json={"ids": [str(outside), str(free)]}).json()
    assert (named["count"], named["ids"]) == (1, [str(free)])


def test_a_selection_is_ids_or_a_filter_less_some(api: Api) -> None:
    one, two, three = (make(1, hostname=name, rack="B1")[0] for name in ("c", "a", "b"))
    make(1, hostname="d", rack="B2")
    viewer = api.caller("viewer")

    def chosen(**body: Any) -> list[str]:
        answer = viewer.post(f"{URL}/selection", json=body)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["count"], found["truncated"], found["values"]) == (len(found["ids"]), False, None)
        ids: list[str] = found["ids"]
        return ids

    assert chosen(filter=["rack:eq:B1"]) == [str(two), str(three), str(one)], "by host name"
    assert chosen(filter=["rack:eq:B1"], exclude_ids=[str(three)]) == [str(two), str(one)]
    assert chosen(ids=[str(one), str(three), str(new_id())]) == [str(three), str(one)]
    assert chosen(ids=[str(one)], exclude_ids=[str(one)]) == []
    assert chosen(ids=[]) == []
    assert chosen(ids=[str(one)], filter=["rack:eq:B2"]) == []


def test_a_column_of_the_selection_comes_in_its_order(api: Api) -> None:
    make(1, hostname="b", address="10.9.0.10", labels={"pool": "blue"}, cpu_cores=8)
    make(1, hostname="a", address="10.9.0.9")
    viewer = api.caller("viewer")

    def copied(column: str) -> list[str]:
        values: list[str] = viewer.post(f"{URL}/selection", json={"column": column}).json()["values"]
        return values

    assert copied("address") == ["10.9.0.9", "10.9.0.10"]
    assert copied("cpu_cores") == ["0", "8"]
    assert copied("labels") == ["", '{"pool": "blue"}']
    assert copied("ticket_number") == ["", ""]
    for column in ("host_key", "colour", "id; drop table machine"):
        answer = viewer.post(f"{URL}/selection", json={"column": column})
        assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "no-such-column", "column")


def test_a_large_selection_is_counted_and_cut(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "MAX_IDS", 3)
    make(5)
    found = api.caller("viewer").post(f"{URL}/selection", json={"column": "sn"}).json()
    assert (found["count"], len(found["ids"]), len(found["values"]), found["truncated"]) == (5, 3, 3, True)


def test_selections_refuse_what_they_cannot_mean(api: Api) -> None:
    viewer = api.caller("viewer")
    for body, field in (
        ({"filter": ["colour:eq:red"]}, "filter"),
        ({"ids": ["x"]}, "ids.0"),
        ({"ids": [str(new_id())] * 5_001}, "ids"),
        ({"surprise": 1}, "surprise"),
    ):
        answer = viewer.post(f"{URL}/selection", json=body)
        assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text


def test_query_budgets(api: Api, engine: Any) -> None:
    make(30, rack="B1")
    viewer = api.caller("viewer")
    everything = {"facet": "rack,vendor,state,os_family,cluster_name", "filter": ["rack:eq:B1", "state:eq:free"]}
    calls = {
        "machines.summary": lambda: viewer.get(f"{URL}/summary", params=everything),
        "machines.selection": lambda: viewer.post(f"{URL}/selection", json={"column": "address"}),
    }
    for name, call in calls.items():
        call()
        with counted(engine) as statements:
            assert call().status_code == 200
        assert len(statements) <= BUDGETS[name], (name, statements)
