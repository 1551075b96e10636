"""Which chosen machines an action is allowed on: every reason, every scope, before any ticket exists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from autorke.clusters import eligibility
from autorke.clusters.models import Cluster, Node
from autorke.core import db
from autorke.core.errors import Text
from autorke.core.ids import new_id
from autorke.credentials.models import Credential
from autorke.machines import service
from autorke.machines.models import MachineState
from autorke.users.models import RoleBinding
from autorke.workflow import definition
from autorke.workflow.definition import Flow, register
from autorke.workflow.models import ResourceLock
from tests.api import V1, Api, counted
from tests.machines.test_current_ticket import ticket
from tests.machines.test_set_routes import make, serve, touch

BUDGETS: dict[str, int] = json.loads((Path(__file__).parents[1] / "query_counts.json").read_text())
URL = f"{V1}/machines/eligibility"


class Removal(BaseModel):
    machines: list[str] = Field(max_length=3)


@pytest.fixture
def removal() -> Iterator[Flow]:
    """A release that carries the flow `remove_workers`."""
    flow = Flow("remove_workers", 1, Text(zh="x", en="x"), Removal, Removal)
    register(flow)
    yield flow
    definition._flows.pop(flow.name)


def credential() -> UUID:
    with db.transaction() as session:
        row = Credential(name="login", kind="ssh_password", note="", public={}, envelope=b"")
        session.add(row)
        session.flush()
        return row.id


@dataclass
class Hall:
    """One machine for each thing that can stand in the way of `add_workers`."""

    login: UUID = field(default_factory=credential)
    ids: dict[str, UUID] = field(default_factory=dict)

    def one(self, name: str, **fields: Any) -> UUID:
        (made,) = make(1, hostname=name, **{"credential_id": self.login, **fields})
        self.ids[name] = made
        return made

    def fill(self, cluster_id: UUID) -> None:
        self.one("good-1")
        self.one("good-2")
        serve(cluster_id, "north", self.one("serving"))
        joining, _ = ticket()
        with db.transaction() as session:
            service.reserve(session, ids=[self.one("taken")], ticket_id=joining)
            service.set_state(session, self.one("broken"), to=MachineState.FAULT, reason="disk")
            service.set_state(session, self.one("old"), to=MachineState.RETIRED, reason="sold")
            gone = db.db_now(session)
        touch(self.one("gone"), cmdb_vanished_at=gone)
        with db.transaction() as session:
            session.add(ResourceLock(kind="machine", key=str(self.one("held")), ticket_id=joining, fence=1))
        self.one("keyless", credential_id=None)
        self.one("twin", address="10.99.0.1")
        with db.transaction() as session:
            texts = {"hostname": "other", "address": "10.99.0.7", "internal_address": "10.99.0.1", "ssh_user": "ops"}
            session.add(Node(cluster_id=cluster_id, roles=["worker"], ssh_port=22, config_number=1, **texts))


def ask(client: Any, status: int = 200, **body: Any) -> Any:
    answer = client.post(URL, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def codes(found: Any) -> dict[str, str]:
    return {one["hostname"]: one["code"] for one in found["blocked"]}


def test_every_reason_against_adding_a_machine_is_told(api: Api) -> None:
    hall = Hall()
    hall.fill(api.cluster())
    found = ask(api.caller("requester"), action="add_workers")
    assert codes(found) == {
        "broken": "fault",
        "gone": "vanished",
        "held": "locked",
        "keyless": "no-credential",
        "old": "retired",
        "serving": "in-cluster",
        "taken": "reserved",
        "twin": "node-taken",
    }
    assert (found["available"], found["unavailable_reason"], found["allowed"], found["limit"]) == (True, None, 2, 200)
    assert found["blocked_total"] == 8
    assert found["blocked_by_code"] == dict.fromkeys(codes(found).values(), 1)
    reasons = {one["hostname"]: one["reason"] for one in found["blocked"]}
    assert all(reason["zh"] and reason["en"] for reason in reasons.values())
    assert reasons["serving"]["en"] == "in cluster north"
    assert reasons["taken"]["en"].startswith("reserved by ticket #")
    assert reasons["held"]["zh"].startswith("被工单 #")
    assert reasons["broken"]["en"] == "fault: disk"


def test_a_choice_is_judged_as_it_was_made(api: Api) -> None:
    hall = Hall()
    hall.fill(api.cluster())
    requester = api.caller("requester")
    ids = [str(hall.ids[name]) for name in ("good-1", "good-2", "old", "gone")]
    stranger = str(new_id())
    found = ask(requester, action="add_workers", ids=[*ids, stranger], exclude_ids=[ids[2]])
    assert (found["allowed"], codes(found)) == (2, {"gone": "vanished", "": "unknown"})
    assert found["blocked"][-1]["machine_id"] == stranger
    narrowed = ask(requester, action="add_workers", filter=["hostname:prefix:good"])
    assert (narrowed["allowed"], narrowed["blocked"]) == (2, [])
    assert ask(requester, action="add_workers", filter=["x:eq:1"], status=422)["field"] == "filter"
    assert ask(requester, action="fly", status=422)["field"] == "action"


def test_the_first_blocked_are_listed_and_all_counted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eligibility, "MAX_BLOCKED", 2)
    make(5)
    found = ask(api.caller("requester"), action="add_workers", ids=None)
    assert (len(found["blocked"]), found["blocked_total"]) == (2, 5)
    assert found["blocked_by_code"] == {"no-credential": 5}


def test_an_action_without_a_flow_is_not_available(api: Api) -> None:
    serve(api.cluster(), "north", *make(2))
    for action in ("remove_workers", "update_workers"):
        found = ask(api.caller("requester"), action=action)
        assert (found["available"], found["unavailable_code"], found["allowed"]) == (False, "no-such-flow", 2)
        assert action in found["unavailable_reason"]["zh"]


def test_an_action_becomes_available_with_its_flow(api: Api, removal: Flow) -> None:
    north, south = api.cluster("north"), api.cluster("south")
    here, there, head, _free = (make(1, hostname=name)[0] for name in ("here", "there", "head", "free"))
    serve(north, "north", here)
    serve(south, "south", there)
    serve(north, "north", head, roles=("controlplane", "etcd"))
    requester = api.caller("requester")
    found = ask(requester, action="remove_workers", cluster_id=str(north))
    assert found["available"]
    assert (found["allowed"], found["limit"]) == (1, 3)
    assert codes(found) == {"free": "not-in-cluster", "head": "not-a-worker", "there": "other-cluster"}
    anywhere = ask(requester, action="remove_workers")
    assert (anywhere["allowed"], codes(anywhere)) == (2, {"free": "not-in-cluster", "head": "not-a-worker"})
    serve(north, "north", *make(3))
    assert ask(requester, action="remove_workers")["unavailable_code"] == "too-many"


def test_who_may_open_no_ticket_is_told_so(api: Api, removal: Flow) -> None:
    mine, theirs = api.cluster("mine"), api.cluster("theirs")
    inside, outside = make(2)
    serve(mine, "mine", inside)
    serve(theirs, "theirs", outside)
    viewer = api.caller("viewer")
    assert ask(viewer, action="add_workers")["unavailable_code"] == "not-permitted"
    local = api.caller("requester", cluster_id=mine)
    assert ask(local, action="add_workers", cluster_id=str(mine))["available"]
    assert ask(local, action="add_workers", cluster_id=str(theirs), status=404)["field"] == "cluster_id"
    hidden = ask(local, action="remove_workers", ids=[str(inside), str(outside)])
    assert (hidden["allowed"], hidden["blocked_by_code"]) == (1, {"unknown": 1})
    sees_both = api.user("both", "viewer")
    with db.transaction() as session:
        session.add(RoleBinding(user_id=sees_both, role="requester", cluster_id=mine))
    client = api.anonymous
    client.headers["Authorization"] = f"Bearer {api.token(sees_both)}"
    found = ask(client, action="remove_workers")
    assert (found["available"], found["allowed"], found["blocked_by_code"]) == (True, 1, {"not-permitted": 1})


def test_an_archived_cluster_takes_nobody(api: Api) -> None:
    gone = api.cluster("gone")
    with db.transaction() as session:
        session.get_one(Cluster, gone).state = "archived"
    found = ask(api.caller("requester"), action="add_workers", cluster_id=str(gone))
    assert found["unavailable_code"] == "cluster-archived"


def test_query_budget(api: Api, engine: Any) -> None:
    hall = Hall()
    north = api.cluster()
    hall.fill(north)
    requester = api.caller("requester")
    body = {"action": "add_workers", "ids": [str(key) for key in hall.ids.values()], "cluster_id": str(north)}
    ask(requester, **body)
    with counted(engine) as statements:
        ask(requester, **body)
    assert len(statements) <= BUDGETS["machines.eligibility"], statements
