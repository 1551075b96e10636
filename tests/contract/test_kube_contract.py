"""What `Kube` promises, on every edge: an API of our own, the simulator's, and a real kube-apiserver.

What the tests change, they put back: the lab's cluster is used by others too.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from autorke.drivers.kube import Kube, KubeCaMismatch, KubeConflict, KubeNotFound, NodeNotReady, NodeTaint, Resource
from autorke.drivers.rkefiles.errors import StateMoved
from tests.contract.kube_edges import KubeEdge
from tests.drivers.kube.pki import Authority

LABEL = "autorke.example/contract"


@pytest.fixture(scope="module")
def kube(kube_edge: KubeEdge) -> Iterator[Kube]:
    with Kube(kube_edge.kubeconfig) as client:
        yield client


@pytest.fixture
def config_maps(kube: Kube) -> Resource:
    return kube.resource("", "v1", "configmaps", "default")


@pytest.fixture
def config_map(config_maps: Resource) -> Iterator[dict[str, Any]]:
    name = f"contract-{uuid.uuid4().hex[:8]}"
    metadata = {"name": name, "namespace": "default", "labels": {LABEL: name}}
    yield config_maps.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1"}})
    config_maps.delete(name)


def test_the_version_is_told(kube: Kube) -> None:
    assert re.match(r"v\d+\.\d+\.\d+", kube.version())


def test_the_servers_ca_is_proved(kube: Kube) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", kube.server_ca_fingerprint())


def test_a_kubeconfig_with_another_ca_is_refused(kube_edge: KubeEdge) -> None:

    document = yaml.safe_load(kube_edge.kubeconfig)
    other = base64.b64encode(Authority("kube-ca").pem.encode()).decode()
    document["clusters"][0]["cluster"]["certificate-authority-data"] = other
    with Kube(yaml.safe_dump(document)) as kube:
        for call in (kube.version, kube.server_ca_fingerprint):
            with pytest.raises(KubeCaMismatch):
                call()


def test_a_node_is_found_by_hostname_in_any_case(kube: Kube, kube_edge: KubeEdge) -> None:
    found = kube.node_by_hostname(kube_edge.node.upper())

    assert found is not None
    assert found.hostname == kube_edge.node
    assert found.ready
    assert found in kube.nodes()
    assert found.internal_ip
    assert kube.wait_ready(kube_edge.node, timeout=60, emit=lambda name, line: None) == found


@pytest.mark.parametrize("hostname", ["absent", "a,b", "in (x)", "$(id)", "变更", "a\nb"])
def test_who_is_not_there_is_not_found(kube: Kube, hostname: str) -> None:
    assert kube.node_by_hostname(hostname) is None
    with pytest.raises(KubeNotFound):
        kube.patch_node(hostname, labels={LABEL: "x"})
    with pytest.raises(NodeNotReady):
        kube.wait_ready(hostname, timeout=0, emit=lambda name, line: None)


def test_labels_annotations_and_taints_come_and_go(kube: Kube, kube_edge: KubeEdge) -> None:
    before = kube.node_by_hostname(kube_edge.node)
    assert before is not None
    taint = NodeTaint(LABEL, "x", "PreferNoSchedule")

    marked = kube.patch_node(
        kube_edge.node, labels={LABEL: "x"}, annotations={LABEL: "变更 $(id)"}, taints=[*before.taints, taint]
    )
    assert (marked.labels[LABEL], marked.annotations[LABEL]) == ("x", "变更 $(id)")
    assert set(marked.taints) == {*before.taints, taint}

    after = kube.patch_node(kube_edge.node, labels={LABEL: None}, annotations={LABEL: None}, taints=before.taints)
    assert (after.labels, after.annotations, after.taints) == (before.labels, before.annotations, before.taints)


def test_a_node_is_cordoned_and_released(kube: Kube, kube_edge: KubeEdge) -> None:
    assert kube.patch_node(kube_edge.node, unschedulable=True).unschedulable
    assert not kube.patch_node(kube_edge.node, unschedulable=False).unschedulable


def test_a_stale_change_of_a_node_is_a_conflict(kube: Kube, kube_edge: KubeEdge) -> None:
    stale = {"metadata": {"resourceVersion": "1", "labels": {LABEL: "stale"}}}

    with pytest.raises(KubeConflict):
        kube.resource("", "v1", "nodes").patch(kube_edge.node, stale)

    node = kube.node_by_hostname(kube_edge.node)
    assert node is not None
    assert LABEL not in node.labels


def test_an_object_is_replaced_only_as_it_was_read(config_maps: Resource, config_map: dict[str, Any]) -> None:
    newer = config_maps.replace({**config_map, "data": {"a": "2"}})

    with pytest.raises(KubeConflict):
        config_maps.replace({**config_map, "data": {"a": "3"}})
    with pytest.raises(KubeConflict):
        config_maps.create(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": config_map["metadata"]["name"]}}
        )

    assert config_maps.get(config_map["metadata"]["name"]) == newer
    assert newer["data"] == {"a": "2"}


def test_objects_are_listed_by_label(config_maps: Resource, config_map: dict[str, Any]) -> None:
    name = config_map["metadata"]["name"]

    assert [it["metadata"]["name"] for it in config_maps.list(label_selector=f"{LABEL}={name}")] == [name]
    assert config_maps.list(label_selector=f"{LABEL}=other") == []


def test_what_is_not_there_is_none_and_deleting_it_is_fine(config_maps: Resource) -> None:
    assert config_maps.get("no-such-object") is None
    config_maps.delete("no-such-object")


def test_a_stale_write_of_the_state_copy_is_refused(kube: Kube) -> None:
    store = kube.state_store()
    before = store.read()

    for kind in ("Secret", "ConfigMap"):
        with pytest.raises(StateMoved):
            store.write(kind, "{}", "1")  # type: ignore[arg-type]
    if before is not None:
        with pytest.raises(StateMoved):
            store.write(before[0], "{}", None)

    assert store.read() == before


def test_the_pods_of_a_node_are_its_own(kube: Kube, kube_edge: KubeEdge) -> None:
    assert all(pod.name and pod.namespace for pod in kube.pods_on(kube_edge.node))
    assert kube.pods_on("no-such-node") == []
