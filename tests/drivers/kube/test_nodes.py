"""Nodes: found as rke finds them, changed only as they were read."""

from __future__ import annotations

import itertools

import pytest

from autorke.drivers.kube import Kube, KubeCaMismatch, KubeConflict, KubeNotFound, NodeNotReady, NodeTaint
from autorke.drivers.kube.nodes import KubePod
from tests.drivers.kube.api_server import ApiServer
from tests.drivers.kube.pki import Authority, kubeconfig

GPU = {"key": "gpu", "value": "true", "effect": "NoSchedule"}


def test_a_node_as_a_value(kube: Kube, api: ApiServer) -> None:
    api.add_node(
        "m1", taints=[GPU, {"key": "cordoned", "effect": "NoExecute"}], unschedulable=True, podCIDR="10.42.1.0/24"
    )

    (node,) = kube.nodes()

    assert (node.name, node.hostname, node.ready, node.internal_ip) == ("m1", "m1", True, "10.0.0.9")
    assert node.taints == (NodeTaint("gpu", "true", "NoSchedule"), NodeTaint("cordoned", "", "NoExecute"))
    assert (node.unschedulable, node.pod_cidr, node.kubelet_version) == (True, "10.42.1.0/24", "v1.20.15")


def test_a_node_that_says_nothing_is_not_ready(kube: Kube, api: ApiServer) -> None:
    api.put("/api/v1/nodes/bare", {"metadata": {}})

    assert not kube.nodes()[0].ready


def test_thousands_of_nodes_come_in_pages(kube: Kube, api: ApiServer) -> None:
    for number in range(1201):
        api.add_node(f"m{number}")

    assert len(kube.nodes()) == 1201
    assert len(api.requests) == 3


@pytest.mark.parametrize("asked", ["m1", "M1"])
def test_a_node_is_found_by_its_hostname_label_in_any_case(kube: Kube, api: ApiServer, asked: str) -> None:
    api.add_node("other-name", hostname="m1")
    api.add_node("m1", hostname="something-else")

    found = kube.node_by_hostname(asked)

    assert found is not None
    assert found.name == "other-name"


def test_a_label_in_mixed_case_is_found_as_well(kube: Kube, api: ApiServer) -> None:
    api.add_node("m1", hostname="Worker-One")

    found = kube.node_by_hostname("worker-one")

    assert found is not None
    assert found.name == "m1"


@pytest.mark.parametrize("hostname", ["absent", "", "a,b", "m1)", "in (m1)", "$(id)", "a\nb"])
def test_who_is_not_there_is_not_found(kube: Kube, api: ApiServer, hostname: str) -> None:
    api.add_node("m1")

    assert kube.node_by_hostname(hostname) is None


def test_a_patch_sets_what_is_given_and_leaves_the_rest(kube: Kube, api: ApiServer) -> None:
    node = api.add_node("m1", podCIDR="10.42.1.0/24")
    node["metadata"]["labels"]["old"] = "x"
    node["metadata"]["annotations"] = {"by-hand": "kept"}

    after = kube.patch_node(
        "m1",
        labels={"rack": "r1", "old": None},
        annotations={"rke.cattle.io/external-ip": "1.2.3.4"},
        taints=[NodeTaint("gpu", "true", "NoSchedule")],
        unschedulable=True,
    )

    assert after.labels == {"kubernetes.io/hostname": "m1", "rack": "r1"}
    assert after.annotations == {"by-hand": "kept", "rke.cattle.io/external-ip": "1.2.3.4"}
    assert after.taints == (NodeTaint("gpu", "true", "NoSchedule"),)
    assert (after.unschedulable, after.pod_cidr, after.ready) == (True, "10.42.1.0/24", True)


def test_a_patch_that_changes_nothing_is_not_sent(kube: Kube, api: ApiServer) -> None:
    api.add_node("m1", taints=[GPU])

    kube.patch_node("m1", labels={"gone": None}, taints=[NodeTaint("gpu", "true", "NoSchedule")], unschedulable=False)

    assert {method for method, *_ in api.requests} == {"GET"}


def test_who_was_faster_is_not_overwritten(kube: Kube, api: ApiServer) -> None:
    api.add_node("m1")
    meddling = iter([True, True, False])

    def meddle(method: str, path: str) -> None:
        if method == "PATCH" and next(meddling):
            node = api.objects[path]
            node["metadata"]["labels"]["meanwhile"] = str(api.version)
            api.put(path, node)

    api.before = meddle
    after = kube.patch_node("m1", labels={"rack": "r1"})

    assert after.labels["rack"] == "r1"
    assert "meanwhile" in after.labels
    assert [method for method, *_ in api.requests].count("PATCH") == 3


def test_a_node_that_never_holds_still_is_a_conflict(kube: Kube, api: ApiServer) -> None:
    api.add_node("m1")
    api.before = lambda method, path: (api.put(path, api.objects[path]), None)[1] if method == "PATCH" else None

    with pytest.raises(KubeConflict):
        kube.patch_node("m1", labels={"rack": "r1"})

    assert [method for method, *_ in api.requests].count("PATCH") == 6


def test_a_node_that_is_not_there_cannot_be_changed(kube: Kube) -> None:
    with pytest.raises(KubeNotFound, match="m9"):
        kube.patch_node("m9", labels={"rack": "r1"})


def test_deleting_what_is_gone_is_fine(kube: Kube, api: ApiServer) -> None:
    api.add_node("m1")
    kube.delete_node("m1")
    kube.delete_node("m1")

    assert kube.nodes() == []


def test_waiting_tells_each_reason_once(kube: Kube, api: ApiServer) -> None:
    said: list[tuple[str, str]] = []
    asked = itertools.count(1)

    def move_on(_method: str, _path: str) -> None:
        """Both states are seen several times before they change."""
        number = next(asked)
        if number in (8, 16):
            api.add_node("m1", ready=number == 16)

    api.before = move_on
    node = kube.wait_ready("m1", timeout=60, emit=lambda name, line: said.append((name, line)), interval=0.05)

    assert node.ready
    assert said == [
        ("m1", "waiting for node m1: it has not registered"),
        ("m1", "waiting for node m1: cni plugin not initialized"),
        ("m1", "node m1 is Ready"),
    ]


def test_waiting_ends_with_the_last_reason(kube: Kube, api: ApiServer) -> None:
    api.add_node("m1", ready=False)

    with pytest.raises(NodeNotReady, match="cni plugin not initialized"):
        kube.wait_ready("m1", timeout=0.3, emit=lambda name, line: None, interval=0.05)


def test_waiting_outlives_an_api_that_is_away_for_a_moment(kube: Kube, api: ApiServer) -> None:
    api.add_node("m1")
    api.cut.add("/api/v1/nodes")
    asked = itertools.count(1)
    api.before = lambda _method, _path: api.cut.clear() if next(asked) == 4 else None

    assert kube.wait_ready("m1", timeout=60, emit=lambda name, line: None, interval=0.05).ready


def test_waiting_does_not_outlive_another_ca(api: ApiServer) -> None:
    other = Authority()
    with Kube(kubeconfig(api.port, other.pem, other.issue("admin"))) as kube, pytest.raises(KubeCaMismatch):
        kube.wait_ready("m1", timeout=10, emit=lambda name, line: None)


def test_the_pods_of_a_node(kube: Kube, api: ApiServer) -> None:
    owner = [{"kind": "DaemonSet", "controller": True}]
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    api.put(
        "/api/v1/pods/a",
        {"metadata": {"namespace": "n", "ownerReferences": owner}, "spec": {"nodeName": "m1"}, "status": ready},
    )
    mirror = {"namespace": "n", "annotations": {"kubernetes.io/config.mirror": "x"}}
    api.put("/api/v1/pods/b", {"metadata": mirror, "spec": {"nodeName": "m1"}})
    api.put("/api/v1/pods/c", {"metadata": {"namespace": "n"}, "spec": {"nodeName": "m2"}})

    assert kube.pods_on("m1") == [
        KubePod("n", "a", "Running", ready=True, owner="DaemonSet", mirror=False),
        KubePod("n", "b", "", ready=False, owner="", mirror=True),
    ]
