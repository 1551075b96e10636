"""All checks before a join, on 500 machines at once: seconds, and what a machine is asked for them.

Beside it, in the same run and as many at a time: connecting to the same machines and one empty command on each, which
is the least that any look at a machine costs.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from autorke.checks.results import Level
from autorke.checks.run import run_checks
from autorke.drivers.base import SshTarget
from autorke.drivers.fanout import fan_out
from autorke.drivers.ssh import connect
from autorke.sim.process import SimHandle
from bench._fleet import fleet, targets
from tests.checks.simulated import cluster_context, worker

MACHINES = int(os.environ.get("AUTORKE_BENCH_CHECKED", "500"))
AT_ONCE = 50
"""As in the product: `run_checks` without a limit of its caller's."""


def run() -> dict[str, Any]:
    """`cpu_s` is this process's own; the machines are another one on the same cores."""
    description = f"""
clusters: [{{name: alpha, workers: 9, kind: small}}]
machines: [{{prefix: h, count: {MACHINES}, kind: small}}]
"""
    with tempfile.TemporaryDirectory(prefix="arke-", dir="/dev/shm") as place, fleet(description, Path(place)) as sim:
        connecting = _connect(targets(sim, sim.free_machines()))
        context, workers = cluster_context(sim, "alpha"), [worker(sim, name) for name in sim.free_machines()]
        sim.reset_counters()
        began, burnt = time.perf_counter(), time.process_time()
        report = run_checks(workers, context)
        seconds, cpu = time.perf_counter() - began, time.process_time() - burnt
        levels = Counter(result.level for result in report.results)
        return {
            "machines": MACHINES,
            "s": round(seconds, 1),
            "cpu_s": round(cpu, 1),
            "connect_and_one_command_s": round(connecting, 1),
            "ratio_to_connecting": round(seconds / connecting, 1),
            "results": len(report.results),
            **{f"results_{level.value}": count for level, count in levels.items() if level is not Level.OK},
            **_asked(sim),
        }


def _connect(hosts: list[SshTarget]) -> float:
    def visit(target: SshTarget) -> bool:
        with connect(target) as remote:
            return remote.run(["true"]).ok

    began = time.perf_counter()
    if not all(outcome.value for outcome in fan_out(hosts, visit, limit=AT_ONCE, deadline=60)):
        raise RuntimeError("a machine did not answer")
    return time.perf_counter() - began


def _asked(sim: SimHandle) -> dict[str, float]:
    """Per machine: connections, commands, forwarded streams, calls of the Docker API."""
    sums: Counter[str] = Counter()
    for name in sim.free_machines():
        sums.update(sim.counters(name))
    return {f"{what}_per_machine": round(sums[what] / MACHINES, 1) for what in sorted(sums)}
