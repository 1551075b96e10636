"""A real sshd, with a fake engine behind it whose faults a test can choose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autorke.drivers import ssh
from autorke.drivers.docker import Docker, docker_over
from tests.contract.fake_engine import FakeEngine, serving
from tests.sshd import Sshd, make_sshd, plain_user, sshd

__all__ = ["make_sshd", "plain_user", "sshd"]


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    return tmp_path / "docker.sock"


@pytest.fixture
def engine(socket_path: Path) -> Iterator[FakeEngine]:
    with serving(FakeEngine(), socket_path) as serving_engine:
        yield serving_engine


@pytest.fixture
def docker(sshd: Sshd, engine: FakeEngine, socket_path: Path) -> Iterator[Docker]:
    with ssh.connect(sshd.target(docker_socket=str(socket_path))) as remote:
        yield docker_over(remote)


@pytest.fixture
def limited(sshd: Sshd, engine: FakeEngine, socket_path: Path) -> Iterator[Callable[[float, float], Docker]]:
    """One that gives up a read and a change after so many seconds."""
    with ssh.connect(sshd.target(docker_socket=str(socket_path))) as remote:
        yield lambda read, change: docker_over(remote, read_seconds=read, change_seconds=change)
