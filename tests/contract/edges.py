"""The edges that the contract tests run against: each is the outside of the product, reached over the same wire.

An edge yields an `Edge`. Add one to `EDGES` and every contract test runs on it too.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from autorke.drivers import ssh
from autorke.drivers.base import SshTarget
from autorke.sim import process
from tests.contract import image
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


@contextmanager
def _lab_edge() -> Iterator[Edge]:
    """A free machine of the running lab. What the tests leave on it is taken away again."""
    document = lab_document()
    machine = next(entry for entry in reversed(document["machines"]) if not entry["roles"])
    target = SshTarget(
        name=machine["name"],
        address=machine["address"],
        user=machine["user"],
        port=machine["ssh_port"],
        host_key=machine["host_key"],
        private_key=Path(document["ssh_key_path"]).read_text(),
    )
    with ssh.connect(target) as remote:
        directory = remote.run(["mktemp", "-d", "/tmp/autorke-contract.XXXXXX"]).stdout.strip()
        yield Edge(target, directory, machine["ssh_port"])
        remote.run(["rm", "-rf", "--", directory])
        remote.run(["docker", "image", "rm", image.NAME])


def lab_document() -> dict[str, Any]:
    """What the lab says of itself; skips without a lab that is up."""
    path = Path(os.environ.get("AUTORKE_LAB_DIR", "/var/tmp/autorke-lab")) / "lab.json"
    if not path.is_file():
        pytest.skip("NO LAB: real machines were not tested; './run lab up' first")
    document: dict[str, Any] = json.loads(path.read_text())
    return document


EDGES: dict[str, Callable[[], AbstractContextManager[Edge]]] = {
    "sshd": _sshd_edge,
    "dockerd": _dockerd_edge,
    "sim": _sim_edge,
    "lab": _lab_edge,
}


def edge_names(edges: Iterable[str]) -> list[ParameterSet]:
    """Parameters for a fixture. The lab is among them on request only; tests/lab says so when it is missing."""
    asked = os.environ.get("AUTORKE_LAB") == "1"
    return [pytest.param(it, marks=[pytest.mark.lab] if it == "lab" else []) for it in edges if it != "lab" or asked]


@pytest.fixture(scope="session", params=edge_names(EDGES))
def edge(request: pytest.FixtureRequest) -> Iterator[Edge]:
    with EDGES[request.param]() as one:
        yield one
