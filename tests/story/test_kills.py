"""kill -9 in the middle of a change: of the runner in each step, of the Celery worker, of the launcher.

One stack and one simulated fleet for the module; each test adds a machine of its own, so each starts from nothing.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from sqlalchemy import Row, TextClause, text

from autorke.core import db
from autorke.sim import process as sim_process
from autorke.sim.process import SimHandle
from autorke.worker.process import pid_start
from tests.databases import Template
from tests.databases import text as url_text
from tests.story.desk import connect, first_admin, hire
from tests.story.people import Person, explain, states, until, walk
from tests.story.stack import Stack, running
from tests.terminal import needs_terminal

pytestmark = [needs_terminal, pytest.mark.faults, pytest.mark.timeout(1200)]
LASTING = ("service-sidekick", "nginx-proxy", "kubelet", "kube-proxy")
"""Containers that stay; the others are tools of a moment, such as the log linker, made once for each of these."""
FLEET = """
seed: 11
timing: {join_seconds: 0.1, ready_seconds: 0.1, lost_seconds: 1.0, pull_seconds: 0.01}
clusters:
  - {name: alpha, version: v1.20.15-rancher2-1, masters: 1, workers: 1, kind: small}
machines:
  - {prefix: free, count: 8, kind: small}
"""
_RUNNING = text(
    """
select a.id::text, a.pid from step_attempt a join step s on s.id = a.step_id
 where s.ticket_id = :ticket and s.key = :step and a.purpose = 'RUN' and a.state = 'RUNNING' and a.pid is not null
"""
)


_LEASE = text("select lease_until from step_attempt where id = cast(:attempt as uuid)")
_END_LEASE = text(
    "update step_attempt set lease_until = clock_timestamp() where id = cast(:attempt as uuid) returning id"
)
_REPORTED = text("select max(last_seen) from runner")


@dataclass
class Ground:
    """The stack, the fleet, the people, and the machines that no test has used yet."""

    stack: Stack
    sim: SimHandle
    requester: Person
    approver: Person
    cluster: dict[str, Any]
    free: list[str]
    database: str

    def submit(self, machine: str) -> str:
        found = self.requester.post("/machines/find", {"keys": [machine]})["matches"]
        request = {"cluster_id": self.cluster["id"], "machines": [{"machine_id": found[0]["machine"]["id"]}]}
        key = {"Idempotency-Key": f"add {machine}"}
        return str(self.requester.post("/tickets", {"flow": "add_workers", "request": request}, headers=key)["id"])

    def ask(self, statement: TextClause, **values: Any) -> Row[Any] | None:
        """The only row of an answer, or none; what is changed is kept."""
        engine = db.make_engine(self.database)
        try:
            with engine.begin() as connection:
                return connection.execute(statement, values).one_or_none()
        finally:
            engine.dispose()

    def running_in(self, ticket: str, step: str) -> tuple[str, int] | None:
        """Id and process of the attempt that runs a step now."""
        row = self.ask(_RUNNING, ticket=ticket, step=step)
        return (row[0], row[1]) if row else None

    def end_lease(self, attempt: str) -> None:
        """The runner of this attempt is silent from now on, without the wait for its lease."""
        assert self.ask(_END_LEASE, attempt=attempt)

    def renewed(self, attempt: str) -> None:
        """Wait until the runner has renewed its lease once more."""
        before = self.ask(_LEASE, attempt=attempt)
        until(lambda: self.ask(_LEASE, attempt=attempt) != before, 120, "the runner says that it lives")

    def passes(self, count: int) -> None:
        """Wait until the reconciler has made so many whole passes: it reports before each."""
        for _ in range(count + 1):
            before = self.ask(_REPORTED)
            until(lambda before=before: self.ask(_REPORTED) != before, 120, "a pass of the reconciler")

    def struck(self, fault: int) -> bool:
        """Whether somebody hangs on the fault by now."""
        found = httpx.get(f"{self.sim.index['control']}/faults", timeout=60, trust_env=False).json()
        return any(entry["id"] == fault and entry["hits"] for entry in found)

    def changes(self, machine: str) -> list[tuple[str, str]]:
        """Every mutation of a machine so far: what, and of which container or file."""
        subjects = ("container", "path", "image", "what_changed")
        return [
            (entry["what"], next((str(entry[key]) for key in subjects if key in entry), ""))
            for entry in self.sim.journal(machine)
        ]

    def created(self, machine: str) -> dict[str, int]:
        """How often each lasting container was created there."""
        return Counter(name for what, name in self.changes(machine) if what == "docker.create" and name in LASTING)

    def finish(self, ticket: str) -> dict[str, Any]:
        ended = walk(self.approver, ticket)
        assert ended["state"] == "SUCCEEDED", explain(self.requester, ended)
        return ended


@pytest.fixture(scope="module")
def ground(
    embedded_template: Template, embedded_redis: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ground]:
    directory = tmp_path_factory.mktemp("kills")
    fleet = directory / "fleet.yml"
    fleet.write_text(FLEET)
    with redis.Redis.from_url(embedded_redis, socket_timeout=5) as client:
        client.flushdb()
    # A long lease, so that no runner of a slow machine is given up; who loses one ends its lease himself.
    leases = {"AUTORKE_LEASE": "PT5M", "AUTORKE_HEARTBEAT": "PT1S"}
    with (
        embedded_template.clone() as url,
        sim_process.start(Path(fleet), directory / "sim") as sim,
        running(url_text(url), embedded_redis, directory, **leases) as stack,
    ):
        admin = first_admin(stack)
        people = hire(admin, stack, "rita", "requester"), hire(admin, stack, "aaron", "approver")
        yield Ground(stack, sim, *people, connect(admin, sim), sim.free_machines(), url_text(url))
        for person in (admin, *people):
            person.http.close()


def hold(ground: Ground, ticket: str, machine: str, step: str) -> tuple[str, int]:
    """Bring a ticket to where a step has begun and hangs on the machine; the attempt and its process."""
    where = "docker:create:kubelet" if step == "join" else "exec"
    ready = walk(ground.approver, ticket, stop_at=lambda seen: states(seen)[step] == "WAIT_PRE_GATE")
    assert states(ready)[step] == "WAIT_PRE_GATE", explain(ground.requester, ready)
    begun = None
    if step == "initialise":  # the last look before the intent must come through
        ground.approver.sign(ticket)
        begun = until(lambda: ground.running_in(ticket, step), 120, f"{step} begins")
    fault = ground.sim.fault(where, "hang", host=machine)
    if begun is None:
        ground.approver.sign(ticket)
        begun = until(lambda: ground.running_in(ticket, step), 120, f"{step} begins")
    until(lambda: ground.struck(fault), 120, f"{step} hangs")
    attempt, pid = begun
    return attempt, pid


def attempts(ticket: dict[str, Any], step: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = next(one["attempts"] for one in ticket["steps"] if one["key"] == step)
    return sorted(found, key=lambda one: one["n"])


def unknown_with_proof(ground: Ground, ticket: str, step: str, attempt: str) -> dict[str, Any]:
    """Wait until the lost attempt is a person's matter: UNKNOWN, death proven, evidence of a probe beside it."""

    def settled() -> dict[str, Any] | None:
        seen = ground.approver.ticket(ticket)
        lost = next(one for one in attempts(seen, step) if one["id"] == attempt)
        probed = [one for one in attempts(seen, step) if one["purpose"] == "PROBE" and one["state"] == "SUCCEEDED"]
        return seen if lost["state"] == "UNKNOWN" and lost["death_proof"] and probed else None

    found: dict[str, Any] = until(settled, 240, f"{step} is unknown, proven and probed")
    return found


@pytest.mark.parametrize("step", ["validate", "initialise", "join"])
def test_a_killed_runner_is_a_matter_for_a_person_and_nothing_runs_again_by_itself(ground: Ground, step: str) -> None:
    machine = ground.free.pop()
    ticket = ground.submit(machine)
    attempt, pid = hold(ground, ticket, machine, step)
    made_before = ground.created(machine)
    os.kill(pid, signal.SIGKILL)
    ground.end_lease(attempt)
    if step != "join":
        ground.sim.lift()  # or the probe would hang too
    seen = unknown_with_proof(ground, ticket, step, attempt)
    assert (seen["state"], states(seen)[step]) == ("ATTENTION", "UNKNOWN"), explain(ground.requester, seen)
    node, look = next(iter(attempts(seen, step)[-1]["outcome"]["probe"].items()))
    if step == "validate":
        assert look["summary"] == "this step has no probe"
    else:
        assert look["evidence"]
    if step == "join":
        assert look["suggests"] == "FAILED"
        assert made_before == {"service-sidekick": 1, "nginx-proxy": 1}  # torn in the middle

    stands, runs = ground.changes(machine), len(attempts(seen, step))
    ground.passes(4)
    after = ground.approver.ticket(ticket)
    assert (after["state"], states(after)[step]) == ("ATTENTION", "UNKNOWN")
    assert len(attempts(after, step)) == runs
    assert ground.changes(machine) == stands
    assert ground.approver.open_gates(ticket) == []

    ground.sim.lift()
    ground.approver.post(
        f"/tickets/{ticket}/attempts/{attempt}/resolution",
        {"verdicts": {node: False}, "reason": "looked at it: not done"},
    )
    ground.requester.post(f"/tickets/{ticket}/retry", {"step": step})
    ended = ground.finish(ticket)
    runs_of = [one["state"] for one in attempts(ended, step) if one["purpose"] == "RUN"]
    assert runs_of == ["RESOLVED_FAILED", "SUCCEEDED"]
    assert ground.created(machine) == dict.fromkeys(LASTING, 1)


@pytest.mark.parametrize("what", ["worker", "launcher"])
def test_a_killed_worker_or_launcher_does_not_disturb_a_join(ground: Ground, what: str) -> None:
    machine = ground.free.pop()
    ticket = ground.submit(machine)
    attempt, pid = hold(ground, ticket, machine, "join")
    born = pid_start(pid)
    ground.stack.stop(what, signal.SIGKILL)
    try:
        for _ in range(3):
            ground.renewed(attempt)
        assert pid_start(pid) == born
        assert ground.running_in(ticket, "join") == (attempt, pid)
        ground.sim.lift()
        # the change comes to its end while the killed process is still away
        until(lambda: states(ground.approver.ticket(ticket))["join"] == "WAIT_POST_GATE", 180, "the join ends")
    finally:
        ground.sim.lift()
        ground.stack.start(what)  # as a supervisor would
    ended = ground.finish(ticket)
    assert [one["state"] for one in attempts(ended, "join") if one["purpose"] == "RUN"] == ["SUCCEEDED"]
    assert ground.created(machine) == dict.fromkeys(LASTING, 1)
