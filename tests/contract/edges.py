"""The edges that the contract tests run against: each is the outside of the product, reached over the same wire.

An edge yields an `Edge`. Add one to `EDGES` and every contract test runs on it too.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from autorke.drivers import ssh
from autorke.drivers.base import SshTarget
from autorke.sim import process
from tests.contract.fake_engine import FakeEngine, serving
from tests.contract.real_engine import running_dockerd, why_not
from tests.sshd import running_sshd


@dataclasses.dataclass(frozen=True)
class Edge:
    """One machine of an edge. `directory` is an empty one on it where the login user may write; `ssh_port` is where
    its own sshd listens on its loopback address."""

    target: SshTarget
    directory: str
    ssh_port: int


@contextmanager
def _machine(docker_socket: Path) -> Iterator[Edge]:
    directory = Path(tempfile.mkdtemp(prefix="autorke-edge-"))
    try:
        with running_sshd(directory) as server:
            work = directory / "work"
            work.mkdir()
            yield Edge(server.target(docker_socket=str(docker_socket)), str(work), server.port)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _sshd_edge() -> Iterator[Edge]:
    """A real sshd; the part of Docker is played by a few lines of Python on a Unix socket."""
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="autorke-engine-"))
        path = Path(directory) / "docker.sock"
        stack.enter_context(serving(FakeEngine(), path))
        yield stack.enter_context(_machine(path))


@contextmanager
def _dockerd_edge() -> Iterator[Edge]:
    """A real sshd and a real Docker Engine."""
    reason = why_not()
    if reason:
        pytest.skip(f"SKIPPED: {reason}")
    with running_dockerd() as path, _machine(path) as edge:
        yield edge


@contextmanager
def _sim_edge() -> Iterator[Edge]:
    """A machine of the simulator."""
    with tempfile.TemporaryDirectory(prefix="autorke-sim-") as state, process.start("small", Path(state)) as sim:
        machine = sim.machine(sim.free_machines()[0])
        target = SshTarget(
            name=machine["name"],
            address=machine["address"],
            user=machine["user"],
            port=machine["port"],
            host_key=machine["host_key"],
            private_key=sim.private_key,
        )
        directory = f"/home/{machine['user']}/work"
        with ssh.connect(target) as remote:
            remote.run(["mkdir", "-p", directory])
        yield Edge(target, directory, machine["port"])


EDGES: dict[str, Callable[[], AbstractContextManager[Edge]]] = {
    "sshd": _sshd_edge,
    "dockerd": _dockerd_edge,
    "sim": _sim_edge,
}


@pytest.fixture(scope="session", params=list(EDGES))
def edge(request: pytest.FixtureRequest) -> Iterator[Edge]:
    with EDGES[request.param]() as one:
        yield one
