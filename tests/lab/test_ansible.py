"""The initialise playbook on real machines: prepares free ones once, refuses the others before it changes anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from autorke.drivers.ansible import AnsibleHost, HostResult, run_playbook
from tests.lab.conftest import RunningLab

TICKET = "lab-ticket"


@pytest.fixture
def memory() -> Iterator[Path]:
    with TemporaryDirectory(dir="/dev/shm") as directory:
        yield Path(directory)


def initialise(lab: RunningLab, memory: Path, *names: str, listed: tuple[str, ...] = ()) -> dict[str, HostResult]:
    return run_playbook(
        "init_worker",
        [AnsibleHost(lab.target(name), {"autorke_ssh_user": "ops", "autorke_ticket": TICKET}) for name in names],
        variables={
            "autorke_docker": True,
            "autorke_kernel": True,
            "autorke_gpu": True,
            "autorke_docker_versions": ["19.03", "20.10"],
            "autorke_proxy_mode": "iptables",
            "autorke_fail_swap_on": False,
            "autorke_listed_addresses": list(listed),
        },
        run_dir=memory,
        emit=lambda _name, _line: None,
        cancelled=lambda: False,
        timeout=600,
    )


def test_free_machines_are_prepared_once(fresh_lab: RunningLab, memory: Path) -> None:
    members = tuple(fresh_lab.machines[name].address for name in ("m1", "m2"))
    fresh_lab.command("events", "start")
    first = initialise(fresh_lab, memory, "m3", "m4", listed=members)
    second = initialise(fresh_lab, memory, "m3", "m4", listed=members)
    fresh_lab.command("events", "stop")
    assert {name: result.ok for name, result in first.items()} == {"m3": True, "m4": True}, first
    assert {name: (result.ok, result.changed) for name, result in second.items()} == {"m3": (True, 0), "m4": (True, 0)}
    for name in ("m3", "m4"):
        assert fresh_lab.ssh(name, "cat /etc/autorke/initialised").stdout.strip() == TICKET
        assert fresh_lab.ssh(name, "cat /proc/sys/fs/inotify/max_user_instances").stdout.strip() == "8192"
    assert json.loads(fresh_lab.command("events", "show")) == {"m1": {}, "m2": {}, "m3": {}, "m4": {}}


def test_a_serving_node_is_refused_even_when_no_list_names_it(untouched_lab: RunningLab, memory: Path) -> None:
    for name in ("m1", "m2"):
        result = initialise(untouched_lab, memory, name)[name]
        assert result.failed_task == "Refuse a machine that carries Kubernetes components"
        assert result.changed == 0
        assert untouched_lab.ssh(name, "ls --directory /etc/autorke").returncode != 0


def test_a_listed_address_is_refused_even_when_the_machine_is_free(untouched_lab: RunningLab, memory: Path) -> None:
    listed = untouched_lab.machines["m4"].address
    result = initialise(untouched_lab, memory, "m4", listed=(listed,))["m4"]
    assert result.failed_task == "Refuse a machine that is listed in a cluster"
    assert listed in result.message
    assert result.changed == 0
    assert untouched_lab.ssh("m4", "ls --directory /etc/autorke").returncode != 0
