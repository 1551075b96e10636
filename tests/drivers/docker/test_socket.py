"""The way to docker.sock: what is wrong is said, though sshd refuses in the same words whatever it is."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from autorke.drivers import ssh
from autorke.drivers.base import ForwardingRefused
from autorke.drivers.docker import DockerAbsent, DockerSocketDenied, docker_over
from tests.contract.fake_engine import FakeEngine
from tests.sshd import PlainUser, Sshd

pytestmark = pytest.mark.sshd

# What `docker system dial-stdio` does, with python3 in place of docker's client.
DIAL_STDIO = """#!/usr/bin/python3
import os, socket, sys, threading
assert sys.argv[1] == "-H" and sys.argv[3:] == ["system", "dial-stdio"], sys.argv
wire = socket.socket(socket.AF_UNIX)
wire.connect(sys.argv[2].removeprefix("unix://"))
def upload():
    while data := os.read(0, 65536):
        wire.sendall(data)
threading.Thread(target=upload, daemon=True).start()
while data := wire.recv(65536):
    os.write(1, data)
"""


def test_no_socket_means_no_docker(sshd: Sshd, socket_path: Path) -> None:
    with (
        ssh.connect(sshd.target(docker_socket=str(socket_path))) as remote,
        pytest.raises(DockerAbsent, match="does not exist"),
    ):
        docker_over(remote).ping()


def test_a_file_in_its_place_is_no_docker(sshd: Sshd, socket_path: Path) -> None:
    socket_path.touch()
    with (
        ssh.connect(sshd.target(docker_socket=str(socket_path))) as remote,
        pytest.raises(DockerAbsent, match="not a socket"),
    ):
        docker_over(remote).ping()


def test_a_socket_that_a_dead_daemon_left_is_no_docker(sshd: Sshd, socket_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(socket_path))
    with (
        ssh.connect(sshd.target(docker_socket=str(socket_path))) as remote,
        pytest.raises(DockerAbsent, match="nobody listens"),
    ):
        docker_over(remote).ping()


def test_a_user_outside_the_docker_group_is_named(
    make_sshd: Callable[..., Sshd], engine: FakeEngine, socket_path: Path, plain_user: PlainUser
) -> None:
    socket_path.chmod(0o660)
    for parent in list(socket_path.parents)[:3]:
        parent.chmod(parent.stat().st_mode | 0o011)
    server = make_sshd(PasswordAuthentication="yes")
    who = {"user": plain_user.name, "password": plain_user.password, "private_key": None}

    with (
        ssh.connect(server.target(docker_socket=str(socket_path), **who)) as remote,
        pytest.raises(DockerSocketDenied) as caught,
    ):
        docker_over(remote).ping()

    assert plain_user.name in str(caught.value)
    assert engine.requests == []


def test_where_forwarding_is_forbidden_dockers_client_carries_it(
    make_sshd: Callable[..., Sshd], engine: FakeEngine, socket_path: Path, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "docker").write_text(DIAL_STDIO)
    (programs / "docker").chmod(0o755)
    server = make_sshd(AllowStreamLocalForwarding="no", programs=programs)

    with ssh.connect(server.target(docker_socket=str(socket_path))) as remote:
        docker = docker_over(remote)
        docker.create("a1", {"Image": "busybox:1", "Cmd": ["sleep"]})
        docker.load(b"contract/" + bytes(3_000_000))

        assert docker.inspect("a1") is not None
        assert docker.image("autorke-contract:1") is not None


def test_where_nothing_can_carry_it_the_refusal_is_told(
    make_sshd: Callable[..., Sshd], engine: FakeEngine, socket_path: Path, tmp_path: Path
) -> None:
    server = make_sshd(AllowStreamLocalForwarding="no", ForceCommand=_without_docker(tmp_path))

    with ssh.connect(server.target(docker_socket=str(socket_path))) as remote, pytest.raises(ForwardingRefused):
        docker_over(remote).ping()


def _without_docker(directory: Path) -> str:
    """Answers every command but the search for docker's client with success, wherever docker is installed."""
    script = directory / "command"
    script.write_text("#!/bin/sh\ncase $SSH_ORIGINAL_COMMAND in *docker\\'*command*|*command*docker*) exit 1;; esac\n")
    script.chmod(0o755)
    return str(script)
