"""Starting, stopping and starting again: what a simulation promises to those who run it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autorke.drivers import ssh
from autorke.drivers.docker import docker_over
from autorke.drivers.kube import Kube
from autorke.sim import process
from autorke.sim.process import SimFailed, SimHandle
from tests.sim.conftest import target_of
from tests.sim.joining import files_of, join


def kube_of(sim: SimHandle) -> Kube:
    return Kube(Path(sim.cluster("alpha")["kubeconfig"]).read_text(), timeout=60)


def container_ids(sim: SimHandle, name: str) -> dict[str, str]:
    with ssh.connect(target_of(sim, name)) as remote:
        return {entry["Names"][0]: entry["Id"] for entry in docker_over(remote).containers()}


def test_a_restart_keeps_what_was_done(tmp_path: Path) -> None:
    with process.start("small", tmp_path) as first:
        join(first, files_of(first, "alpha"), "free-001")
        with kube_of(first) as kube:
            kube.wait_ready("free-001", timeout=60, emit=lambda _node, _line: None, interval=0.05)
            kube.patch_node("alpha-w001", labels={"rack": "r7"})
            ca = kube.server_ca_fingerprint()
        first.patch_host("free-002", facts={"swap": [{"path": "/dev/sdb1"}]}, rekey=True)
        first.patch_host("free-003", dead=True)
        first.cmdb("PATCH", "free-004", owner="someone-else")
        known = {name: first.machine(name)["host_key"] for name in ("free-001", "free-002")}
        containers = container_ids(first, "free-001")
        changed = Path(first.cluster("alpha")["config"])
        changed.write_text(changed.read_text() + "# edited\n")

    with process.start("small", tmp_path) as second:
        assert second.machine("free-001")["host_key"] == known["free-001"]
        assert second.machine("free-002")["host_key"] != known["free-002"]
        assert second.index["cmdb"]["url"] == first.index["cmdb"]["url"]
        assert second.machine("free-001")["address"] == first.machine("free-001")["address"]
        assert container_ids(second, "free-001") == containers
        assert second.host("free-002")["facts"]["swap"][0]["path"] == "/dev/sdb1"
        assert second.host("free-003")["dead"]
        assert second.cmdb("GET", "free-004")["owner"] == "someone-else"
        assert changed.read_text().endswith("# edited\n"), "an operator's file is not written over"
        with kube_of(second) as kube:
            assert kube.server_ca_fingerprint() == ca
            node = kube.wait_ready("free-001", timeout=60, emit=lambda _node, _line: None, interval=0.05)
            assert node.ready
            found = kube.node_by_hostname("alpha-w001")
            assert found is not None
            assert found.labels["rack"] == "r7"


def test_another_fleet_begins_anew(tmp_path: Path) -> None:
    with process.start("small", tmp_path) as first, kube_of(first) as kube:
        ca = kube.server_ca_fingerprint()
    fleet = tmp_path / "fleet.yml"
    fleet.write_text("{clusters: [{name: alpha, workers: 1}], machines: [{prefix: free, count: 1}]}")
    with process.start(fleet, tmp_path) as second, kube_of(second) as kube:
        assert kube.server_ca_fingerprint() != ca
        assert len(second.index["machines"]) == 3


def test_two_simulations_run_side_by_side(tmp_path: Path) -> None:
    with process.start("small", tmp_path / "a") as one, process.start("small", tmp_path / "b") as two:
        assert one.index["net"] != two.index["net"]
        with ssh.connect(target_of(two, "free-001")) as remote:
            remote.run(["true"])
        assert one.counters() == {}
        with pytest.raises(SimFailed, match="still running"):
            process.start("small", tmp_path / "a")


@pytest.mark.parametrize(
    "text", ["clusters: [{name: Alpha}]", "clusters: [{name: a, version: v1.99.1-rancher1-1}]", "no_such_key: 1", "[: "]
)
def test_a_fleet_file_that_makes_no_sense_is_refused(tmp_path: Path, text: str) -> None:
    fleet = tmp_path / "fleet.yml"
    fleet.write_text(text)
    with pytest.raises(SimFailed, match="ended before"):
        process.start(fleet, tmp_path / "state")


def test_a_simulation_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from autorke.sim import process;"
        "handle = process.start('small', Path(sys.argv[1])); print(handle.process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and _alive(pid):
        time.sleep(0.05)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
