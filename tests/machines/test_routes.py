from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from autorke.core import db
from autorke.core.ids import new_id
from autorke.drivers import ssh
from autorke.machines import conflicts, service
from autorke.machines.models import Machine
from autorke.machines.service import Membership
from autorke.users.models import AuditEntry
from tests.api import V1, Api, counted
from tests.machines.make import HOST_KEY, OTHER_KEY, machine

BUDGETS: dict[str, int] = json.loads((Path(__file__).parents[1] / "query_counts.json").read_text())
URL = f"{V1}/machines"
GOOD = {"hostname": "gpu-north-017", "address": "10.20.3.17", "sn": "J30A1XK", "rack": "B12", "cpu_cores": 96}


def _make(count: int = 1, **fields: Any) -> list[UUID]:
    with db.transaction() as session:
        return [machine(session, **fields).id for _ in range(count)]


def _serve(machine_id: UUID, cluster_id: UUID, name: str) -> None:
    with db.transaction() as session:
        found = service.get(session, machine_id)
        member = Membership(found.id, found.hostname, found.address, ("worker",))
        service.attach(session, members=[member], cluster_id=cluster_id, cluster_name=name, ticket_id=None)


def _problem(answer: Any, status: int, code: str, field: str | None) -> None:
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (status, code, field), answer.text
    assert answer.json()["cause"]["zh"]
    assert answer.json()["cause"]["en"]


def test_a_machine_entered_by_hand_is_read_back(api: Api) -> None:
    admin = api.caller("admin")
    made = admin.post(URL, json=GOOD)
    assert made.status_code == 201, made.text
    shown = admin.get(f"{URL}/{made.json()['id']}").json()
    assert {name: shown[name] for name in GOOD} == GOOD
    assert (shown["state"], shown["internal_address"], shown["reports"], shown["conflicts"]) == (
        "free", "10.20.3.17", [], [],
    )  # fmt: skip


HOSTILE: list[tuple[dict[str, Any], str]] = [
    ({"hostname": "$(reboot)"}, "hostname"),
    ({"hostname": "`id`"}, "hostname"),
    ({"hostname": 'a"b'}, "hostname"),
    ({"hostname": "a\nb"}, "hostname"),
    ({"hostname": "a b"}, "hostname"),
    ({"hostname": "主机"}, "hostname"),
    ({"hostname": "BM-1"}, "hostname"),
    ({"hostname": "a" * 64}, "hostname"),
    ({"hostname": "../etc"}, "hostname"),
    ({"hostname": ""}, "hostname"),
    ({"hostname": 7}, "hostname"),
    ({"hostname": "a\u0000b"}, "hostname"),
    ({"address": "10.0.0"}, "address"),
    ({"address": "010.0.0.1"}, "address"),
    ({"address": "10.0.0.1; reboot"}, "address"),
    ({"address": "fe80::1%eth0"}, "address"),
    ({"address": "0.0.0.0"}, "address"),
    ({"address": "224.0.0.1"}, "address"),
    ({"sn": "x; drop table machine"}, "sn"),
    ({"sn": "None"}, "sn"),
    ({"ssh_user": "root; id"}, "ssh_user"),
    ({"ssh_port": 0}, "ssh_port"),
    ({"ssh_port": "22"}, "ssh_port"),
    ({"ssh_port": True}, "ssh_port"),
    ({"cpu_cores": -1}, "cpu_cores"),
    ({"cpu_cores": 2**31}, "cpu_cores"),
    ({"rack": "a\u202eb"}, "rack"),
    ({"rack": "x" * 256}, "rack"),
    ({"labels": {"a b": "c"}}, "labels.a b.[key]"),
    ({"labels": ["a"]}, "labels"),
    ({"colour": "red"}, "colour"),
    ({"state": "in_cluster"}, "state"),
    ({"credential_id": "not-an-id"}, "credential_id"),
]


def test_hostile_values_are_refused_by_field_and_nothing_is_written(api: Api) -> None:
    admin, wrong = api.caller("admin"), []
    for change, field in HOSTILE:
        answer = admin.post(URL, json={**GOOD, **change})
        if (answer.status_code, answer.json()["field"]) != (422, field):
            wrong.append((change, answer.text))
    assert not wrong
    with db.transaction() as session:
        assert session.scalars(select(Machine)).all() == []


def test_a_body_that_is_no_object_is_refused(api: Api) -> None:
    admin = api.caller("admin")
    for body in ("", "{", "[]", "null", '"text"', "[" * 10_000):
        answer = admin.post(URL, content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422), answer.text


def test_a_serial_or_address_in_use_is_a_conflict(api: Api) -> None:
    admin = api.caller("admin")
    assert admin.post(URL, json=GOOD).status_code == 201
    for change in ({"address": "10.20.3.18"}, {"sn": "OTHER1"}):
        assert admin.post(URL, json={**GOOD, **change}).status_code == 409
    unknown = str(new_id())
    assert (
        admin.post(URL, json={**GOOD, "sn": "N1", "address": "10.9.9.9", "credential_id": unknown}).status_code == 409
    )


def test_list_filters_sorts_and_pages(api: Api) -> None:
    _make(3, rack="B12")
    _make(2, rack="C1")
    viewer = api.caller("viewer")
    first = viewer.get(URL, params={"filter": "rack:eq:B12", "sort": "-address", "limit": 2, "total": True}).json()
    rest = viewer.get(
        URL, params={"filter": "rack:eq:B12", "sort": "-address", "limit": 2, "cursor": first["next"]}
    ).json()
    assert (len(first["items"]), len(rest["items"]), first["total"], rest["next"]) == (2, 1, 3, None)
    for params in ({"filter": "colour:eq:red"}, {"sort": "colour"}, {"cursor": "forged"}, {"limit": 501}):
        assert viewer.get(URL, params=params).status_code == 422


def test_query_budgets(api: Api, engine: Any) -> None:
    (one, *_) = _make(60)
    viewer = api.caller("viewer")
    calls = {
        "machines.list": lambda: viewer.get(URL, params={"limit": 50, "total": True}),
        "machines.get": lambda: viewer.get(f"{URL}/{one}"),
        "machines.find": lambda: viewer.post(f"{URL}/find", json={"keys": [f"bm-{n}" for n in range(200)]}),
    }
    for name, call in calls.items():
        call()
        with counted(engine) as statements:
            assert call().status_code == 200
        assert len(statements) <= BUDGETS[name], (name, statements)


def test_cluster_scope_hides_machines_of_other_clusters(api: Api) -> None:
    mine, theirs = api.cluster("mine"), api.cluster("theirs")
    inside, outside, free = _make(3)
    _serve(inside, mine, "mine")
    _serve(outside, theirs, "theirs")
    viewer = api.caller("viewer", cluster_id=mine)
    seen = {row["id"] for row in viewer.get(URL).json()["items"]}
    assert seen == {str(inside), str(free)}
    assert viewer.get(f"{URL}/{outside}").status_code == 404
    found = viewer.post(f"{URL}/find", json={"keys": ["10.0.0.0/8"]}).json()
    assert {match["machine"]["id"] for match in found["matches"]} == seen
    admin = api.caller("admin", cluster_id=mine)
    assert admin.patch(f"{URL}/{inside}", json={"version": 2, "owner": "db"}).status_code == 200
    assert admin.patch(f"{URL}/{free}", json={"version": 1, "owner": "db"}).status_code == 403
    assert admin.patch(f"{URL}/{outside}", json={"version": 2, "owner": "db"}).status_code == 404


def test_edit_with_a_stale_version_is_refused(api: Api) -> None:
    (one,) = _make()
    admin = api.caller("admin")
    changed = admin.patch(f"{URL}/{one}", json={"version": 1, "rack": "B13"})
    assert (changed.json()["rack"], changed.json()["version"]) == ("B13", 2)
    _problem(admin.patch(f"{URL}/{one}", json={"version": 1, "rack": "B14"}), 409, "stale-machine", "version")
    for body in ({"version": 2, "hostname": ""}, {"version": 2, "sn": None}, {"version": 2, "rack": None}, {}):
        assert admin.patch(f"{URL}/{one}", json=body).status_code == 422


def test_states_by_hand(api: Api) -> None:
    (one,) = _make()
    admin = api.caller("admin")
    assert admin.post(f"{URL}/{one}/state", json={"state": "fault", "reason": "disk"}).json()["state"] == "fault"
    _problem(
        admin.post(f"{URL}/{one}/state", json={"state": "fault", "reason": "again"}), 409, "invalid-transition", "state"
    )
    for body in ({"state": "in_cluster", "reason": "x"}, {"state": "free", "reason": ""}, {"state": "free"}):
        assert admin.post(f"{URL}/{one}/state", json=body).status_code == 422


def test_host_keys_are_pinned_and_replaced_on_the_record(api: Api) -> None:
    (one,) = _make()
    admin = api.caller("admin", name="wei")
    pinned = admin.post(f"{URL}/{one}/host-key", json={"host_key": HOST_KEY + " comment"}).json()
    assert (pinned["host_key"], pinned["host_key_pinned_by"]) == (HOST_KEY, "wei")
    assert pinned["host_key_fingerprint"].startswith("SHA256:")
    other = {"host_key": OTHER_KEY}
    _problem(admin.post(f"{URL}/{one}/host-key", json=other), 409, "host-key-already-pinned", "host_key")
    assert admin.post(f"{URL}/{one}/host-key", json={**other, "replace": True}).json()["host_key"] == OTHER_KEY
    _problem(admin.post(f"{URL}/{one}/host-key", json={"host_key": "ssh-rsa x"}), 422, "bad-host-key", "host_key")
    with db.transaction() as session:
        actions = list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
    assert actions == ["machine.host-key", "machine.host-key"]


def test_a_scan_holds_no_transaction_and_stores_nothing(api: Api, engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = _make()
    seen: list[int] = []

    def scan(address: str, port: int) -> str:
        seen.append(engine.pool.checkedout())
        return OTHER_KEY

    monkeypatch.setattr(ssh, "scan_host_key", scan)
    admin = api.caller("admin")
    shown = admin.post(f"{URL}/{one}/host-key/scan").json()
    assert (shown["host_key"], shown["pinned"], seen) == (OTHER_KEY, False, [0])
    assert admin.get(f"{URL}/{one}").json()["host_key"] == ""
    (behind,) = _make(bastion_machine_id=one)
    answer = admin.post(f"{URL}/{behind}/host-key/scan")
    _problem(answer, 409, "host-key-scan-behind-bastion", "bastion_machine_id")


def _conflicting(client: TestClient) -> UUID:
    (one,) = _make(vendor="acme", memory_mb=1024)
    with db.transaction() as session:
        from autorke.machines.models import MachineReport

        values = {"vendor": "acme", "memory_mb": 1024, "cpu_cores": 8}
        session.add(MachineReport(machine_id=one, origin="cmdb", values=values, hash="x"))
        session.flush()
        conflicts.record_facts(session, one, {"vendor": "other", "memory_mb": 1000, "cpu_cores": 16})
    return one


def test_conflicts_are_shown_and_settled_by_a_person(api: Api) -> None:
    admin = api.caller("admin", name="wei")
    one = _conflicting(admin)
    shown = admin.get(f"{URL}/{one}").json()
    assert [item["field"] for item in shown["conflicts"]] == ["cpu_cores", "vendor"], "memory is within 10 %"
    assert shown["conflict_count"] == 2
    settled = admin.post(f"{URL}/{one}/conflicts/vendor/resolution", json={"accept": "machine"}).json()
    assert (settled["vendor"], settled["conflict_count"], settled["kept_fields"]) == ("other", 1, ["vendor"])
    settled = admin.post(f"{URL}/{one}/conflicts/cpu_cores/resolution", json={"accept": "cmdb"}).json()
    assert (settled["cpu_cores"], settled["conflict_count"]) == (8, 0)
    with db.transaction() as session:
        conflicts.refresh(session, [one])
        assert service.get(session, one).conflict_count == 0, "settled is settled while nobody says anything else"
        conflicts.record_facts(session, one, {"vendor": "third"})
        assert service.get(session, one).conflict_count == 1
    for field, body, status in (("cpu_cores", {"accept": "cmdb"}, 404), ("nope", {"accept": "cmdb"}, 404)):
        assert admin.post(f"{URL}/{one}/conflicts/{field}/resolution", json=body).status_code == status
    assert admin.post(f"{URL}/{one}/conflicts/vendor/resolution", json={"accept": "me"}).status_code == 422
