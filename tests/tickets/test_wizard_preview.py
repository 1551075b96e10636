"""The preview: all of a ticket before it exists, the same refusals as a submit, and not a row written."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from autorke.clusters import service as clusters
from autorke.configs import service as configs
from autorke.configs.masking import mask_yaml
from autorke.configs.models import ConfigRevision
from autorke.core.db import Base, db_now, transaction
from autorke.core.ids import new_id
from autorke.machines import service as machines
from autorke.machines.models import Machine, MachineState
from autorke.machines.service import Membership
from autorke.users.models import ApiToken
from autorke.workflow.models import Delegation
from tests.api import V1, counted
from tests.tickets.scene import Scene

BUDGETS: dict[str, int] = json.loads((Path(__file__).parents[1] / "query_counts.json").read_text())


def preview(scene: Scene, request: dict[str, Any], client: Any = None) -> Any:
    return (client or scene.requester).post(f"{V1}/flows/add_workers/preview", json={"request": request})


def everything() -> dict[str, list[Any]]:
    """Every row of every table; only the moment at which the token was last used may change."""

    def rows(session: Session, table: Any) -> list[Any]:
        columns = [column for column in table.columns if column is not ApiToken.__table__.c.last_used_at]
        return sorted(map(repr, session.execute(select(*columns))))

    with transaction() as session:
        return {table.name: rows(session, table) for table in Base.metadata.sorted_tables}


def test_it_shows_what_the_submitted_ticket_then_is(scene: Scene) -> None:
    request = scene.request("f1", "f2", labels={"pool": "blue"}, taints=[{"key": "gpu", "effect": "NoSchedule"}])
    answer = preview(scene, request)
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    ticket = scene.submit(request).json()
    same = ("key", "title", "does", "effect", "unit", "pre_gate", "post_gate", "skip_reason")
    assert [{k: step[k] for k in same} for step in shown["steps"]] == [
        {k: step[k] for k in same} for step in ticket["steps"]
    ]
    assert (shown["policy"], shown["summary"]) == (ticket["policy"], ticket["summary"])
    nodes = scene.requester.get(f"{V1}/tickets/{ticket['id']}/nodes").json()
    assert [(it["node_id"], it["name"], it["data"]) for it in shown["targets"]] == [
        (it["node_id"], it["name"], it["data"]) for it in nodes
    ]
    assert shown["submittable"] is True
    assert shown["cluster"]["name"] == "prod-a"


def test_the_change_of_the_file_is_shown_around_the_change(scene: Scene) -> None:
    config = preview(scene, scene.request("f1")).json()["config"]
    with transaction() as session:
        revision = configs.current(session, ConfigRevision, UUID(scene.cluster_id))
        text = mask_yaml(configs.open_text(revision)).splitlines()
    before, after = config["before"].splitlines(), config["after"].splitlines()
    first = config["first_line"] - 1
    assert text[first : first + len(before)] == before
    new = [line for line in after if line not in before]
    assert "10.9.0.41" in "\n".join(new)
    assert [line for line in before if line not in after] == []
    assert config["adds"] == [{"hostname": "f1", "address": "10.9.0.41", "role": ["worker"]}]
    assert any(line.startswith("+") and "10.9.0.41" in line for line in config["diff"])


def test_commands_say_what_would_run_where(scene: Scene) -> None:
    request = scene.request("f1", "f2", labels={"pool": "blue"})
    commands = {(it["step"], it["tool"]): it["lines"] for it in preview(scene, request).json()["commands"]}
    assert {line.split(":")[0] for line in commands["join", "docker"]} == {
        "nginx-proxy",
        "service-sidekick",
        "kubelet",
        "kube-proxy",
    }
    assert "label pool=blue (2)" in commands["join", "kubernetes"]
    assert commands["join", "files"][0] == "cluster.yml 1 → 3"
    assert commands["initialise", "ansible-playbook"]


def test_not_a_row_is_written_and_no_machine_is_taken(scene: Scene) -> None:
    preview(scene, scene.request("f1"))  # the first use of the token is noted
    before = everything()
    assert preview(scene, scene.request("f1", "f2")).json()["submittable"]
    assert preview(scene, {**scene.request("f1"), "cluster_id": str(new_id())}).status_code == 404
    assert everything() == before
    with transaction() as session:
        assert session.scalar(select(func.count()).where(Machine.state == "free")) == 3


BAD_REQUESTS: list[dict[str, Any]] = [
    {"machines": []},
    {"role": "etcd"},
    {"surprise": 1},
    {"labels": ["a"]},
    {"batches": {"size": 0}},
    {"taints": [{"key": "a", "effect": "Never"}]},
    {"cluster_id": "x"},
    {"cluster_id": "0190f1f0-0000-7000-8000-000000000000"},
]


@pytest.mark.parametrize("change", BAD_REQUESTS, ids=lambda change: next(iter(change)))
def test_a_request_is_refused_as_a_submit_refuses_it(scene: Scene, change: dict[str, Any]) -> None:
    request = {**scene.request("f1"), **change}
    shown, submitted = preview(scene, request), scene.submit(request)
    assert shown.status_code >= 400
    about = ("status", "code", "field", "cause", "remedy")
    assert [shown.json()[key] for key in about] == [submitted.json()[key] for key in about]


def test_a_flat_network_and_a_strangers_cluster_are_refused_as_by_a_submit(scene: Scene) -> None:
    other = scene.api.caller("requester", cluster_id=scene.api.cluster("south"))
    assert preview(scene, scene.request("f1"), other).status_code == 403
    with transaction() as session:
        clusters.get(session, UUID(scene.cluster_id)).flat_network = True
    shown, submitted = preview(scene, scene.request("f1")), scene.submit(scene.request("f1"))
    assert shown.json()["code"] == submitted.json()["code"] == "flat-network-not-managed"


def test_an_unknown_flow_is_refused(scene: Scene) -> None:
    for what in ("preview", "checks"):
        answer = scene.requester.post(f"{V1}/flows/nothing/{what}", json={"request": {}})
        assert answer.json()["code"] == "unknown-flow"


def reasons(answer: Any) -> dict[str, tuple[str, str]]:
    """{machine: (code, English reason)} of those that a submit would refuse; each has a Chinese one as well."""
    assert answer.status_code == 200, answer.text
    refused = [it for it in answer.json()["targets"] if it["reason"]]
    assert all(it["reason"]["zh"] for it in refused)
    return {it["name"] or it["node_id"]: (it["code"], it["reason"]["en"]) for it in refused}


def test_each_machine_that_a_submit_would_refuse_has_its_reason(scene: Scene) -> None:
    number = scene.submit(scene.request("f1")).json()["number"]
    with transaction() as session:
        machines.set_state(session, UUID(scene.machines["f2"]), to=MachineState.FAULT, reason="memory")
    unknown = str(new_id())
    request = scene.request("f1", "f2", "f3")
    request["machines"] += [{"machine_id": unknown}]
    answer = preview(scene, request)
    assert reasons(answer) == {
        "f1": ("reserved", f"reserved by ticket #{number}"),
        "f2": ("fault", "fault: memory"),
        unknown: ("unknown", "unknown"),
    }
    assert answer.json()["submittable"] is False
    assert [it["hostname"] for it in answer.json()["config"]["adds"]] == ["f3"]
    assert scene.submit(request).status_code == 409
    assert preview(scene, scene.request("f3")).json()["submittable"] is True
    assert scene.submit(scene.request("f3")).status_code == 201


@pytest.mark.parametrize("state", ["retired", "vanished", "in-cluster"])
def test_other_reasons(scene: Scene, state: str) -> None:
    with transaction() as session:
        row = machines.get(session, UUID(scene.machines["f1"]))
        if state == "retired":
            machines.set_state(session, row.id, to=MachineState.RETIRED, reason="old")
        elif state == "vanished":
            row.cmdb_vanished_at = row.created_at
        else:
            place = {"cluster_id": UUID(scene.cluster_id), "cluster_name": "prod-a", "ticket_id": None}
            machines.attach(session, members=[Membership(row.id, "f1", row.address, ("worker",))], **place)
    assert reasons(preview(scene, scene.request("f1")))["f1"][0] == state
    assert scene.submit(scene.request("f1")).status_code == 409


def test_a_name_that_serves_already_is_the_reason_of_its_machine_only(scene: Scene) -> None:
    request = scene.request("f1", "f2")
    request["machines"][0]["hostname"] = "w1"
    found = reasons(preview(scene, request))
    assert found == {"w1": ("node-taken", "its name or address already serves: w1 127.0.0.21 (prod-a)")}
    assert scene.submit(request).status_code == 409


def test_a_machine_out_of_sight_is_as_unknown_as_none(scene: Scene) -> None:
    south = scene.api.cluster("south")
    with transaction() as session:
        row = machines.get(session, UUID(scene.machines["f1"]))
        members = [Membership(row.id, "f1", row.address, ("worker",))]
        machines.attach(session, members=members, cluster_id=south, cluster_name="south", ticket_id=None)
    here = scene.api.caller("requester", cluster_id=UUID(scene.cluster_id))
    assert reasons(preview(scene, scene.request("f1", "f2"), here)) == {scene.machines["f1"]: ("unknown", "unknown")}
    assert "south" in reasons(preview(scene, scene.request("f1", "f2")))["f1"][1]


def test_two_machines_under_one_name_are_a_problem_of_the_plan(scene: Scene) -> None:
    request = scene.request("f1", "f2")
    for machine in request["machines"]:
        machine["hostname"] = "twin"
    shown = preview(scene, request).json()
    assert (shown["config"], [it["code"] for it in shown["problems"]]) == (None, ["node-duplicate"])


def test_who_may_sign_is_named_and_never_the_requester(scene: Scene) -> None:
    scene.api.user("li", "approver")
    scene.api.user("ada", "admin")
    scene.api.user("far", "approver", cluster_id=scene.api.cluster("south"))
    scene.api.user("nan", "network-admin", cluster_id=UUID(scene.cluster_id))
    asking = scene.api.caller("admin", name="asking")
    approvers = preview(scene, scene.request("f1"), asking).json()["approvers"]
    named = {key: {it["name"]: it["roles"] for it in people} for key, people in approvers.items()}
    assert {"li": ["approver"], "ada": ["admin"]}.items() <= named["ticket:approve"].items()
    assert {"nan": ["network-admin"], "ada": ["admin"]}.items() <= named["network:approve"].items()
    assert not {"asking", "far"} & {name for people in named.values() for name in people}


def test_who_stands_in_for_an_approver_is_named_with_him(scene: Scene) -> None:
    li, stand_in = scene.api.user("li", "approver"), scene.api.user("stand-in", "viewer")
    with transaction() as session:
        ends = db_now(session) + timedelta(days=1)
        session.add(Delegation(from_id=li, to_id=stand_in, scope_id=None, valid_to=ends, reason="leave"))
    approvers = preview(scene, scene.request("f1")).json()["approvers"]["ticket:approve"]
    assert [
        (it["name"], it["roles"], it["acting_for"]) for it in approvers if "li" in (it["name"], it["acting_for"])
    ] == [
        ("li", ["approver"], None),
        ("stand-in", ["approver"], "li"),
    ]


def test_the_queue_before_a_submit(scene: Scene) -> None:
    assert preview(scene, scene.request("f1")).json()["queue"] == {"position": 0, "waiting_for": []}
    first, second = scene.submit(scene.request("f1")).json(), scene.submit(scene.request("f2")).json()
    queue = preview(scene, scene.request("f3")).json()["queue"]
    assert queue["position"] == 2
    assert [(it["kind"], it["ticket_number"], it["holds"]) for it in queue["waiting_for"]] == [
        ("cluster", first["number"], True),
        ("cluster", second["number"], False),
    ]
    third = scene.submit(scene.request("f3")).json()
    assert third["waiting_for"] == queue["waiting_for"]


def test_a_preview_costs_a_bounded_number_of_statements(scene: Scene, engine: Any) -> None:
    preview(scene, scene.request("f1"))
    with counted(engine) as one:
        preview(scene, scene.request("f1"))
    with counted(engine) as three:
        preview(scene, scene.request("f1", "f2", "f3"))
    assert len(one) == len(three) == BUDGETS["flows.preview"], "\n".join(three)
