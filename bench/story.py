"""The story of the main job on the simulator: one worker, every gate signed by script at once.

`engine_s` is what the engine itself costs: the whole time less what drivers did (planning, observing, running) and less
the time gates stood open, which is the signing script's.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from autorke.embedded import throwaway
from autorke.sim import process as sim_process
from tests.databases import Template, text
from tests.story.desk import connect, first_admin, hire
from tests.story.people import explain, walk
from tests.story.stack import running


def run() -> dict[str, Any]:
    """Figures of one ticket with one worker, strict policy, seven steps of which three are skipped."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, throwaway.postgres() as server:
        template = Template(server)
        with template.clone() as url, throwaway.valkey() as broker:
            return _story(text(url), broker, Path(folder))


def _story(db_url: str, redis_url: str, folder: Path) -> dict[str, Any]:
    with sim_process.start("small", folder / "sim") as sim, running(db_url, redis_url, folder) as stack:
        admin = first_admin(stack)
        requester, approver = hire(admin, stack, "rita", "requester"), hire(admin, stack, "aaron", "approver")
        cluster = connect(admin, sim)
        found = requester.post("/machines/find", {"keys": sim.free_machines()[:1]})["matches"]
        request = {"cluster_id": cluster["id"], "machines": [{"machine_id": m["machine"]["id"]} for m in found]}
        ticket = requester.post("/tickets", {"flow": "add_workers", "request": request})
        ended = walk(approver, ticket["id"])
        if ended["state"] != "SUCCEEDED":
            raise RuntimeError(explain(requester, ended))
        return figures(ended, requester.get(f"/tickets/{ticket['id']}/events?limit=1000"))


Span = tuple[datetime, datetime]


def _span(start: str, end: str, *, earlier_ms: int = 0) -> Span:
    return datetime.fromisoformat(start) - timedelta(milliseconds=earlier_ms), datetime.fromisoformat(end)


def _length(spans: list[Span]) -> float:
    """Seconds covered by at least one span."""
    total, until = 0.0, datetime.min.replace(tzinfo=UTC)
    for start, end in sorted(spans):
        start = max(start, until)
        if end > start:
            total += (end - start).total_seconds()
            until = end
    return total


def figures(ticket: dict[str, Any], events: list[dict[str, Any]]) -> dict[str, Any]:
    """Split a finished ticket's time into drivers, people and engine."""
    observed = {
        (event["body"]["step"], event["body"]["n"]): event["body"]["observed_ms"]
        for event in events
        if event["kind"] == "attempt.started"
    }
    drivers = [
        _span(attempt["started_at"], attempt["ended_at"], earlier_ms=observed[step["key"], attempt["n"]])
        for step in ticket["steps"]
        for attempt in step["attempts"]
        if attempt["started_at"]
    ]
    gates = [_span(g["opened_at"], g["closed_at"]) for s in ticket["steps"] for g in s["gates"] if g["closed_at"]]
    whole = _length([_span(ticket["created_at"], ticket["ended_at"])])
    return {
        "whole_s": round(whole, 3),
        "drivers_s": round(_length(drivers), 3),
        "gates_open_s": round(_length(gates), 3),
        "engine_s": round(whole - _length([*drivers, *gates]), 3),
        "attempts": len(drivers),
        "target_engine_s": 3,
    }
