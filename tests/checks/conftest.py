"""A simulated fleet for the checks: two clusters and enough free machines that every test breaks its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autorke.sim import process
from autorke.sim.process import SimHandle

FLEET = """
seed: 11
timing: {join_seconds: 0.1, ready_seconds: 0.1, lost_seconds: 1.0, pull_seconds: 0.01}
clusters:
  - {name: alpha, version: v1.20.15-rancher2-1, masters: 1, workers: 2, kind: small}
  - {name: beta, version: v1.24.17-rancher1-1, masters: 1, workers: 1, kind: small}
machines:
  - {prefix: free, count: 120, kind: small}
cmdb: {page_size: 50}
"""


@pytest.fixture(scope="session")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimHandle]:
    directory = tmp_path_factory.mktemp("checks-sim")
    (directory / "fleet.yml").write_text(FLEET)
    with process.start(Path(directory / "fleet.yml"), directory / "state") as handle:
        yield handle


@pytest.fixture(scope="session")
def free_machine(sim: SimHandle) -> Callable[[], str]:
    """The next machine that no test has touched."""
    names = iter(sim.free_machines())
    return lambda: next(names)
