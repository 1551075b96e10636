"""One worker added to the lab's cluster, timed and with every machine's Docker events, for tests and measurements.

Either by the product's command line, run as an operator runs it, or by stock rke with `--update-only`.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lablib import events, rkefiles, stock
from lablib.settings import SSH_USER, Lab, LabError, Machine

LABELS = {"pool": "blue", "team": "a"}
TAINT = {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}


@dataclass(frozen=True)
class Addition:
    """`seconds` on the wall; `events` of Docker containers on each machine, by `action container`; what was said."""

    seconds: float
    events: dict[str, dict[str, int]]
    output: str

    def on_others(self, machine: Machine) -> int:
        """Events on all machines but this one."""
        return sum(sum(found.values()) for name, found in self.events.items() if name != machine.name)


def node_entry(machine: Machine) -> dict[str, Any]:
    """The machine as a worker in cluster.yml, with labels and a taint."""
    return {
        "address": machine.address,
        "user": SSH_USER,
        "role": ["worker"],
        "hostname_override": machine.name,
        "labels": LABELS,
        "taints": [TAINT],
    }


def product_argv(lab: Lab, machine: Machine) -> list[str]:
    """The product's command that adds the machine to the cluster of the lab's files."""
    command = [str(Path(sys.executable).with_name("autorke")), "rke", "worker", "add"]
    options = {
        "--config": str(lab.cluster / "cluster.yml"),
        "--known-hosts": str(lab.known_hosts),
        "--node": yaml.safe_dump(node_entry(machine)),
    }
    return [*command, *(word for pair in options.items() for word in pair), "--yes"]


def by_product(lab: Lab, machine: Machine) -> Addition:
    """The product adds the machine and waits until its node is Ready. Raises LabError with what it said."""

    def add() -> str:
        done = subprocess.run(product_argv(lab, machine), capture_output=True, text=True, timeout=1200)
        if done.returncode:
            raise LabError(f"autorke rke worker add: exit {done.returncode}\n{done.stderr[-2000:]}")
        return done.stderr

    return _recorded(lab, add)


def by_rke(lab: Lab, rke: str, machine: Machine) -> Addition:
    """Stock rke adds the machine; it does not wait until the node is Ready. Raises LabError with the end of its log."""
    configuration = lab.cluster / "cluster.yml"
    document = yaml.safe_load(configuration.read_text())
    document["nodes"].append(node_entry(machine))
    configuration.write_text(rkefiles.HEAD + yaml.safe_dump(document, sort_keys=False))
    return _recorded(lab, lambda: stock.up(lab, rke, "--update-only"))


def _recorded(lab: Lab, change: Callable[[], str]) -> Addition:
    events.start(lab)
    try:
        began = time.monotonic()
        output = change()
        seconds = time.monotonic() - began
    finally:
        events.stop(lab, whole=True)
    return Addition(seconds, events.counts(lab), output)
