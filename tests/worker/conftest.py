"""A running worker host: launcher, Celery worker, real Postgres and a real broker."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select, update

from autorke.core import events, queue
from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.core.settings import get_settings
from autorke.worker import process
from autorke.workflow import commands, gates, outbox
from autorke.workflow.gates import Decision
from autorke.workflow.models import Attempt, Gate, NodeResult, Runner, StepRow, Ticket
from autorke.workflow.reconcile import Host, reconcile
from tests.orphans import no_orphans, orphans
from tests.worker.ground import GroundIn, everybody

__all__ = ["no_orphans"]


def wait_for(condition: Callable[[], Any], seconds: float = 150) -> Any:
    """The first true answer; a failure names what was waited for, and pytest shows the host's logs with it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {condition}")


@dataclass
class Farm:
    """Processes of one worker host, each in a session of its own so that they can be killed one by one."""

    directory: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def journal(self) -> Path:
        return self.directory / "journal"

    @property
    def socket(self) -> Path:
        return self.directory / "launcher.sock"

    def start(self, what: str) -> None:
        arguments = {
            "launcher": ["launcher", "--socket", str(self.socket)],
            "celery": ["celery", "worker", "-c", "2", "--without-gossip", "--without-mingle", "-l", "WARNING"],
        }[what]
        with (self.directory / f"{what}.log").open("ab") as output:
            self.processes[what] = subprocess.Popen(
                [sys.executable, "-m", "tests.worker.ground", *arguments],
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def kill(self, what: str, number: int = signal.SIGKILL) -> None:
        """End a process of ours and its group, by pid."""
        child = self.processes.pop(what)
        os.killpg(child.pid, number)
        child.wait(60)

    def lines(self) -> list[str]:
        return self.journal.read_text().splitlines() if self.journal.exists() else []

    def submit(self, **request: Any) -> UUID:
        with transaction() as session:
            form = GroundIn(journal=str(self.journal), **request)
            ticket, _ = commands.submit(session, "ground", form, new_id())
            return ticket.id

    def sign(self, ticket_id: UUID) -> None:
        """Wait for the next gate and approve it."""
        gate_id, subject = wait_for(lambda: self.gate(ticket_id))
        with transaction() as session:
            commands.decide(session, ticket_id, {gate_id: subject}, new_id(), Decision(True, ""))

    def gate(self, ticket_id: UUID) -> Any:
        with transaction() as session:
            query = (
                select(Gate.id, Gate.subject_hash)
                .join(StepRow, StepRow.id == Gate.step_id)
                .where(StepRow.ticket_id == ticket_id, Gate.state == "OPEN")
            )
            return session.execute(query).first()

    def state(self, ticket_id: UUID) -> str:
        with transaction() as session:
            return session.get_one(Ticket, ticket_id).state

    def attempts(self, ticket_id: UUID, purpose: str = "RUN") -> list[Attempt]:
        with transaction() as session:
            query = (
                select(Attempt)
                .join(StepRow, StepRow.id == Attempt.step_id)
                .where(StepRow.ticket_id == ticket_id, Attempt.purpose == purpose)
                .order_by(Attempt.n)
            )
            return list(session.execute(query).scalars())

    def results(self, ticket_id: UUID) -> dict[str, str]:
        with transaction() as session:
            query = (
                select(NodeResult.node_id, NodeResult.state)
                .join(StepRow, StepRow.id == NodeResult.step_id)
                .where(StepRow.ticket_id == ticket_id)
            )
            return {row.node_id: row.state for row in session.execute(query)}

    def end_leases(self) -> None:
        """Every runner that does not speak again is silent from now on, without the wait for its lease."""
        with transaction() as session:
            session.execute(
                update(Attempt).where(Attempt.state == "RUNNING").values(lease_until=func.clock_timestamp())
            )

    def passes(self, count: int = 2) -> None:
        """Wait until this host's reconciler has reported so often; each report but the first comes after a pass that
        has begun and ended meanwhile."""
        for _ in range(count):
            before = self._reported()
            wait_for(lambda before=before: self._reported() != before)

    def _reported(self) -> Any:
        with transaction() as session:
            return session.execute(select(func.max(Runner.last_seen))).scalar_one()

    def reconcile_elsewhere(self) -> None:
        """A pass of the reconciler of another worker host, which knows nothing of processes on this one."""
        reconcile(get_settings(), Host("elsewhere", "another boot", lambda _attempt: None))

    def tools(self) -> list[int]:
        """Tools of any attempt that are there; a runner that a worker had to start itself has their mark too."""
        with transaction() as session:
            ids = [str(i) for i in session.execute(select(Attempt.id)).scalars()]
        return [pid for attempt_id in ids for pid in process.tools_of(attempt_id) if _words(pid).startswith(b"sleep\0")]


def _words(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def farm(configured_db: Engine, redis_url: str, tmp_path: Path) -> Iterator[Farm]:
    """Leases are long, so that no runner of a slow machine is given up; who loses one ends its lease himself."""
    with pytest.MonkeyPatch.context() as environment:
        farm = Farm(tmp_path)
        environment.setenv("AUTORKE_REDIS_URL", redis_url)
        environment.setenv("AUTORKE_LAUNCHER_SOCKET", str(farm.socket))
        environment.setenv("AUTORKE_RUN_DIR", str(tmp_path))
        environment.setenv("AUTORKE_LEASE", "PT5M")
        environment.setenv("AUTORKE_HEARTBEAT", "PT0.5S")
        environment.setenv("AUTORKE_RECONCILE_EVERY", "PT0.3S")
        environment.setenv("AUTORKE_HINT_RESEND", "PT1S")
        get_settings.cache_clear()
        events.forget()
        environment.setattr(queue, "app", queue.make_app())  # the one before may hold connections to another broker
        gates.configure_directory(everybody)
        outbox.configure_transport(lambda topic, key: queue.hint(queue.LAUNCH, key))
        farm.start("launcher")
        farm.start("celery")
        yield farm
        with contextlib.suppress(AssertionError):  # a run that is under way ends while its database is there
            wait_for(lambda: not orphans(), 30)
        for what in list(farm.processes):
            farm.kill(what)
        for output in tmp_path.glob("*.log"):
            sys.stdout.write(f"--- {output.name}\n{output.read_text()[-5000:]}\n")
        outbox._transport.clear()
    get_settings.cache_clear()
    events.forget()
