"""Locks over the API: what is held and awaited, for whom, and who may take one away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi.testclient import TestClient
from sqlalchemy import select

from autorke.core import db
from autorke.users.models import AuditEntry
from autorke.workflow.models import LockRequest, ResourceLock
from tests.api import V1, Api, counted
from tests.machines.test_set_routes import make
from tests.overview.test_machine_story import of_cluster
from tests.workflow.conftest import Desk
from tests.workflow.test_lock_release import outlive

BUDGETS: dict[str, int] = json.loads((Path(__file__).parents[1] / "query_counts.json").read_text())
URL = f"{V1}/locks"
REASON = {"reason": "restored from a backup"}


def listed(client: TestClient, **params: Any) -> list[dict[str, Any]]:
    answer = client.get(URL, params=params)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_every_lock_names_its_ticket_and_who_waits(api: Api, desk: Desk) -> None:
    north = api.cluster("north")
    (machine,) = make(1, hostname="gpu-1")
    holder = desk.submit(nodes=[str(machine)], locks=[str(north), "k1"])
    first, second = (desk.submit(nodes=[str(machine)]) for _ in range(2))
    viewer = api.caller("viewer")
    rows = listed(viewer, sort="kind,key")
    assert [(row["kind"], row["name"]) for row in rows] == [
        *sorted([("cluster", "north"), ("cluster", "k1")], key=lambda pair: str(north) if pair[1] == "north" else "k1"),
        ("machine", "gpu-1"),
    ]
    assert {row["ticket_id"] for row in rows} == {str(holder)}
    on_machine = rows[-1]
    assert [UUID(one["ticket_id"]) for one in on_machine["waiting"]] == [first, second], "first come first"
    assert rows[0]["waiting"] == []
    assert on_machine["ticket_state"] == "ACTIVE"
    assert "READY" in on_machine["obstacle"]["en"]
    assert listed(viewer, filter=["kind:eq:machine", f"ticket_id:eq:{holder}"]) == [on_machine]
    desk.finish(holder)
    assert [UUID(row["ticket_id"]) for row in listed(viewer)] == []


def test_the_list_is_paged(api: Api, desk: Desk) -> None:
    desk.submit(nodes=[f"n{number}" for number in range(7)])
    viewer = api.caller("viewer")
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 3, "total": True}
    for _ in range(3):
        page = viewer.get(URL, params=params).json()
        assert page["total"] == 7
        seen += [row["key"] for row in page["items"]]
        params["cursor"] = page["next"]
    assert page["next"] is None
    assert sorted(seen) == [f"n{number}" for number in range(7)]


def test_a_lock_is_released_by_an_admin_of_its_cluster_on_the_record(api: Api, desk: Desk) -> None:
    mine, theirs = api.cluster("mine"), api.cluster("theirs")
    ticket = desk.submit(policy="express")
    desk.finish(ticket)
    of_cluster(ticket, mine)
    outlive(ticket, ("ippool", "10.1.0.0/16"))
    release = f"{URL}/ippool/10.1.0.0/16/release"
    assert api.caller("admin", cluster_id=theirs).post(release, json=REASON).status_code == 404
    for role in ("viewer", "requester", "approver", "network-admin", "auditor"):
        assert api.caller(role, cluster_id=mine).post(release, json=REASON).status_code == 403
    admin = api.caller("admin", cluster_id=mine, name="wei")
    for body in ({}, {"reason": ""}, {"reason": "x", "force": True}):
        assert admin.post(release, json=body).status_code == 422
    (row,) = listed(admin)
    assert (row["key"], row["obstacle"], row["ticket_state"]) == ("10.1.0.0/16", None, "SUCCEEDED")
    answer = admin.post(release, json=REASON)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["ticket_id"], answer.json()["ticket_state"]) == (str(ticket), "SUCCEEDED")
    assert admin.post(release, json=REASON).status_code == 404
    with db.transaction() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "lock.release")).one()
    assert (entry.actor_name, entry.object_id) == ("wei", "ippool/10.1.0.0/16")
    assert entry.detail == {"ticket": str(ticket), **REASON}


def test_an_open_ticket_is_closed_only_when_that_is_said(api: Api, desk: Desk) -> None:
    ticket = desk.submit(nodes=["a"])
    admin = api.caller("admin")
    running = admin.post(f"{URL}/machine/a/release", json=REASON)
    assert (running.status_code, running.json()["code"]) == (409, "lock-still-needed")
    desk.until(ticket, "configure", "WAIT_PRE_GATE")
    still_open = admin.post(f"{URL}/machine/a/release", json=REASON)
    assert (still_open.status_code, still_open.json()["code"]) == (409, "lock-ticket-open")
    assert still_open.json()["field"] == "close_ticket"
    with db.transaction() as session:
        assert len(session.scalars(select(ResourceLock)).all()) == 1
    done = admin.post(f"{URL}/machine/a/release", json={**REASON, "close_ticket": True}).json()
    assert done["ticket_state"] == "FAILED"
    with db.transaction() as session:
        assert session.scalars(select(ResourceLock)).all() == []
        assert session.scalars(select(LockRequest)).all() == []


def test_locks_of_other_clusters_are_hidden_and_the_list_has_its_budget(api: Api, desk: Desk, engine: Any) -> None:
    mine, theirs = api.cluster("mine"), api.cluster("theirs")
    here, there = desk.submit(nodes=["a", "b"], locks=[str(mine)]), desk.submit(nodes=["c"], locks=[str(theirs)])
    for ticket, cluster in ((here, mine), (there, theirs)):
        of_cluster(ticket, cluster)
        desk.submit(nodes=["a", "c"])
    viewer = api.caller("viewer", cluster_id=mine)
    listed(viewer)
    with counted(engine) as statements:
        assert {row["ticket_id"] for row in listed(viewer)} == {str(here)}
    assert len(statements) <= BUDGETS["locks.list"], statements
