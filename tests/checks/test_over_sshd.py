"""Checks over a real OpenSSH sshd: the real facts script, real channels, a Docker Engine on a real Unix socket."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from autorke.checks.context import ClusterContext, NewWorker
from autorke.checks.results import Level, Report
from autorke.checks.run import run_checks
from autorke.drivers.base import SshTarget
from tests.checks import healthy
from tests.contract.fake_engine import FakeEngine, serving
from tests.sshd import Sshd, make_key, running_sshd

pytestmark = pytest.mark.sshd


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeEngine, Path]]:
    path = tmp_path_factory.mktemp("engine") / "docker.sock"
    fake = FakeEngine()
    with serving(fake, path):
        yield fake, path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("checks-sshd")) as running:
        yield running


@pytest.fixture
def context() -> ClusterContext:
    """The cluster of the fixtures, with nothing to reach outside this machine."""
    known = healthy.context()
    settings = dataclasses.replace(known.settings, images=(), mtu=0)
    return dataclasses.replace(known, settings=settings, controlplane=(), control_hosts=())


def worker(target: SshTarget) -> NewWorker:
    return NewWorker(node="m1", target=target, address="127.0.0.1", hostname="m1")


def levels(report: Report) -> dict[str, Level]:
    return {it.check: it.level for it in report.messages}


def test_this_machine_is_read_and_nothing_is_changed(
    server: Sshd, engine: tuple[FakeEngine, Path], context: ClusterContext
) -> None:
    fake, path = engine
    report = run_checks([worker(server.target(docker_socket=str(path)))], context)
    facts = report.facts["m1"]
    assert facts.machine is not None
    assert facts.docker is not None
    assert facts.clock is not None
    assert facts.machine.hostname == os.uname().nodename
    assert facts.machine.docker_socket == str(path)
    assert facts.docker.version == "20.10.24"
    assert facts.socket_forwarded is True
    assert facts.clock.at_least_ms <= 0 <= facts.clock.at_most_ms
    assert {request.method for request in fake.requests} == {"GET"}
    assert fake.events == []
    spoken = {it.check for it in report.results}
    assert {"ssh-reachable", "facts", "docker", "docker-access", "forwarding", "clock", "disk-space"} <= spoken
    assert "hostname-matches" in levels(report)


def test_wrong_host_key_is_one_error_and_nothing_is_sent(
    server: Sshd, engine: tuple[FakeEngine, Path], context: ClusterContext
) -> None:
    fake, path = engine
    fake.requests.clear()
    other = make_key().public
    report = run_checks([worker(server.target(docker_socket=str(path), host_key=other))], context)
    assert levels(report) == {"ssh-reachable": Level.ERROR}
    assert "not the pinned one" in report.messages[0].seen.en
    assert fake.requests == []


def test_wrong_key_is_one_error(server: Sshd, context: ClusterContext) -> None:
    report = run_checks([worker(server.target(private_key=make_key().private))], context)
    assert levels(report) == {"ssh-reachable": Level.ERROR}
    assert f"refused the login of user {server.user}" in report.messages[0].seen.en


def test_refused_port_is_one_error(server: Sshd, context: ClusterContext) -> None:
    report = run_checks([worker(server.target(port=1))], context)
    assert levels(report) == {"ssh-reachable": Level.ERROR}
    assert "refused" in report.messages[0].seen.en


def test_no_docker_socket(server: Sshd, context: ClusterContext, tmp_path: Path) -> None:
    report = run_checks([worker(server.target(docker_socket=str(tmp_path / "no.sock")))], context)
    assert levels(report)["docker"] is Level.ERROR
    assert "docker-access" not in levels(report)
    assert "forwarding" not in levels(report)


def test_forbidden_socket_forwarding_is_named_as_such(
    engine: tuple[FakeEngine, Path], context: ClusterContext, tmp_path: Path
) -> None:
    """sshd answers as if the socket were missing; the machine's own look at it tells the difference."""
    _, path = engine
    programs = tmp_path / "bin"
    programs.mkdir()
    (tmp_path / "server").mkdir()
    with running_sshd(tmp_path / "server", programs=programs, AllowStreamLocalForwarding="no") as strict:
        report = run_checks([worker(strict.target(docker_socket=str(path)))], context)
    assert "forwarding" in levels(report)
    message = next(it for it in report.messages if it.check == "forwarding")
    assert "AllowStreamLocalForwarding" in message.seen.en
    assert "docker" not in levels(report)


def test_forbidden_tcp_forwarding_is_named_as_such(
    engine: tuple[FakeEngine, Path], context: ClusterContext, tmp_path: Path
) -> None:
    _, path = engine
    away = dataclasses.replace(context, controlplane=healthy.context().controlplane)
    with running_sshd(tmp_path, AllowTcpForwarding="no", AllowStreamLocalForwarding="yes") as strict:
        report = run_checks([worker(strict.target(docker_socket=str(path)))], away)
    message = next(it for it in report.messages if it.check == "forwarding")
    assert "AllowTcpForwarding" in message.seen.en or "AllowStreamLocalForwarding" in message.seen.en
    assert "controlplane-reachable" not in levels(report)


def test_a_dead_controlplane_port_is_seen_from_the_machine(
    server: Sshd, engine: tuple[FakeEngine, Path], context: ClusterContext
) -> None:
    _, path = engine
    endpoint = dataclasses.replace(healthy.context().controlplane[0], host="127.0.0.1", port=1)
    report = run_checks(
        [worker(server.target(docker_socket=str(path)))], dataclasses.replace(context, controlplane=(endpoint,))
    )
    message = next(it for it in report.messages if it.check == "controlplane-reachable")
    assert message.level is Level.ERROR
    assert "127.0.0.1:1" in message.seen.en


def test_docker_that_denies_and_docker_that_fails(
    server: Sshd, engine: tuple[FakeEngine, Path], context: ClusterContext
) -> None:
    fake, path = engine
    fake.answers["/info"] = (500, b'{"message": "no space left on device"}')
    try:
        report = run_checks([worker(server.target(docker_socket=str(path)))], context)
    finally:
        fake.answers.clear()
    message = next(it for it in report.messages if it.check == "docker")
    assert "no space left on device" in message.seen.en
