"""A desk for engine tests: people, tickets, and a worker that runs what is ready, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, select

from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.core.settings import get_settings
from autorke.worker import process, runner
from autorke.workflow import attempts, commands, gates, outbox
from autorke.workflow.attempts import Claim
from autorke.workflow.definition import handlers
from autorke.workflow.gates import Decision
from autorke.workflow.journal import By
from autorke.workflow.models import Attempt, Event, Gate, StepRow, Ticket
from autorke.workflow.reconcile import Host, reconcile
from tests.api import api, secret_key
from tests.workflow.toy import WORLD, ToyIn

__all__ = ["api", "secret_key"]

USER = By("user", "tester")
LEASE = timedelta(minutes=10)
"""Of a claim that a test takes: it ends when the test says so (vanish.py), however long this machine stood still."""


@dataclass
class Desk:
    """Requester, approvers, and the hands that move tickets in a test."""

    requester: UUID = field(default_factory=new_id)
    approvers: list[UUID] = field(default_factory=lambda: [new_id() for _ in range(3)])
    rights: set[UUID] = field(default_factory=set)

    def holds(self, _session: Any, user: UUID, _permission: str, _scope: UUID | None) -> bool:
        return user in self.rights

    def submit(self, key: str | None = None, flow: str = "toy", **request: Any) -> UUID:
        with transaction() as session:
            ticket, _ = commands.submit(session, flow, ToyIn(**request), self.requester, key)
            return ticket.id

    def ready(self) -> list[UUID]:
        with transaction() as session:
            query = select(Attempt.id).where(Attempt.state == "READY").order_by(Attempt.ready_at)
            return list(session.execute(query).scalars())

    def claim(self, attempt_id: UUID, runner_id: str = "here") -> Claim | None:
        with transaction() as session:
            return attempts.claim(
                session,
                attempt_id,
                runner_id=runner_id,
                boot_id=process.boot_id(),
                handlers=handlers(),
                lease=LEASE,
            )

    def work(self) -> int:
        """Run every attempt that can be claimed, until none is left; returns how many ran."""
        ran = 0
        while True:
            held = [c for c in map(self.claim, self.ready()) if c is not None]
            if not held:
                return ran
            for claim in held:
                self.run(claim)
                ran += 1

    def run(self, claim: Claim) -> None:
        """Carry out a claimed attempt to its end, in this process."""
        runner.run_attempt(claim.attempt_id, claim.token)

    def state(self, ticket_id: UUID) -> str:
        with transaction() as session:
            return session.get_one(Ticket, ticket_id).state

    def steps(self, ticket_id: UUID) -> dict[str, str]:
        with transaction() as session:
            query = select(StepRow.key, StepRow.state).where(StepRow.ticket_id == ticket_id).order_by(StepRow.ord)
            return {row.key: row.state for row in session.execute(query)}

    def open_gates(self, ticket_id: UUID) -> dict[UUID, str]:
        with transaction() as session:
            query = (
                select(Gate.id, Gate.subject_hash)
                .join(StepRow, StepRow.id == Gate.step_id)
                .where(StepRow.ticket_id == ticket_id, Gate.state == "OPEN")
                .order_by(StepRow.ord, Gate.phase.desc())
            )
            return {row.id: row.subject_hash for row in session.execute(query)}

    def decide(self, ticket_id: UUID, who: UUID | None = None, approve: bool = True, comment: str = "ok") -> None:
        """Sign every open gate of the ticket."""
        with transaction() as session:
            said = Decision(approve=approve, subject_hash="", comment=comment)
            commands.decide(session, ticket_id, self.open_gates(ticket_id), who or self.approvers[0], said)

    def finish(self, ticket_id: UUID, rounds: int = 20) -> str:
        """Work and sign until the ticket ends or needs somebody."""
        for _ in range(rounds):
            self.work()
            if not self.open_gates(ticket_id):
                break
            self.decide(ticket_id)
        return self.state(ticket_id)

    def until(self, ticket_id: UUID, step: str, state: str) -> None:
        for _ in range(20):
            if self.steps(ticket_id)[step] == state:
                return
            self.work()
            if self.steps(ticket_id)[step] == state:
                return
            self.decide(ticket_id)
        raise AssertionError(f"{step} is {self.steps(ticket_id)[step]}, not {state}")

    def events(self, ticket_id: UUID) -> list[Event]:
        with transaction() as session:
            return list(
                session.execute(select(Event).where(Event.ticket_id == ticket_id).order_by(Event.seq)).scalars()
            )

    def attempts(self, ticket_id: UUID, step: str, purpose: str = "RUN") -> list[Attempt]:
        with transaction() as session:
            query = (
                select(Attempt)
                .join(StepRow, StepRow.id == Attempt.step_id)
                .where(StepRow.ticket_id == ticket_id, StepRow.key == step, Attempt.purpose == purpose)
                .order_by(Attempt.n)
            )
            return list(session.execute(query).scalars())

    def reconcile(self, host: Host | None = None) -> dict[str, int]:
        done = reconcile(get_settings(), host or Host("here", process.boot_id(), process.death_of))
        assert "failed" not in done
        return done


@pytest.fixture
def desk(configured_db: Engine) -> Iterator[Desk]:
    desk = Desk()
    desk.rights.update(desk.approvers)
    gates.configure_directory(desk.holds)
    outbox._transport.clear()
    WORLD.reset()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AUTORKE_LEASE", f"PT{LEASE.total_seconds():.0f}S")
        get_settings.cache_clear()
        yield desk
    get_settings.cache_clear()
    WORLD.reset()


@pytest.fixture
def world() -> Any:
    return WORLD
