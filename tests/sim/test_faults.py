"""Each fault looks from outside like the thing it stands for."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import httpx
import pytest

from autorke.drivers import ssh
from autorke.drivers.base import (
    AuthenticationRefused,
    DockerError,
    ForwardingRefused,
    HostKeyMismatch,
    RemoteTimeout,
    Unreachable,
)
from autorke.drivers.docker import docker_over
from autorke.drivers.ssh.dialing import Limits
from autorke.drivers.ssh.errors import ConnectionLost
from autorke.sim.process import SimFailed, SimHandle
from tests.sim.conftest import Target

SHORT = Limits(connect=0.5, banner=0.5, login=1.0)
NAME = "free-001"


def address(sim: SimHandle, name: str = NAME) -> tuple[str, int]:
    machine = sim.machine(name)
    return machine["address"], machine["port"]


def test_refuse_is_a_closed_port(sim: SimHandle, target: Target) -> None:
    fault = sim.fault("connect", "refuse", NAME)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address(sim), timeout=1)
    with pytest.raises(Unreachable):
        ssh.connect(target(NAME), limits=SHORT)

    sim.lift(fault)
    ssh.connect(target(NAME)).close()
    ssh.connect(target("free-002")).close()


def test_hang_at_connect_drops_packets(sim: SimHandle) -> None:
    sim.fault("connect", "hang", NAME)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        socket.create_connection(address(sim), timeout=0.7)

    assert time.monotonic() - began >= 0.6
    assert sim.counters() == {}, "the machine never saw anybody"


def test_hang_at_banner_accepts_and_stays_silent(sim: SimHandle, target: Target) -> None:
    sim.fault("banner", "hang", NAME)
    with pytest.raises(Unreachable, match="sends no SSH banner"):
        ssh.connect(target(NAME), limits=Limits(banner=2))


@pytest.mark.parametrize("kind", ["cut", "garbage"])
def test_a_connection_that_is_cut_or_not_ssh_is_unreachable(sim: SimHandle, target: Target, kind: str) -> None:
    sim.fault("banner", kind, NAME)
    with pytest.raises(Unreachable):
        ssh.connect(target(NAME), limits=SHORT)


def test_a_fault_strikes_as_often_as_it_was_told(sim: SimHandle, target: Target) -> None:
    sim.fault("banner", "cut", NAME, after=1, times=1)
    ssh.connect(target(NAME)).close()
    with pytest.raises(Unreachable):
        ssh.connect(target(NAME), limits=SHORT)
    ssh.connect(target(NAME)).close()


def test_refused_login(sim: SimHandle, target: Target) -> None:
    sim.fault("auth", "refuse", NAME)
    with pytest.raises(AuthenticationRefused):
        ssh.connect(target(NAME))


def test_login_that_never_answers(sim: SimHandle, target: Target) -> None:
    sim.fault("auth", "hang", NAME)
    with pytest.raises(Unreachable, match="no answer to the login"):
        ssh.connect(target(NAME), limits=Limits(login=1.0))


def test_another_host_key(sim: SimHandle, target: Target) -> None:
    sim.patch_host("free-004", rekey=True)
    with pytest.raises(HostKeyMismatch):
        ssh.connect(target("free-004"))


def test_command_fails_hangs_or_is_cut(sim: SimHandle, target: Target) -> None:
    with ssh.connect(target(NAME)) as remote:
        sim.fault("exec:uname", "fail", NAME, status=5, text="no uname today")
        answer = remote.run(["uname"])
        assert (answer.exit_code, answer.stderr) == (5, "no uname today")
        assert remote.run(["true"]).ok, "other commands are not struck"
        sim.lift()

        sim.fault("exec", "hang", NAME)
        with pytest.raises(RemoteTimeout):
            remote.run(["true"], timeout=2)
        sim.lift()

        sim.fault("exec:true", "cut", NAME)
        with pytest.raises(ConnectionLost):
            remote.run(["true"], timeout=60)


def test_docker_call_that_is_cut_after_it_took_effect(sim: SimHandle, target: Target) -> None:
    with ssh.connect(target(NAME)) as remote:
        docker = docker_over(remote)
        docker.pull("busybox:1")
        sim.fault("docker:create:lost", "cut_after", NAME)
        with pytest.raises(DockerError) as caught:
            docker.create("lost", {"Image": "busybox:1"})
        assert caught.value.maybe_done
        assert docker.inspect("lost") is not None
        docker.remove("lost")


def test_docker_call_that_is_cut_before_it_took_effect(sim: SimHandle, target: Target) -> None:
    with ssh.connect(target(NAME)) as remote:
        docker = docker_over(remote)
        docker.pull("busybox:1")
        sim.fault("docker:create:lost", "cut", NAME)
        with pytest.raises(DockerError):
            docker.create("lost", {"Image": "busybox:1"})
        assert docker.inspect("lost") is None


def test_docker_call_that_fails(sim: SimHandle, target: Target) -> None:
    sim.fault("docker:pull", "fail", NAME, status=500, text="no space left on device")
    with ssh.connect(target(NAME)) as remote, pytest.raises(DockerError, match="no space left"):
        docker_over(remote).pull("busybox:2")


def test_a_pull_that_breaks_in_the_middle(sim: SimHandle, target: Target) -> None:
    sim.fault("docker:pull-stream", "fail", NAME, text="unexpected EOF")
    with ssh.connect(target(NAME)) as remote:
        docker = docker_over(remote)
        with pytest.raises(DockerError, match="unexpected EOF"):
            docker.pull("busybox:3")
        assert docker.image("busybox:3") is None


def test_a_machine_that_dies_half_way_stays_dark(sim: SimHandle, target: Target) -> None:
    name = "free-003"
    sim.fault("docker:start", "die", name)
    remote = ssh.connect(target(name))
    docker = docker_over(remote)
    docker.pull("busybox:1")
    docker.create("victim", {"Image": "busybox:1", "Cmd": ["/bin/sleep", "60"]})
    with pytest.raises((DockerError, Unreachable)):
        docker.start("victim")
    remote.close()
    sim.lift()

    with pytest.raises(Unreachable):
        ssh.connect(target(name), limits=SHORT)
    sim.patch_host(name, dead=False)
    with ssh.connect(target(name)) as again:
        found = docker_over(again).inspect("victim")
        assert found is not None
        assert found["State"]["Running"] is False
        docker_over(again).remove("victim")


@pytest.mark.parametrize("facts", [{"docker": {"socket": "denied"}}, {"streamlocal_forwarding": False}])
def test_docker_socket_that_may_not_be_used(sim: SimHandle, target: Target, facts: dict[str, object]) -> None:
    sim.patch_host("free-002", facts=facts)
    with ssh.connect(target("free-002")) as remote, pytest.raises(ForwardingRefused):
        remote.open_unix("/var/run/docker.sock")
    sim.patch_host("free-002", facts={"docker": {"socket": "ok"}, "streamlocal_forwarding": True})


def test_tcp_forwarding_that_is_forbidden_is_told_from_a_closed_port(sim: SimHandle, target: Target) -> None:
    with ssh.connect(target("free-002")) as remote:
        with pytest.raises(ForwardingRefused, match="Connect failed"):
            remote.open_tcp("127.0.0.1", 10250)
        sim.patch_host("free-002", facts={"tcp_forwarding": False})
        with pytest.raises(ForwardingRefused, match="prohibited"):
            remote.open_tcp("127.0.0.1", 10250)
    sim.patch_host("free-002", facts={"tcp_forwarding": True})


@pytest.mark.parametrize(
    ("kind", "more"),
    [("fail", {"status": 503}), ("cut", {}), ("garbage", {})],
)
def test_a_cmdb_that_fails_or_answers_half(sim: SimHandle, kind: str, more: dict[str, int]) -> None:
    url = sim.index["cmdb"]["url"] + "/api/v1/machines"
    headers = {"Authorization": f"Bearer {sim.index['cmdb']['token']}"}
    sim.fault("cmdb", kind, "cmdb", times=1, **more)
    with httpx.Client(trust_env=False, headers=headers, timeout=60) as client:
        if kind == "cut":
            with pytest.raises(httpx.RemoteProtocolError):
                client.get(url)
        else:
            answer = client.get(url)
            assert answer.status_code == more.get("status", 200)
            if kind == "garbage":
                with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
                    answer.json()
        assert client.get(url).json()["data"]["total"] == len(sim.index["machines"])


def test_a_fault_that_makes_no_sense_is_refused(sim: SimHandle) -> None:
    with pytest.raises(SimFailed, match="422"):
        sim.fault("connect", "explode")
    with pytest.raises(SimFailed, match="404"):
        sim.patch_host("no-such-machine", dead=True)
    with pytest.raises(SimFailed, match="422"):
        sim.patch_host(NAME, facts={"swapp": []})
    with pytest.raises(SimFailed, match="422"):
        sim.patch_host(NAME, colour="red")


def test_only_loopback_addresses_are_listened_on(sim: SimHandle) -> None:
    pid = sim.process.pid
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(entry.readlink().name)
        except FileNotFoundError:
            continue
    listening = [
        line.split()[1]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and f"socket:[{line.split()[9]}]" in inodes
    ]
    assert len(listening) >= len(sim.index["machines"])
    assert all(place.split(":")[0].endswith("7F") for place in listening), "little-endian 127.x.y.z"
