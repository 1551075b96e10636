"""T2 for the product's own flow: add one worker on the simulated fleet, a fault at each commit and each driver call.

One cluster, one database, one machine per ticket. What must not be is read from the simulator's own journal: a lasting
container that is made again without a person's retry, and a Docker call on any other machine.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from autorke.core.db import new_session
from autorke.core.settings import get_settings
from autorke.flows.params import AddWorkersIn
from autorke.flows.wiring import wire
from autorke.sim import process as sim_process
from autorke.sim.process import SimHandle
from autorke.worker import process
from autorke.workflow import journal, outbox
from bench import CannotRun
from tests.faults import place, servers
from tests.faults.actors import Actors
from tests.faults.failpoints import COUNTER, Point
from tests.faults.points import UNSIGNED, all_cases, catch_once, tally
from tests.story.desk import connect, first_admin, hire
from tests.story.stack import running
from tests.terminal import has_terminals

LEASE = 4.0
LASTING = ("service-sidekick", "nginx-proxy", "kubelet", "kube-proxy")
MACHINES = 999
FLEET = f"""
seed: 11
timing: {{join_seconds: 0.05, ready_seconds: 0.05, lost_seconds: 1.0, pull_seconds: 0.01}}
clusters:
  - {{name: alpha, version: v1.20.15-rancher2-1, masters: 1, workers: 1, kind: small}}
machines:
  - {{prefix: free, count: {MACHINES}, kind: small}}
"""


def run(seed: int, rounds: int) -> dict[str, Any]:
    """Cases in random order until `rounds` are done or the fleet is used up."""
    if not has_terminals():
        raise CannotRun("no pseudo-terminal here (mount devpts on /dev/pts), so no real Ansible")
    with place.seeded(seed) as dice, _scene() as scene:
        Join(scene, 0).play(None)
        counted = dict(COUNTER.counts)
        cases = all_cases(counted, dice)
        played: Counter[str] = Counter()
        for number, point in enumerate(cases[: min(rounds, MACHINES - 1)], 1):
            played.update(tally(Join(scene, number).play(point), point))
        return {"points": counted, "cases_there_are": len(cases), **played}


class Scene:
    """The fleet, the cluster, and who asks and who signs."""

    def __init__(self, sim: SimHandle, cluster: str) -> None:
        self.sim, self.cluster = sim, cluster
        with new_session() as session:
            people = dict(session.execute(text("select name, id from user_account")).tuples().all())
            self.machines = dict(session.execute(text("select hostname, id from machine")).tuples().all())
        self.requester, self.approver = people["rita"], people["aaron"]
        self.free = sim.free_machines()


@contextmanager
def _scene() -> Iterator[Scene]:
    """Set through the api of a whole stack, which is stopped then: from there on every process is an actor's."""
    with (
        tempfile.TemporaryDirectory(prefix="arke-", dir="/dev/shm") as folder,
        servers.database() as database,
        servers.broker() as broker,
        servers.configured(database),
    ):
        directory = Path(folder)
        (directory / "fleet.yml").write_text(FLEET)
        with sim_process.start(directory / "fleet.yml", directory / "sim") as sim:
            with running(database.url, broker.url, directory) as stack:
                admin = first_admin(stack)
                for name, role in (("rita", "requester"), ("aaron", "approver")):
                    hire(admin, stack, name, role).http.close()
                cluster = connect(admin, sim)["id"]
                admin.http.close()
            with _settings(database.url, directory):
                yield Scene(sim, cluster)


@contextmanager
def _settings(url: str, directory: Path) -> Iterator[None]:
    values = {
        "AUTORKE_DATABASE_URL": url,
        "AUTORKE_SECRET_KEY_FILE": str(directory / "secret.key"),
        "AUTORKE_DATA_DIR": str(directory),
        "AUTORKE_RUN_DIR": str(directory),
        "AUTORKE_LEASE": f"PT{LEASE}S",
        "AUTORKE_HEARTBEAT": "PT1S",
        "AUTORKE_HINT_RESEND": "PT1S",
    }
    with pytest.MonkeyPatch.context() as environment:
        for name, value in values.items():
            environment.setenv(name, value)
        environment.delenv("AUTORKE_REDIS_URL", raising=False)
        environment.delenv("AUTORKE_SECRET_KEY", raising=False)
        environment.delenv(process.MARKER, raising=False)
        get_settings.cache_clear()
        wire()
        outbox._transport.clear()
        catch_once()
        try:
            yield
        finally:
            COUNTER.arm(None)
            get_settings.cache_clear()


_PROBED = """
select a.outcome->'probe' from step_attempt a join step s on s.id = a.step_id
 where s.ticket_id = :id and a.purpose = 'PROBE' and a.state = 'SUCCEEDED' order by a.ended_at desc limit 1
"""


class Join:
    """One ticket that adds one machine of the fleet."""

    def __init__(self, scene: Scene, number: int) -> None:
        self.scene, self.machine = scene, scene.free[number]
        request = {"cluster_id": scene.cluster, "machines": [{"machine_id": str(scene.machines[self.machine])}]}
        form = AddWorkersIn.model_validate_json(json.dumps(request))
        self.actors = Actors("add_workers", form, scene.requester, scene.approver, self.done, LEASE)

    @staticmethod
    def done(ticket: UUID, node: str) -> bool:
        """The person believes the probe; what it does not call done is done again, which must change nothing twice."""
        with new_session() as session:
            seen = session.execute(text(_PROBED), {"id": ticket}).scalar_one_or_none() or {}
        return seen.get(node, {}).get("suggests") == "SUCCEEDED"

    def play(self, point: Point | None) -> int:
        """Drive it to its end with this fault, and judge; how often a person was needed."""
        before = len(self.scene.sim.journal())
        COUNTER.arm(point)
        try:
            state = self.actors.to_the_end()
            assert state == "SUCCEEDED", state
            self._judge(before)
        except AssertionError as violation:
            self.actors.abandon()
            raise AssertionError(f"AUTORKE_FAILPOINT={point}: {violation}") from violation
        return self.actors.person

    def _judge(self, before: int) -> None:
        ticket = self.actors.ticket
        assert ticket is not None
        said = self.scene.sim.journal()[before:]
        touched = {entry["host"] for entry in said if entry["what"].startswith("docker.")}
        assert touched <= {self.machine}, f"other machines were touched: {touched - {self.machine}}"
        made = Counter(entry["container"] for entry in said if entry["what"] == "docker.create")
        with new_session() as session:
            retries = session.execute(
                text("select count(*) from event where ticket_id = :id and kind = 'step.retry'"), {"id": ticket}
            ).scalar_one()
            assert all(1 <= made[name] <= 1 + retries for name in LASTING), f"P8: {made} after {retries} retries"
            assert journal.verify_chain(session, ticket), "P4"
            unsigned = session.execute(text(UNSIGNED), {"id": ticket}).scalars().all()
            assert not unsigned, f"P3: runs without a signature before them: {unsigned}"
