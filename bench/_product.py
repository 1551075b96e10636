"""The whole product on throw-away databases and a simulated fleet, with its people, for benches of whole tickets.

Durable writes are off, and fleet and product share this machine's cores.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from autorke.embedded import throwaway
from autorke.sim.process import SimHandle
from bench._fleet import fleet
from tests.databases import Template, text
from tests.story.desk import connect, first_admin, hire
from tests.story.people import Person, explain, states, walk
from tests.story.stack import Stack, running

FIRST = "alpha"
"""The cluster that every fleet of a bench has."""
PATIENCE = 400.0


@dataclass
class Desk:
    """Who and what is there; `clusters` by name."""

    stack: Stack
    sim: SimHandle
    admin: Person
    requester: Person
    approver: Person
    clusters: dict[str, dict[str, Any]]
    free: list[str]

    def take(self, count: int) -> list[str]:
        """Machines that no ticket has had yet."""
        taken, self.free = self.free[:count], self.free[count:]
        if len(taken) < count:
            raise RuntimeError(f"the fleet has no {count} free machines left")
        return taken

    def add_workers(self, cluster: str, names: Sequence[str], **more: Any) -> str:
        """The id of a new ticket."""
        found = self.requester.post("/machines/find", {"keys": list(names)})["matches"]
        machines = [{"machine_id": one["machine"]["id"]} for one in found]
        request = {"cluster_id": self.clusters[cluster]["id"], "machines": machines, **more}
        return str(self.requester.post("/tickets", {"flow": "add_workers", "request": request})["id"])

    def until(self, ticket: str, step: str, state: str) -> dict[str, Any]:
        """Sign whatever opens until a step has this state. Raises RuntimeError when it gets stuck before."""
        seen = walk(self.approver, ticket, seconds=PATIENCE, stop_at=lambda it: states(it)[step] == state)
        if states(seen)[step] != state:
            raise RuntimeError(explain(self.requester, seen))
        return seen

    def finish(self, ticket: str) -> dict[str, Any]:
        ended = walk(self.approver, ticket, seconds=PATIENCE)
        if ended["state"] != "SUCCEEDED":
            raise RuntimeError(explain(self.requester, ended))
        return ended

    def seconds(self, ticket: dict[str, Any], step: str) -> float:
        """How long a step ran, with the look at the machines right before its start: the runner's own time."""
        events = self.requester.get(f"/tickets/{ticket['id']}/events?limit=1000")
        looked = {(e["body"]["step"], e["body"]["n"]): e["body"]["observed_ms"] for e in events if _began(e)}
        runs = next(it["attempts"] for it in ticket["steps"] if it["key"] == step)
        run = next(it for it in runs if it["purpose"] == "RUN")
        length = datetime.fromisoformat(run["ended_at"]) - datetime.fromisoformat(run["started_at"])
        return length.total_seconds() + float(looked[step, run["n"]]) / 1000


def _began(event: dict[str, Any]) -> bool:
    return bool(event["kind"] == "attempt.started")


@contextmanager
def product(description: str) -> Iterator[Desk]:
    """Product and fleet, connected: CMDB synced, every cluster imported, people hired."""
    with tempfile.TemporaryDirectory(prefix="arke-", dir="/dev/shm") as place, throwaway.postgres() as server:
        folder = Path(place)
        with (
            Template(server).clone() as url,
            throwaway.valkey() as broker,
            fleet(description, folder) as sim,
            running(text(url), broker, folder) as stack,
        ):
            yield _desk(stack, sim)


def _desk(stack: Stack, sim: SimHandle) -> Desk:
    admin = first_admin(stack)
    people = hire(admin, stack, "rita", "requester"), hire(admin, stack, "aaron", "approver")
    clusters = {FIRST: connect(admin, sim)}
    for entry in sim.index["clusters"]:
        if entry["name"] not in clusters:
            files = {"cluster_yml": "config", "rkestate": "state", "kubeconfig": "kubeconfig"}
            texts = {field: Path(entry[name]).read_text() for field, name in files.items()}
            clusters[entry["name"]] = admin.post("/clusters", {"name": entry["name"], **texts})
    return Desk(stack, sim, admin, *people, clusters, sim.free_machines())
