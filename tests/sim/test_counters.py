"""Untouched is measured, so the measure itself must be right."""

from __future__ import annotations

import socket

import pytest

from autorke.drivers import ssh
from autorke.drivers.base import AuthenticationRefused
from autorke.drivers.docker import docker_over
from autorke.sim.process import SimHandle
from tests.sim.conftest import Target
from tests.sshd import make_key


def test_a_machine_that_nobody_touched_has_no_counters(sim: SimHandle, target: Target) -> None:
    with ssh.connect(target("free-001")) as remote:
        remote.run(["true"])
        remote.run(["uname", "-r"])

    counters = sim.counters()
    assert counters.keys() == {"free-001"}
    assert counters["free-001"] == {"connects": 1, "auth_ok": 1, "execs": 2}


def test_a_bare_tcp_connection_counts(sim: SimHandle) -> None:
    machine = sim.machine("free-002")
    with socket.create_connection((machine["address"], machine["port"]), timeout=60) as sock:
        assert sock.recv(4) == b"SSH-"

    assert sim.counters("free-002") == {"connects": 1}


def test_a_refused_login_counts(sim: SimHandle, target: Target) -> None:
    stranger = make_key()
    wrong = target("free-002").__class__(**{**vars(target("free-002")), "private_key": stranger.private})
    with pytest.raises(AuthenticationRefused):
        ssh.connect(wrong)

    counters = sim.counters("free-002")
    assert counters["auth_failed"] == 1
    assert "auth_ok" not in counters


def test_docker_reads_changes_and_events_are_told_apart(sim: SimHandle, target: Target) -> None:
    with ssh.connect(target("free-003")) as remote:
        docker = docker_over(remote)
        docker.info()
        docker.pull("busybox:1")
        docker.create("once", {"Image": "busybox:1", "Cmd": ["true"]})
        docker.remove("once")

    counters = sim.counters("free-003")
    assert counters["docker_changes"] == 3
    assert counters["docker_events"] == 2, "create and destroy; a pull is an event of an image"
    assert counters["docker_reads"] >= 1


def test_the_journal_tells_every_change_in_order(sim: SimHandle, target: Target) -> None:
    before = len(sim.journal())
    with ssh.connect(target("free-003")) as remote:
        docker = docker_over(remote)
        docker.create("twice", {"Image": "busybox:1", "Cmd": ["true"]})
        docker.remove("twice")
        remote.write_file("/etc/marker", b"x", sudo=True)

    entries = sim.journal("free-003", after=before)
    assert [(entry["what"], entry.get("container") or entry.get("path")) for entry in entries] == [
        ("docker.create", "twice"),
        ("docker.destroy", "twice"),
        ("file.write", "/etc/marker"),
    ]
    numbers = [entry["seq"] for entry in sim.journal()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_command_the_simulator_does_not_know_is_127_and_counted(sim: SimHandle, target: Target) -> None:
    with ssh.connect(target("free-004")) as remote:
        assert remote.run(["frobnicate", "--all"]).exit_code == 127
        assert remote.run(["sh", "-c", "for i in 1 2; do echo $i; done"]).exit_code == 127

    assert sim.counters("free-004")["unknown_commands"] == 2
    assert next(e["command"] for e in sim.journal("free-004") if e["what"] == "exec.unknown") == "frobnicate --all"
