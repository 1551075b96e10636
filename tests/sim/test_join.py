"""The worker engine joins simulated machines: nodes appear, certificates lie in place, nobody else is touched."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from autorke.drivers import ssh
from autorke.drivers.docker import docker_over
from autorke.drivers.kube import Kube, KubeNode
from autorke.drivers.workerplane.errors import ContainerDiffers, ForeignCluster, NotHealthy
from autorke.sim import process
from autorke.sim.process import SimHandle
from tests.sim.conftest import target_of
from tests.sim.joining import differences, files_of, join

VERSIONS = {
    "c18": "v1.18.20-rancher1-1",
    "c20": "v1.20.15-rancher2-1",
    "c22": "v1.22.17-rancher1-2",
    "c24": "v1.24.17-rancher1-1",
    "c28": "v1.28.13-rancher1-1",
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimHandle]:
    directory = tmp_path_factory.mktemp("versions")
    spec = {
        "timing": {"join_seconds": 0.05, "ready_seconds": 0.05, "lost_seconds": 0.2, "pull_seconds": 0.01},
        "clusters": [{"name": name, "version": version, "workers": 1} for name, version in VERSIONS.items()],
        "machines": [{"prefix": "free", "count": 12}],
    }
    path = directory / "fleet.yml"
    path.write_text(yaml.safe_dump(spec))
    with process.start(path, directory / "state") as handle:
        yield handle


def kube_of(sim: SimHandle, cluster: str) -> Kube:
    return Kube(Path(sim.cluster(cluster)["kubeconfig"]).read_text(), timeout=30)


def ready_node(sim: SimHandle, cluster: str, name: str, *, seconds: float = 60.0) -> KubeNode:
    with kube_of(sim, cluster) as kube:
        return kube.wait_ready(name, timeout=seconds, emit=lambda _node, _line: None, interval=0.05)


@pytest.mark.parametrize("name", list(VERSIONS))
def test_what_runs_on_a_worker_is_what_the_product_computes(fleet: SimHandle, name: str) -> None:
    assert differences(fleet, files_of(fleet, name), f"{name}-w001") == ()


@pytest.mark.parametrize(("number", "name"), list(enumerate(VERSIONS, start=1)))
def test_a_machine_joins_and_only_it_is_touched(fleet: SimHandle, number: int, name: str) -> None:
    machine = f"free-{number:03d}"
    fleet.reset_counters()

    join(fleet, files_of(fleet, name), machine)
    node = ready_node(fleet, name, machine)

    assert node.name == machine
    assert fleet.counters().keys() == {machine, name}, "no other machine and no other cluster saw a connection"
    assert fleet.counters(machine)["connects"] == 1
    assert "unknown_commands" not in fleet.counters(machine)
    ca = files_of(fleet, name).state.certificates["kube-ca"]["certificatePEM"]
    with ssh.connect(target_of(fleet, machine)) as remote:
        assert remote.run(["cat", "/etc/kubernetes/ssl/kube-ca.pem"], sudo=True).stdout.strip() == ca.strip()
        assert remote.run(["cat", "/etc/kubernetes/ssl/kube-ca.pem"]).stderr.endswith("Permission denied\n")


def test_a_second_join_changes_nothing(fleet: SimHandle) -> None:
    join(fleet, files_of(fleet, "c20"), "free-006")
    fleet.reset_counters()
    assert join(fleet, files_of(fleet, "c20"), "free-006").changes == ()
    assert "docker_changes" not in fleet.counters("free-006")


def test_a_machine_of_cluster_A_is_refused_by_cluster_B(fleet: SimHandle) -> None:
    join(fleet, files_of(fleet, "c18"), "free-007")
    fleet.reset_counters()
    with pytest.raises(ContainerDiffers):
        join(fleet, files_of(fleet, "c20"), "free-007")
    assert "docker_changes" not in fleet.counters("free-007")


def test_leftover_ca_is_refused(fleet: SimHandle) -> None:
    foreign = files_of(fleet, "c18").state.certificates["kube-ca"]["certificatePEM"]
    fleet.patch_host("free-008", files={"/etc/kubernetes/ssl/kube-ca.pem": foreign})
    with pytest.raises(ForeignCluster):
        join(fleet, files_of(fleet, "c20"), "free-008")


def test_a_kubelet_that_cannot_have_its_port_is_not_healthy_and_the_join_can_be_completed(fleet: SimHandle) -> None:
    fleet.patch_host("free-009", facts={"listeners": [{"port": 10250, "process": "cadvisor"}]})
    with pytest.raises(NotHealthy):
        join(fleet, files_of(fleet, "c20"), "free-009", health_seconds=0.4)
    with ssh.connect(target_of(fleet, "free-009")) as remote:
        assert "address already in use" in docker_over(remote).logs("kubelet")

    fleet.patch_host("free-009", facts={"listeners": []})
    join(fleet, files_of(fleet, "c20"), "free-009")
    assert ready_node(fleet, "c20", "free-009").ready


def test_a_node_waits_for_its_network(fleet: SimHandle) -> None:
    held = fleet.fault("node:ready", "hang", "free-010")
    join(fleet, files_of(fleet, "c20"), "free-010")
    with kube_of(fleet, "c20") as kube:
        _until_registered(kube, "free-010")
        node = kube.node_by_hostname("free-010")
        assert node is not None
        assert not node.ready
        assert "network plugin is not ready" in node.condition

    fleet.lift(held)
    assert ready_node(fleet, "c20", "free-010").ready


def test_a_node_whose_kubelet_stops_goes_silent_and_returns(fleet: SimHandle) -> None:
    join(fleet, files_of(fleet, "c20"), "free-011")
    ready_node(fleet, "c20", "free-011")
    with ssh.connect(target_of(fleet, "free-011")) as remote, kube_of(fleet, "c20") as kube:
        docker_over(remote).stop("kubelet")
        deadline = time.monotonic() + 60
        while (node := kube.node_by_hostname("free-011")) and node.ready and time.monotonic() < deadline:
            time.sleep(0.05)
        assert node is not None
        assert not node.ready
        docker_over(remote).start("kubelet")
    assert ready_node(fleet, "c20", "free-011").ready


def test_a_node_that_is_deleted_while_its_kubelet_runs_comes_back(fleet: SimHandle) -> None:
    join(fleet, files_of(fleet, "c20"), "free-012")
    ready_node(fleet, "c20", "free-012")
    with kube_of(fleet, "c20") as kube:
        held = fleet.fault("node:register", "hang", "free-012")  # or it is back before we have looked
        kube.delete_node("free-012")
        assert kube.node_by_hostname("free-012") is None
        fleet.lift(held)
    assert ready_node(fleet, "c20", "free-012").ready


def _until_registered(kube: Kube, name: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and kube.node_by_hostname(name) is None:
        time.sleep(0.05)
