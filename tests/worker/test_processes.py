"""The engine with its real processes: runners outlive workers and brokers, and nothing runs twice."""

from __future__ import annotations

import os
import signal

import pytest
import redis

from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.core.settings import get_settings
from autorke.workflow import commands
from tests.worker.conftest import Farm, wait_for

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


def done(farm: Farm, ticket: object) -> bool:
    return farm.state(ticket) == "SUCCEEDED"  # type: ignore[arg-type]


def test_a_ticket_runs_through_celery_and_launcher(farm: Farm) -> None:
    ticket = farm.submit(nodes=["a", "b"])
    farm.sign(ticket)
    wait_for(lambda: done(farm, ticket))
    assert sorted(line.split()[2] for line in farm.lines() if line.startswith("START")) == ["a", "b"]


def test_killing_worker_and_launcher_does_not_touch_a_running_change(farm: Farm) -> None:
    ticket = farm.submit(seconds=3)
    farm.sign(ticket)
    wait_for(farm.lines)
    farm.kill("celery")
    farm.kill("launcher")
    wait_for(lambda: len(farm.lines()) == 2)
    wait_for(lambda: done(farm, ticket))
    assert [line.split()[0] for line in farm.lines()] == ["START", "END"]


def test_a_killed_runner_is_unknown_and_never_run_again_by_itself(farm: Farm) -> None:
    """P8: kill -9 in mid-effect; the proof of death is there, a person decides, the retry needs a new approval."""
    ticket = farm.submit(seconds=300)
    farm.sign(ticket)
    pid = int(wait_for(farm.lines)[0].split()[3])
    os.kill(pid, signal.SIGKILL)
    farm.end_leases()
    wait_for(lambda: farm.state(ticket) == "ATTENTION")
    assert farm.results(ticket) == {"a": "UNKNOWN"}
    lost = farm.attempts(ticket)[0]
    assert lost.death_proof is not None
    wait_for(lambda: farm.attempts(ticket, "PROBE")[0].state == "SUCCEEDED")
    assert len(farm.lines()) == 1
    with transaction() as session:
        commands.resolve(session, ticket, lost.id, new_id(), {"a": True}, "the machine is as planned")
    assert farm.state(ticket) == "SUCCEEDED"
    assert len(farm.lines()) == 1


def test_a_tool_that_outlives_its_runner_is_no_proof_of_death(farm: Farm) -> None:
    """Lease and token stop writes to the database, not a tool on a machine: only its end counts (engine.md §0)."""
    ticket = farm.submit(seconds=300, tool=True)
    farm.sign(ticket)
    (tool,) = wait_for(farm.tools)
    os.kill(int(farm.lines()[0].split()[3]), signal.SIGKILL)
    farm.end_leases()
    farm.passes()
    assert farm.tools() == [tool]
    assert farm.attempts(ticket)[0].death_proof is None, "called dead while its tool works"
    os.kill(tool, signal.SIGKILL)
    wait_for(lambda: farm.attempts(ticket)[0].death_proof is not None)


def test_losing_all_of_redis_loses_no_ticket(farm: Farm) -> None:
    """P12"""
    ticket = farm.submit()
    url = get_settings().redis_url
    assert url is not None
    redis.Redis.from_url(url.get_secret_value()).flushall()
    farm.sign(ticket)
    redis.Redis.from_url(url.get_secret_value()).flushall()
    wait_for(lambda: done(farm, ticket))
    assert len(farm.lines()) == 2


def test_without_a_launcher_the_worker_starts_runners_itself(farm: Farm) -> None:
    """The reconciler of this host died with its launcher; another host's goes on, here one in the test."""
    ticket = farm.submit()
    farm.sign(ticket)
    wait_for(lambda: done(farm, ticket))
    farm.kill("launcher")
    second = farm.submit(nodes=["b"])
    wait_for(lambda: farm.reconcile_elsewhere() or farm.gate(second))
    farm.sign(second)
    wait_for(lambda: farm.reconcile_elsewhere() or done(farm, second))
    assert [line.split()[2] for line in farm.lines() if line.startswith("START")] == ["a", "b"]
