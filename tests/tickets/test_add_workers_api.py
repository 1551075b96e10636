"""An add_workers ticket over the API, up to its first gate: what is refused, what is frozen, who may see it."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest

from autorke.core.db import transaction
from autorke.machines import service as machines
from tests.api import V1, counted
from tests.tickets.scene import Scene

PROBLEM = "application/problem+json"


def test_a_ticket_shows_all_seven_steps_before_anything_runs(scene: Scene) -> None:
    answer = scene.submit(scene.request("f1", "f2", labels={"pool": "blue"}))
    assert answer.status_code == 201, answer.text
    ticket = answer.json()
    keys = ["configure", "validate", "initialise", "join", "network_order", "ippool", "network_labels"]
    assert [step["key"] for step in ticket["steps"]] == keys
    assert [step["state"] for step in ticket["steps"]] == [
        "PLANNING",
        "PENDING",
        "PENDING",
        "PENDING",
        *["SKIPPED"] * 3,
    ]
    assert "no flat network" in ticket["steps"][4]["skip_reason"]["en"]
    assert all(step["pre_gate"] and step["post_gate"] for step in ticket["steps"][:4])
    nodes = scene.requester.get(f"{V1}/tickets/{ticket['id']}/nodes").json()
    assert [node["data"]["labels"] for node in nodes] == [{"pool": "blue"}] * 2


@pytest.mark.parametrize("role", ["controlplane", "etcd", "worker,etcd", ""])
def test_outage_a_worker_was_added_with_another_role(scene: Scene, role: str) -> None:
    """Design §1: a worker flow never gives another role than worker."""
    before = scene.rows()
    answer = scene.submit(scene.request("f1", role=role))
    assert answer.status_code == 422
    assert answer.json()["field"] == "request.role"
    assert scene.rows() == before


def test_outage_a_serving_node_was_taken_because_a_list_was_stale(scene: Scene) -> None:
    """Design §1: a machine that serves, is reserved, or is unknown cannot be named; nothing is reserved instead."""
    assert scene.submit(scene.request("f1")).status_code == 201
    answer = scene.submit(scene.request("f1", "f2"))
    assert answer.status_code == 409
    assert answer.json()["code"] == "machines-unavailable"
    assert "f1" in answer.json()["detail"]
    with transaction() as session:
        assert machines.get(session, UUID(scene.machines["f2"])).state == "free"


def test_outage_a_machine_of_cluster_a_was_added_to_cluster_b(scene: Scene) -> None:
    """Design §1: a host name or address that serves anywhere is refused at submit, naming where it serves."""
    request = scene.request("f1")
    request["machines"][0]["hostname"] = "w1"
    answer = scene.submit(request)
    assert answer.status_code == 409
    assert "w1 127.0.0.21 (prod-a)" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"machines": []}, "request.machines"),
        ({"surprise": 1}, "request.surprise"),
        ({"labels": ["a"]}, "request.labels"),
        ({"batches": {"size": 0}}, "request.batches.size"),
        ({"batches": {"size": "many"}}, "request.batches.size"),
        ({"taints": [{"key": "a", "effect": "Never"}]}, "request.taints.0.effect"),
        ({"cluster_id": "x"}, "request.cluster_id"),
    ],
)
def test_a_malformed_form_is_refused_at_its_field(scene: Scene, change: dict[str, Any], field: str) -> None:
    before = scene.rows()
    answer = scene.submit({**scene.request("f1"), **change})
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert answer.headers["content-type"].startswith(PROBLEM)
    assert answer.json()["cause"]["zh"]
    assert scene.rows() == before


TAINT = {"key": "dedicated", "value": "blue", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("change", "field", "word"),
    [
        ({"labels": {"a b": "x"}}, "labels", "'a b'"),
        ({"labels": {"Not.Dns/a": "x"}}, "labels", "prefix"),
        ({"labels": {"pool": "-blue"}}, "labels", "'-blue'"),
        ({"labels": {"pool": "x" * 64}}, "labels", "63"),
        ({"labels": {"": "x"}}, "labels", "''"),
        ({"labels": {"node-role.kubernetes.io/etcd": "true"}}, "labels", "rke"),
        ({"labels": {"Node-Role.kubernetes.io/controlplane": "true"}}, "labels", "prefix"),
        ({"labels": {"kubernetes.io/hostname": "w9"}}, "labels", "kubelet"),
        ({"labels": {"rke.cattle.io/external-ip": "10.0.0.1"}}, "labels", "rke"),
        ({"taints": [{**TAINT, "key": "a b"}]}, "taints.0.key", "'a b'"),
        ({"taints": [{**TAINT, "value": "$(id)"}]}, "taints.0.value", "$(id)"),
        ({"taints": [{**TAINT, "key": "node.kubernetes.io/not-ready"}]}, "taints.0.key", "controller"),
        ({"taints": [{**TAINT, "key": "node-role.kubernetes.io/etcd"}]}, "taints.0.key", "rke"),
        ({"taints": [TAINT, {**TAINT, "value": "red"}]}, "taints", "twice"),
    ],
)
@pytest.mark.parametrize("where", ["all", "one"])
def test_a_label_or_taint_that_no_node_may_have_is_refused_at_submit(
    scene: Scene, change: dict[str, Any], field: str, word: str, where: str
) -> None:
    request, before = scene.request("f1"), scene.rows()
    (request if where == "all" else request["machines"][0]).update(change)
    answer = scene.submit(request)
    wanted = f"request.{field}" if where == "all" else f"request.machines.0.{field}"
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "bad-flow-request", wanted)
    cause = answer.json()["cause"]
    assert word in cause["en"]
    assert re.search("[\u4e00-\u9fff]", cause["zh"].removeprefix("流程参数不正确："))
    assert scene.rows() == before


def test_a_taint_of_one_machine_may_not_repeat_one_of_all(scene: Scene) -> None:
    request = scene.request("f1", taints=[TAINT])
    request["machines"][0]["taints"] = [TAINT]
    answer = scene.submit(request)
    assert (answer.status_code, answer.json()["field"]) == (422, "request.taints")


def test_labels_and_taints_that_kubernetes_takes_are_taken(scene: Scene) -> None:
    labels = {"example.com/pool": "", "topology.kubernetes.io/zone": "a", "A_b.c-9": "X_y.z"}
    taints = [TAINT, {**TAINT, "effect": "NoExecute"}, {"key": "example.com/solo", "effect": "NoExecute"}]
    assert scene.submit(scene.request("f1", labels=labels, taints=taints)).status_code == 201


@pytest.mark.parametrize("name", ["$(reboot)", "a b", "a\nb", "a'b", 'a"b', "ünïcode", "A" * 300, "-a", "a_b"])
def test_hostile_host_names_are_refused(scene: Scene, name: str) -> None:
    request = scene.request("f1")
    request["machines"][0]["hostname"] = name
    answer = scene.submit(request)
    assert answer.status_code == 422
    assert answer.json()["field"] == "request.machines.0.hostname"


def test_the_same_idempotency_key_makes_one_ticket(scene: Scene) -> None:
    key = {"Idempotency-Key": "wizard-1"}
    first, again = scene.submit(scene.request("f1"), **key), scene.submit(scene.request("f1"), **key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    other = scene.submit(scene.request("f2"), **key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-conflict")


def test_a_second_ticket_on_the_cluster_waits_and_says_for_what(scene: Scene) -> None:
    first, second = scene.submit(scene.request("f1")).json(), scene.submit(scene.request("f2")).json()
    assert second["state"] == "QUEUED"
    assert [(w["kind"], w["ticket_number"], w["holds"]) for w in second["waiting_for"]] == [
        ("cluster", first["number"], True)
    ]


def test_a_flat_network_cluster_is_refused_with_a_reason(scene: Scene) -> None:
    admin = scene.api.caller("admin")
    version = admin.get(f"{V1}/clusters/{scene.cluster_id}").json()["version"]
    changed = admin.patch(f"{V1}/clusters/{scene.cluster_id}", json={"version": version, "flat_network": True})
    assert changed.status_code == 200, changed.text
    answer = scene.submit(scene.request("f1"))
    assert (answer.status_code, answer.json()["code"]) == (422, "flat-network-not-managed")


def test_somebody_of_another_cluster_sees_nothing(scene: Scene) -> None:
    ticket = scene.submit(scene.request("f1")).json()
    other = scene.api.caller("approver", cluster_id=scene.api.cluster("south"))
    for path in ("", "/nodes", "/matrix", "/nodes/x", "/events", "/logs", "/plans/join", "/stream"):
        assert other.get(f"{V1}/tickets/{ticket['id']}{path}").status_code == 404, path
    assert other.get(f"{V1}/tickets").json()["items"] == []
    assert other.post(f"{V1}/tickets/{ticket['id']}/cancel", json={"reason": "x"}).status_code in (403, 404)


def test_a_requester_on_another_cluster_may_not_open_tickets_here(scene: Scene) -> None:
    before = scene.rows()
    other = scene.api.caller("requester", cluster_id=scene.api.cluster("south"))
    assert scene.submit(scene.request("f1"), other).status_code == 403
    assert scene.rows() == before


def test_cancelling_gives_the_machines_back(scene: Scene) -> None:
    ticket = scene.submit(scene.request("f1")).json()
    ended = scene.requester.post(f"{V1}/tickets/{ticket['id']}/cancel", json={"reason": "wrong list"}).json()
    assert ended["state"] == "CANCELLED"
    assert scene.submit(scene.request("f1")).status_code == 201


def test_reading_a_ticket_costs_a_bounded_number_of_statements(scene: Scene, engine: Any) -> None:
    ticket = scene.submit(scene.request("f1", "f2", "f3")).json()
    with counted(engine) as seen:
        scene.requester.get(f"{V1}/tickets/{ticket['id']}")
    assert len(seen) <= 17, "\n".join(seen)
