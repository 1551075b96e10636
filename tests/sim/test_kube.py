"""The simulated Kubernetes API, asked by the official client and by the product's driver."""

from __future__ import annotations

import base64
import json
import re
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from kubernetes import client, config

from autorke.drivers import ssh
from autorke.drivers.base import KubeUnreachable
from autorke.drivers.docker import docker_over
from autorke.drivers.kube import Kube, KubeCaMismatch, KubeOutcomeUnknown
from autorke.sim.kube.pki import Authority
from autorke.sim.process import SimHandle
from tests.sim.conftest import Target

CALICO = "crd.projectcalico.org"


@pytest.fixture(scope="module")
def api(sim: SimHandle) -> client.ApiClient:
    return config.new_client_from_config(sim.cluster("alpha")["kubeconfig"])


@pytest.fixture(scope="module")
def core(api: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(api)


@pytest.fixture
def kube(sim: SimHandle) -> Iterator[Kube]:
    with Kube(Path(sim.cluster("alpha")["kubeconfig"]).read_text(), timeout=30) as one:
        yield one


@pytest.fixture
def hasty(sim: SimHandle) -> Iterator[Kube]:
    """For an API that does not answer."""
    with Kube(Path(sim.cluster("alpha")["kubeconfig"]).read_text(), timeout=3) as one:
        yield one


def refused(error: pytest.ExceptionInfo[client.ApiException]) -> int:
    return int(error.value.status)


def test_nodes_are_ready_and_labelled_as_rke_does(core: client.CoreV1Api) -> None:
    nodes = {node.metadata.name: node for node in core.list_node().items}

    assert nodes.keys() == {"alpha-m001", "alpha-w001", "alpha-w002"}
    for node in nodes.values():
        assert {c.type: c.status for c in node.status.conditions}["Ready"] == "True"
        assert node.metadata.annotations["rke.cattle.io/internal-ip"] == node.status.addresses[0].address
    assert "node-role.kubernetes.io/worker" in nodes["alpha-w001"].metadata.labels
    assert {taint.key for taint in nodes["alpha-m001"].spec.taints} == {
        "node-role.kubernetes.io/controlplane",
        "node-role.kubernetes.io/etcd",
    }


def test_lists_come_in_pages_and_by_selector(core: client.CoreV1Api) -> None:
    first = core.list_node(limit=2)
    rest = core.list_node(limit=2, _continue=first.metadata._continue)
    assert len(first.items) == 2
    assert first.metadata.remaining_item_count == 1
    assert len(rest.items) == 1

    def names(selector: str) -> list[str]:
        return [node.metadata.name for node in core.list_node(label_selector=selector).items]

    assert names("kubernetes.io/hostname=alpha-w001") == ["alpha-w001"]
    assert names("!node-role.kubernetes.io/worker") == ["alpha-m001"]
    assert names("kubernetes.io/hostname in (alpha-w001,alpha-w002),node-role.kubernetes.io/worker") == [
        "alpha-w001",
        "alpha-w002",
    ]
    pods = core.list_pod_for_all_namespaces(field_selector="spec.nodeName=alpha-w001").items
    assert [pod.metadata.name for pod in pods] == ["calico-node-alpha-w001"]


def test_a_stale_write_is_a_conflict(core: client.CoreV1Api) -> None:
    stale = core.read_node("alpha-w002")
    core.patch_node("alpha-w002", {"metadata": {"labels": {"rack": "r1"}}})
    stale.metadata.labels["rack"] = "r2"

    with pytest.raises(client.ApiException) as caught:
        core.replace_node("alpha-w002", stale)

    assert refused(caught) == 409
    assert core.read_node("alpha-w002").metadata.labels["rack"] == "r1"


def test_a_write_that_changes_nothing_keeps_the_version(core: client.CoreV1Api) -> None:
    before = core.read_node("alpha-w002").metadata.resource_version
    core.patch_node("alpha-w002", {"spec": {"unschedulable": True}})
    changed = core.read_node("alpha-w002").metadata.resource_version
    core.patch_node("alpha-w002", {"spec": {"unschedulable": True}})

    assert changed != before
    assert core.read_node("alpha-w002").metadata.resource_version == changed
    core.patch_node("alpha-w002", {"spec": {"unschedulable": None}})
    assert core.read_node("alpha-w002").spec.unschedulable is None


def test_a_strategic_patch_merges_taints_by_key(core: client.CoreV1Api) -> None:
    for key in ("a", "b"):
        core.patch_node("alpha-w002", {"spec": {"taints": [{"key": key, "value": "1", "effect": "NoSchedule"}]}})
    assert sorted(taint.key for taint in core.read_node("alpha-w002").spec.taints) == ["a", "b"]

    core.patch_node("alpha-w002", {"spec": {"taints": [{"key": "a", "$patch": "delete"}]}})
    assert [taint.key for taint in core.read_node("alpha-w002").spec.taints] == ["b"]
    core.patch_node("alpha-w002", [{"op": "remove", "path": "/spec/taints"}])
    assert core.read_node("alpha-w002").spec.taints is None


def test_a_second_create_and_a_missing_object(core: client.CoreV1Api) -> None:
    body = {"metadata": {"name": "twice"}, "data": {"a": "1"}}
    core.create_namespaced_config_map("kube-system", body)
    with pytest.raises(client.ApiException) as caught:
        core.create_namespaced_config_map("kube-system", body)
    assert refused(caught) == 409

    core.delete_namespaced_config_map("twice", "kube-system")
    with pytest.raises(client.ApiException) as caught:
        core.read_namespaced_config_map("twice", "kube-system")
    assert refused(caught) == 404


def test_a_secret_is_stored_encoded_and_bounded(core: client.CoreV1Api) -> None:
    core.create_namespaced_secret("kube-system", {"metadata": {"name": "s"}, "stringData": {"k": "v"}})
    assert core.read_namespaced_secret("s", "kube-system").data == {"k": "dg=="}
    with pytest.raises(client.ApiException) as caught:
        core.create_namespaced_secret(
            "kube-system", {"metadata": {"name": "big"}, "stringData": {"k": "x" * 1_100_000}}
        )
    assert refused(caught) == 422


def test_a_watch_tells_what_changed(core: client.CoreV1Api) -> None:
    version = core.list_namespaced_config_map("kube-system").metadata.resource_version
    core.create_namespaced_config_map("kube-system", {"metadata": {"name": "seen"}})
    core.delete_namespaced_config_map("seen", "kube-system")
    answer = core.list_namespaced_config_map(
        "kube-system", watch=True, resource_version=version, timeout_seconds=1, _preload_content=False
    )
    kinds = [line.split(b'"')[3] for line in answer.data.splitlines()]
    assert kinds == [b"ADDED", b"DELETED"]


def test_pods_are_evicted(core: client.CoreV1Api) -> None:
    spec = {"nodeName": "alpha-w001", "containers": [{"name": "a"}]}
    core.create_namespaced_pod("default", {"metadata": {"name": "web-1"}, "spec": spec})
    core.create_namespaced_pod_eviction("web-1", "default", {"metadata": {"name": "web-1"}})
    with pytest.raises(client.ApiException) as caught:
        core.read_namespaced_pod("web-1", "default")
    assert refused(caught) == 404


def test_calico_objects_are_pruned_and_typed_like_the_crds_of_that_version(api: client.ApiClient) -> None:
    objects = client.CustomObjectsApi(api)
    pool: dict[str, Any] = {
        "apiVersion": f"{CALICO}/v1",
        "kind": "IPPool",
        "metadata": {"name": "p"},
        "spec": {"cidr": "10.8.0.0/16", "blockSize": 26, "allowedUses": ["Workload"], "nonsense": 1},
    }
    made = objects.create_cluster_custom_object(CALICO, "v1", "ippools", pool)
    assert made["spec"] == {"cidr": "10.8.0.0/16", "blockSize": 26}, "allowedUses came with 3.21, this is 3.17"

    with pytest.raises(client.ApiException) as caught:
        objects.patch_cluster_custom_object(CALICO, "v1", "ippools", "p", {"spec": {"blockSize": "26"}})
    assert refused(caught) == 422
    with pytest.raises(client.ApiException) as caught:
        objects.list_cluster_custom_object(CALICO, "v1", "bgpfilters")
    assert refused(caught) == 404, "BGPFilter came with 3.26"
    assert objects.list_cluster_custom_object(CALICO, "v1", "ippools")["items"][0]["metadata"]["name"]
    objects.delete_cluster_custom_object(CALICO, "v1", "ippools", "p")


def test_nobody_gets_in_without_a_certificate_of_this_cluster(sim: SimHandle) -> None:
    url = sim.cluster("alpha")["api"]
    with httpx.Client(verify=False, trust_env=False, timeout=60) as stranger:  # noqa: S501 - it is the server who must refuse
        assert stranger.get(f"{url}/version").status_code == 200
        assert stranger.get(f"{url}/api/v1/nodes").status_code == 401


def test_a_kubeconfig_of_another_cluster_does_not_fit(sim: SimHandle) -> None:
    text = Path(sim.cluster("alpha")["kubeconfig"]).read_text()
    other = base64.b64encode(Authority("kube-ca").pair.certificate.encode()).decode()
    kubeconfig = re.sub(r"(authority-data: )\S+", rf"\g<1>{other}", text)
    with Kube(kubeconfig, timeout=30) as kube, pytest.raises(KubeCaMismatch):
        kube.nodes()


def test_the_driver_sees_health_state_and_ca(sim: SimHandle, kube: Kube) -> None:
    assert {part.name: part.healthy for part in kube.component_health()} == {
        "kube-apiserver": True,
        "etcd": True,
        "kube-scheduler": True,
        "kube-controller-manager": True,
    }
    copy = kube.state_store().read()
    assert copy is not None
    assert copy[0] == "ConfigMap"
    assert kube.server_ca_fingerprint()


def test_a_control_plane_that_is_gone_cannot_be_reached_and_comes_back(sim: SimHandle, hasty: Kube) -> None:
    _until_answers(hasty)
    sim.patch_host("alpha-m001", dead=True)
    with pytest.raises(KubeUnreachable):
        _until_fails(hasty)

    sim.patch_host("alpha-m001", dead=False)
    _until_answers(hasty)


def _until_answers(kube: Kube) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            kube.version()
        except KubeUnreachable:
            time.sleep(0.05)
        else:
            break
    assert kube.version() == "v1.20.15"


def _until_fails(kube: Kube) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        kube.version()
        time.sleep(0.05)


@pytest.mark.parametrize(("kind", "status"), [("fail", 503), ("fail", 429)])
def test_calls_fail_as_told(sim: SimHandle, core: client.CoreV1Api, kind: str, status: int) -> None:
    sim.fault("kube:PATCH:nodes:alpha-w001", kind, "alpha", status=status, times=1)
    with pytest.raises(client.ApiException) as caught:
        core.patch_node("alpha-w001", {"metadata": {"labels": {"x": "y"}}})
    assert refused(caught) == status
    core.patch_node("alpha-w001", {"metadata": {"labels": {"x": "y"}}})


def test_a_write_that_is_cut_after_it_took_effect(sim: SimHandle, kube: Kube, core: client.CoreV1Api) -> None:
    sim.fault("kube:DELETE:configmaps", "cut_after", "alpha", times=1)
    core.create_namespaced_config_map("default", {"metadata": {"name": "gone"}})
    with pytest.raises(KubeOutcomeUnknown):
        kube.resource("", "v1", "configmaps", "default").delete("gone")
    assert kube.resource("", "v1", "configmaps", "default").get("gone") is None


def test_etcd_tells_its_health_to_holders_of_a_certificate(sim: SimHandle, tmp_path: Path) -> None:
    bundle = json.loads(Path(sim.cluster("alpha")["state"]).read_text())["currentState"]["certificatesBundle"]
    for name in ("kube-ca", "kube-admin"):
        (tmp_path / f"{name}.pem").write_text(bundle[name]["certificatePEM"])
        (tmp_path / f"{name}-key.pem").write_text(bundle[name]["keyPEM"])
    context = ssl.create_default_context(cafile=str(tmp_path / "kube-ca.pem"))
    url = f"https://{sim.machine('alpha-m001')['address']}:2379/health"
    assert httpx.get(url, verify=context, trust_env=False, timeout=60).status_code == 404
    context.load_cert_chain(tmp_path / "kube-admin.pem", tmp_path / "kube-admin-key.pem")
    assert httpx.get(url, verify=context, trust_env=False, timeout=60).json()["health"] == "true"


def test_an_api_server_that_is_stopped_closes_its_port(sim: SimHandle, target: Target, hasty: Kube) -> None:
    with ssh.connect(target("alpha-m001")) as remote:
        docker = docker_over(remote)
        docker.stop("kube-apiserver")
        with pytest.raises(KubeUnreachable):
            _until_fails(hasty)
        docker.start("kube-apiserver")
    _until_answers(hasty)
