"""The running lab as a fixture. Without `AUTORKE_LAB=1` nothing is started and these tests skip, saying so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autorke.drivers.base import SshTarget

LAB = Path(__file__).resolve().parents[2] / "deploy" / "lab"
STATE = Path(os.environ.get("AUTORKE_LAB_DIR", "/var/tmp/autorke-lab"))
SECONDS_TO_BUILD = 3600
"""`up` with an empty cache compiles Kubernetes; with a warm one it takes under two minutes."""

CONTROL_PLANE_CONTAINERS = {
    "etcd", "etcd-rolling-snapshots", "kube-apiserver", "kube-controller-manager", "kube-scheduler",
    "service-sidekick", "kubelet", "kube-proxy",
}  # fmt: skip
WORKER_CONTAINERS = {"nginx-proxy", "service-sidekick", "kubelet", "kube-proxy"}
RKE_CONTAINERS = CONTROL_PLANE_CONTAINERS | WORKER_CONTAINERS

sys.path.insert(0, str(LAB))  # lablib, the lab's own package, is no part of the product


@dataclass(frozen=True)
class LabMachine:
    name: str
    address: str
    ssh_port: int
    user: str
    host_key: str
    sn: str
    roles: list[str]


@dataclass(frozen=True)
class RunningLab:
    """What lab.json says; paths are absolute."""

    state: Path
    machines: dict[str, LabMachine]
    ssh_key: Path
    cluster_yml: Path
    rkestate: Path
    kubeconfig: Path
    kubectl: Path
    cmdb: Path
    inventory: Path
    rke_binary: str | None
    created_by: str
    """`rke` or, without a stock rke at hand, `lab`."""

    def ssh(self, name: str, command: str, known_hosts: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a shell command on a machine; its host key must be the pinned one."""
        machine = self.machines[name]
        pins = known_hosts or self.state / "known_hosts"
        options = [f"UserKnownHostsFile={pins}", "StrictHostKeyChecking=yes", "BatchMode=yes", "ConnectTimeout=30"]
        argv = ["ssh", "-F", "none", "-i", str(self.ssh_key), "-p", str(machine.ssh_port)]
        argv += [word for option in options for word in ("-o", option)]
        argv += [f"{machine.user}@{machine.address}", command]
        return subprocess.run(argv, capture_output=True, text=True, timeout=300)

    def target(self, name: str) -> SshTarget:
        """A machine as the product's drivers take it."""
        machine = self.machines[name]
        return SshTarget(
            name=name,
            address=machine.address,
            port=machine.ssh_port,
            user=machine.user,
            host_key=machine.host_key,
            private_key=self.ssh_key.read_text(),
        )

    def containers(self, name: str) -> dict[str, str]:
        """Name -> id of the containers that rke keeps on a machine."""
        lines = self.ssh(name, "docker ps --all --no-trunc --format '{{.Names}} {{.ID}}'").stdout.splitlines()
        found = dict(line.split() for line in lines)
        return {container: number for container, number in found.items() if container in RKE_CONTAINERS}

    def node(self, name: str) -> dict[str, Any]:
        """A Node object."""
        found: dict[str, Any] = json.loads(self.kubernetes("get", "node", name, "-o", "json"))
        return found

    def ready_node(self, name: str) -> dict[str, Any]:
        """A Node object that is Ready: one whose kubelet was late to say so, on a busy computer, is asked again."""
        deadline = time.monotonic() + 180
        while True:
            found = self.node(name)
            status = {entry["type"]: entry["status"] for entry in found["status"]["conditions"]}
            if status.get("Ready") == "True":
                return found
            assert time.monotonic() < deadline, f"{name} is not Ready: {found['status']['conditions']}"
            time.sleep(1)

    def kubernetes(self, *args: str) -> str:
        """Output of one kubectl call as the cluster's administrator."""
        argv = [str(self.kubectl), "--kubeconfig", str(self.kubeconfig), *args]
        return subprocess.run(argv, capture_output=True, text=True, timeout=300, check=True).stdout

    def command(self, *args: str, seconds: float = 900) -> str:
        """Output of `lab.sh`, e.g. `events show` or `reset`."""
        argv = [str(LAB / "lab.sh"), *args]
        environment = {**os.environ, "AUTORKE_LAB_DIR": str(self.state)}
        return subprocess.run(
            argv, stdout=subprocess.PIPE, text=True, timeout=seconds, check=True, env=environment
        ).stdout


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that use the lab are marked so, and may take the time that bringing it up needs."""
    for item in items:
        if "lab" in getattr(item, "fixturenames", ()):  # also through another fixture
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.timeout(SECONDS_TO_BUILD))


@pytest.fixture(scope="session")
def lab() -> RunningLab:
    """The running lab, brought up first if it is not, and left running. Only on request: one test run at a time."""
    if os.environ.get("AUTORKE_LAB") != "1":
        pytest.skip("NO LAB: real machines were not tested; run './run lab test' or set AUTORKE_LAB=1")
    if subprocess.run([LAB / "lab.sh", "status"], capture_output=True, timeout=300).returncode:
        subprocess.run([LAB / "lab.sh", "up"], check=True, timeout=SECONDS_TO_BUILD)
    return _read()


class _Freshness:
    """Whether the free machines and the cluster files may be other than `reset` makes them; at first nobody knows."""

    changed = True

    def restore(self, lab: RunningLab) -> None:
        if self.changed:
            lab.command("reset")
        self.changed = False


@pytest.fixture(scope="session")
def freshness() -> _Freshness:
    return _Freshness()


@pytest.fixture
def untouched_lab(lab: RunningLab, freshness: _Freshness) -> RunningLab:
    """The lab with m3 and m4 free and fresh, for tests that only read."""
    freshness.restore(lab)
    return lab


@pytest.fixture
def fresh_lab(untouched_lab: RunningLab, freshness: _Freshness) -> RunningLab:
    """The same, for tests that change machines or the cluster: the next one gets it put back."""
    freshness.changed = True
    return untouched_lab


def _read() -> RunningLab:
    document = json.loads((STATE / "lab.json").read_text())
    return RunningLab(
        state=STATE,
        machines={entry["name"]: LabMachine(**entry) for entry in document["machines"]},
        ssh_key=Path(document["ssh_key_path"]),
        cluster_yml=Path(document["cluster_yml"]),
        rkestate=Path(document["rkestate"]),
        kubeconfig=Path(document["kubeconfig"]),
        kubectl=Path(document["kubectl"]),
        cmdb=Path(document["cmdb"]),
        inventory=Path(document["inventory"]),
        rke_binary=document["rke_binary"],
        created_by=document["created_by"],
    )
