"""The initialise step's own playbook, run by real Ansible over real SSH against simulated machines."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from autorke.drivers.ansible import AnsibleHost, HostResult, run_playbook
from autorke.sim import process
from autorke.sim.process import SimHandle
from tests.sim.conftest import target_of
from tests.terminal import needs_terminal

pytestmark = [needs_terminal, pytest.mark.timeout(700)]

VARIABLES = {
    "autorke_docker": True,
    "autorke_kernel": True,
    "autorke_gpu": True,
    "autorke_docker_versions": ["20.10"],
    "autorke_proxy_mode": "ipvs",
    "autorke_fail_swap_on": True,
    "autorke_listed_addresses": [],
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimHandle]:
    directory = tmp_path_factory.mktemp("ansible")
    spec = {
        "password": "correct horse",
        "timing": {"package_seconds": 0.01},
        "clusters": [{"name": "alpha", "workers": 1}],
        "machines": [
            {"prefix": "deb", "count": 1, "os": "debian12", "prepared": False, "kind": "small"},
            {"prefix": "cen", "count": 1, "os": "centos7", "prepared": False, "kind": "gpu"},
            {"prefix": "old", "count": 1, "os": "ubuntu20", "kind": "small"},
        ],
    }
    path = directory / "fleet.yml"
    path.write_text(yaml.safe_dump(spec))
    with process.start(path, directory / "state") as handle:
        handle.patch_host("deb-001", facts={"loaded_modules": [], "swap": [{"path": "/dev/sdb1"}], "groups": []})
        handle.patch_host("old-001", facts={"docker": {"version": "19.03.5"}})
        yield handle


@pytest.fixture
def memory() -> Iterator[Path]:
    """A private directory in memory, which the driver insists on."""
    directory = Path(tempfile.mkdtemp(prefix="autorke-", dir="/dev/shm"))
    yield directory
    shutil.rmtree(directory)


def initialise(sim: SimHandle, memory: Path, *names: str, **login: Any) -> dict[str, HostResult]:
    said = {"autorke_ssh_user": sim.index["ssh"]["user"], "autorke_ticket": "T-7"}
    hosts = [AnsibleHost(dataclasses.replace(target_of(sim, name), **login), said) for name in names]
    return run_playbook(
        "init_worker",
        hosts,
        variables=VARIABLES,
        run_dir=memory,
        emit=lambda _name, _line: None,
        cancelled=lambda: False,
        timeout=280,
    )


def test_machines_are_prepared_once_and_refused_where_they_should_be(fleet: SimHandle, memory: Path) -> None:
    found = initialise(fleet, memory, "deb-001", "cen-001", "old-001", "alpha-w001")

    assert found["deb-001"].ok, found["deb-001"]
    assert found["cen-001"].ok, found["cen-001"]
    assert found["old-001"].failed_task == "Refuse a Docker Engine that rke does not accept for this cluster"
    assert found["alpha-w001"].failed_task == "Refuse a machine that carries Kubernetes components"
    deb, cen = fleet.host("deb-001")["facts"], fleet.host("cen-001")["facts"]
    assert deb["docker"]["installed"]
    assert deb["docker"]["running"]
    assert deb["swap"] == []
    assert deb["groups"] == ["docker"]
    assert {"br_netfilter", "ip_vs", "vxlan"} <= set(deb["loaded_modules"])
    assert cen["gpus"][0]["driver"]
    assert fleet.counters("deb-001")["execs"] > 20
    assert all("unknown_commands" not in counts for counts in fleet.counters().values())

    before = len(fleet.journal())
    again = initialise(fleet, memory, "deb-001", "cen-001")
    assert {name: (result.ok, result.changed) for name, result in again.items()} == {
        "deb-001": (True, 0),
        "cen-001": (True, 0),
    }
    assert [entry["what"] for entry in fleet.journal(after=before)] == []


def test_a_machine_that_only_knows_a_password_is_prepared_too(fleet: SimHandle, memory: Path) -> None:
    by_word = {"private_key": None, "password": "correct horse"}
    found = initialise(fleet, memory, "deb-001", "cen-001", **by_word)
    assert {name: result.ok for name, result in found.items()} == {"deb-001": True, "cen-001": True}, found


def test_a_machine_that_is_slow_to_answer_is_waited_for(fleet: SimHandle, memory: Path) -> None:
    """One answer of sudo that took 12 s once failed the step; a busy machine takes that long now and then."""
    fleet.fault("exec", "slow", host="deb-001", ms=14_000, times=1, after=10)
    found = initialise(fleet, memory, "deb-001")["deb-001"]
    fleet.lift()
    assert found.ok, found


def test_a_module_that_fails_is_named(fleet: SimHandle, memory: Path) -> None:
    fleet.fault("ansible:slurp", "fail", "deb-001", text="no space left on device")
    found = initialise(fleet, memory, "deb-001")["deb-001"]
    fleet.lift()
    assert (found.ok, found.failed_task) == (False, "See whether packets will be forwarded")
    assert "no space left" in found.message
