"""A simulated fleet for benches: a description in YAML, its machines as the drivers know them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autorke.drivers.base import SshTarget
from autorke.sim import process as sim_process
from autorke.sim.process import SimHandle

QUICK = "timing: {join_seconds: 0.1, ready_seconds: 0.1, lost_seconds: 1.0, pull_seconds: 0.01, package_seconds: 0.01}"
"""What machines take for their own part of a change, so that ours is what is measured."""


@contextmanager
def fleet(description: str, folder: Path) -> Iterator[SimHandle]:
    """Machines that answer, for the length of a `with` block."""
    path = folder / "fleet.yml"
    path.write_text(f"{QUICK}\n{description}")
    with sim_process.start(path, folder / "sim", timeout=120) as sim:
        yield sim


def targets(sim: SimHandle, names: Sequence[str]) -> list[SshTarget]:
    key, known = sim.private_key, {entry["name"]: entry for entry in sim.index["machines"]}
    return [_target(known[name], key) for name in names]


def _target(entry: dict[str, Any], key: str) -> SshTarget:
    return SshTarget(
        name=entry["name"],
        address=entry["address"],
        user=entry["user"],
        port=entry["port"],
        host_key=entry["host_key"],
        private_key=key,
    )
