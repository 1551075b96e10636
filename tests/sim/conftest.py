"""A simulation for the tests of one module, and ways into its machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from autorke.drivers import ssh
from autorke.drivers.base import SshTarget
from autorke.sim import process
from autorke.sim.process import SimHandle

Target = Callable[[str], SshTarget]


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimHandle]:
    with process.start("small", tmp_path_factory.mktemp("sim")) as handle:
        yield handle


@pytest.fixture(autouse=True)
def healed(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test leaves a fault or a count to the next one."""
    yield
    if "sim" in request.fixturenames:
        handle: SimHandle = request.getfixturevalue("sim")
        handle.lift()
        handle.reset_counters()


def target_of(sim: SimHandle, name: str) -> SshTarget:
    machine = sim.machine(name)
    return SshTarget(
        name=machine["name"],
        address=machine["address"],
        user=machine["user"],
        port=machine["port"],
        host_key=machine["host_key"],
        private_key=sim.private_key,
    )


@pytest.fixture(scope="module")
def target(sim: SimHandle) -> Target:
    return lambda name: target_of(sim, name)


@pytest.fixture(scope="module")
def free(sim: SimHandle) -> Iterator[ssh.SshRemote]:
    """A connection to the first free machine."""
    with ssh.connect(target_of(sim, "free-001")) as remote:
        yield remote
