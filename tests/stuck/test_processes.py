"""With the product's own processes: what is killed or frozen is named, repaired, and gone when it is back."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlalchemy import select

from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.core.settings import get_settings
from autorke.stuck import repair
from autorke.stuck.models import Stuck
from autorke.stuck.standin import StandIn
from autorke.users.access import Actor
from autorke.users.models import RoleBinding, User
from autorke.workflow import commands
from autorke.workflow.journal import By
from tests.stuck.broker import Broker, stoppable
from tests.worker.conftest import Farm, farm, wait_for

__all__ = ["farm"]
pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
ADMIN = Actor(new_id(), "ann", frozenset({("admin", None)}), "token", new_id(), None)


@pytest.fixture
def broker() -> Iterator[Broker]:
    with stoppable() as broker:
        yield broker


@pytest.fixture
def redis_url(broker: Broker) -> str:
    """Of a broker of one's own, which can be stopped."""
    return broker.url


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, wait little."""
    for name, value in {"EVERY": "PT0.3S", "AFTER": "PT2S"}.items():
        monkeypatch.setenv(f"AUTORKE_STUCK_{name}", value)


@dataclass
class Site:
    """A worker host, and an api process of which only the stand-in runs, in this process."""

    farm: Farm
    broker: Broker

    def causes(self) -> dict[str, Stuck]:
        with transaction() as session:
            rows = session.execute(select(Stuck).where(Stuck.gone_at.is_(None))).scalars()
            return {row.cause: row for row in rows}

    def until(self, *causes: str) -> dict[str, Stuck]:
        """Wait until exactly these are stuck."""
        try:
            wait_for(lambda: set(self.causes()) == set(causes))
        except AssertionError as late:
            raise AssertionError({name: row.evidence for name, row in self.causes().items()}) from late
        return self.causes()

    def repair(self, cause: str) -> None:
        row = wait_for(lambda: self.causes().get(cause))
        with transaction() as session:
            repair.ask(session, ADMIN, row.id, "a test")

    def done(self, ticket: UUID) -> None:
        wait_for(lambda: self.farm.state(ticket) == "SUCCEEDED")


@pytest.fixture
def site(hurry: None, farm: Farm, broker: Broker) -> Iterator[Site]:
    assert hurry is None
    wait_for(lambda: farm.socket.exists())
    with transaction() as session:  # somebody who could sign
        session.add(User(id=ADMIN.user_id, name=ADMIN.name, display_name=ADMIN.name, password_hash=""))
        session.flush()
        session.add(RoleBinding(user_id=ADMIN.user_id, role="admin", cluster_id=None))
    stand_in = StandIn(get_settings())
    stand_in.start()
    yield Site(farm, broker)
    stand_in.stop()


def test_without_a_launcher_the_api_stands_in_until_one_is_back(site: Site) -> None:
    farm = site.farm
    first = farm.submit()
    wait_for(lambda: farm.gate(first))
    site.until()
    farm.kill("launcher")
    site.until("no_worker_host")
    second = farm.submit()
    with transaction() as session:
        commands.cancel(session, first, By("user", "rita"), "not needed")
    assert farm.state(second) == "QUEUED", "nobody hands out locks"
    site.repair("no_worker_host")
    wait_for(lambda: farm.state(second) == "ACTIVE")
    site.until("no_worker_host")
    farm.start("launcher")
    site.until()
    farm.sign(second)
    site.done(second)


def test_without_celery_or_a_broker_worker_hosts_take_starts_directly(site: Site) -> None:
    farm = site.farm
    site.until()
    farm.kill("celery")
    site.until("hints_not_taken")
    site.repair("hints_not_taken")
    ticket = farm.submit()
    farm.sign(ticket)
    site.done(ticket)
    site.broker.stop()
    site.until("broker_down")
    site.repair("broker_down")
    second = farm.submit(nodes=["b"])
    farm.sign(second)
    site.done(second)
    site.broker.start()
    farm.start("celery")
    site.until()
    assert len(farm.lines()) == 4, "each ran once"


def test_a_frozen_runner_is_declared_lost_ended_and_judged_by_a_person(site: Site) -> None:
    farm = site.farm
    ticket = farm.submit(seconds=300)
    farm.sign(ticket)
    pid = int(wait_for(farm.lines)[0].split()[3])
    os.kill(pid, signal.SIGSTOP)
    farm.end_leases()
    try:
        site.repair("runner_silent")
        assert farm.results(ticket) == {"a": "UNKNOWN"}
        site.repair("process_left")
        wait_for(lambda: farm.attempts(ticket)[0].death_proof is not None)
        site.until()
    finally:
        end(pid)
    lost = farm.attempts(ticket)[0]
    with transaction() as session:
        commands.resolve(session, ticket, lost.id, new_id(), {"a": True}, "the machine is as planned")
    assert farm.state(ticket) == "SUCCEEDED"
    assert len(farm.lines()) == 1, "nothing ran again"


def end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
