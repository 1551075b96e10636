"""The join step: a cluster of 1,000 nodes beside one of 10, 100 workers in one ticket beside 1, and who is spoken to.

Whole tickets through the whole product; a step's time is its runner's, from the last look at the machines to the end.
Machines of the fleet join as fast as they can, so that what is compared is ours; theirs is the same in all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from bench._product import FIRST, Desk, product
from tests.story.people import states, until

NODES = int(os.environ.get("AUTORKE_BENCH_CLUSTER_NODES", "1000"))
TOGETHER = int(os.environ.get("AUTORKE_BENCH_WORKERS", "100"))
ROUNDS = 3
FLEET = """
clusters:
  - {{name: alpha, workers: 9, kind: small}}
  - {{name: big, workers: {workers}, kind: small}}
machines: [{{prefix: free, count: {free}, kind: small}}]
cmdb: {{page_size: 1000}}
"""
FIRST_CHANGE = "docker:create"
BARE = {"docker": False, "kernel": False, "gpu": False}
"""The machines are as the initialise step leaves them; of it only the look that refuses some is left."""


def run() -> dict[str, Any]:
    """The best of ROUNDS in seconds, and `ratio_*`; `connections_*`: the fleet's own counts while one joined the big
    cluster."""
    with product(FLEET.format(workers=NODES - 1, free=2 * ROUNDS + TOGETHER + 2)) as desk:
        _join(desk, FIRST, 1)  # what is loaded and made once
        pairs = [(_join(desk, FIRST, 1), _join(desk, "big", 1)) for _ in range(ROUNDS)]
        few, many = (min(column) for column in zip(*pairs, strict=True))
        together = _join(desk, FIRST, TOGETHER, batches={"canary": 0, "size": 50, "budget": 0})
        return {
            "cluster_of_10_s": round(few, 2),
            f"cluster_of_{NODES}_s": round(many, 2),
            "ratio_big_to_small": round(many / few, 2),
            f"{TOGETHER}_workers_s": round(together, 2),
            f"ratio_{TOGETHER}_workers_to_1": round(together / few, 1),
            **_spoken_to(desk),
        }


def _join(desk: Desk, cluster: str, count: int, **more: Any) -> float:
    ended = desk.finish(desk.add_workers(cluster, desk.take(count), initialise=BARE, **more))
    return desk.seconds(ended, "join")


def _spoken_to(desk: Desk) -> dict[str, int]:
    """One machine joins, and stands still for a moment before its first change: who was connected to before and after.

    Before it the checks look once more at the machine, and from the control plane's hosts at its port 10250.
    """
    sim = desk.sim
    (name,) = desk.take(1)
    ticket = desk.add_workers("big", [name], initialise=BARE)
    desk.until(ticket, "join", "WAIT_PRE_GATE")
    sim.reset_counters()
    fault = sim.fault(FIRST_CHANGE, "hang", host=name)
    desk.approver.sign(ticket)
    until(lambda: sim.counters(name).get("docker_reads"), 60, "the machine is looked at")
    until(lambda: _hangs(desk, fault), 120, "the first change")
    before = _connections(desk, name)
    sim.reset_counters()
    sim.lift(fault)
    until(lambda: states(desk.approver.ticket(ticket))["join"] == "WAIT_POST_GATE", 120, "the join ends")
    after = _connections(desk, name)
    desk.finish(ticket)
    return {f"connections_before_{kind}": count for kind, count in before.items()} | {
        f"connections_of_the_change_{kind}": count for kind, count in after.items()
    }


def _hangs(desk: Desk, fault: int) -> bool:
    faults: Iterable[dict[str, Any]] = desk.sim._ask("GET", "/faults")
    return any(it["id"] == fault and it["hits"] for it in faults)


def _connections(desk: Desk, named: str) -> dict[str, int]:
    """SSH connections by what the machine is to the ticket."""
    found = {"named": 0, "control_plane": 0, "others": 0}
    masters = {it["name"] for it in desk.sim.index["machines"] if "controlplane" in it["roles"]}
    for name, counts in desk.sim.counters().items():
        kind = "named" if name == named else "control_plane" if name in masters else "others"
        found[kind] += counts.get("connects", 0)
    return found
