"""The story of the main job on the simulator: sync, import, ticket, gates, a failure, a retry, nothing else touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autorke.sim import process as sim_process
from autorke.sim.process import SimHandle
from tests.story.desk import connect, first_admin, hire
from tests.story.people import Person, explain, states, walk
from tests.story.stack import Stack, running
from tests.terminal import needs_terminal


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[SimHandle]:
    with sim_process.start("small", tmp_path / "sim") as handle:
        yield handle


@pytest.fixture
def stack(db_url: str, redis_url: str, tmp_path: Path) -> Iterator[Stack]:
    with running(db_url, redis_url, tmp_path) as stack:
        yield stack


@pytest.fixture
def admin(stack: Stack) -> Person:
    return first_admin(stack)


@needs_terminal
@pytest.mark.timeout(900)
def test_the_main_job_on_the_simulator(stack: Stack, sim: SimHandle, admin: Person) -> None:
    requester, approver = hire(admin, stack, "rita", "requester"), hire(admin, stack, "aaron", "approver")
    cluster = connect(admin, sim)
    names = sim.free_machines()[:2]
    machines = requester.post("/machines/find", {"keys": names})["matches"]
    request = {
        "cluster_id": cluster["id"],
        "machines": [{"machine_id": one["machine"]["id"]} for one in machines],
        "labels": {"pool": "blue"},
        "taints": [{"key": "dedicated", "value": "blue", "effect": "NoSchedule"}],
    }
    sim.reset_counters()
    ticket = requester.post("/tickets", {"flow": "add_workers", "request": request}, headers={"Idempotency-Key": "one"})
    assert [step["state"] for step in ticket["steps"]][4:] == ["SKIPPED"] * 3
    # the second machine fails half-way: its kube-proxy cannot be created
    sim.fault("docker:create:kube-proxy", "fail", host=names[1], status=500, text="no space left on device")
    stopped = walk(approver, ticket["id"])
    assert states(stopped)["join"] == "PARTIAL", explain(requester, stopped)
    sim.lift()
    requester.post(f"/tickets/{ticket['id']}/retry", {"step": "join"})
    ended = walk(approver, ticket["id"])
    assert ended["state"] == "SUCCEEDED", explain(requester, ended)
    rows = requester.get(f"/tickets/{ticket['id']}/nodes")
    joins = {row["name"]: [r["state"] for r in row["results"] if r["step"] == "join"] for row in rows}
    assert joins[names[0]] == ["SUCCEEDED"]
    assert joins[names[1]] == ["FAILED", "SUCCEEDED"]
    touched = {entry["host"] for entry in sim.journal() if entry["what"].startswith("docker.")}
    assert touched <= set(names), touched
