"""One ticket's people, worker, runners and reconciler, each action in a process forked for it: it may die there.

The test's own process only looks on: it forks an actor, hears how it ended, and goes on as the outside world would: a
client asks again, a hint comes again, the reconciler passes again, a person looks after what is unknown.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from autorke.core import db, events
from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.core.settings import get_settings
from autorke.worker import process, runner, tasks
from autorke.workflow import commands
from autorke.workflow.gates import Decision
from autorke.workflow.journal import By
from autorke.workflow.models import Attempt, Gate, NodeResult, StepRow, Ticket
from autorke.workflow.reconcile import Host, reconcile
from autorke.workflow.states import TERMINAL_TICKET
from tests.faults.failpoints import COUNTER

PATIENCE = 240
PASS = 0.3
MOST_RETRIES = 12


@dataclass
class Actors:
    """`form` is what is submitted; `done(node)` is the person's look at a machine after an UNKNOWN."""

    flow: str
    form: Any
    requester: UUID
    approver: UUID
    done: Callable[[UUID, str], bool]
    lease: float
    key: str = field(default_factory=lambda: str(new_id()))
    ticket: UUID | None = None
    runners: list[int] = field(default_factory=list)
    waker: int | None = None
    passed: float = 0
    person: int = 0
    """How often somebody had to look after an unknown result, or to retry."""

    def to_the_end(self) -> str:
        """Everybody does his part until the ticket ends; returns its state."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.ticket is None:
                self._submit()
                continue
            state = self._look()
            if state in TERMINAL_TICKET and not self._collect():
                return state
            time.sleep(0.02)
        raise AssertionError(f"the ticket does not end: {self._stands()}")

    def _submit(self) -> None:
        """Until the client knows his ticket he sends the same request with the same key."""

        def submit() -> None:
            with transaction() as session:
                commands.submit(session, self.flow, self.form, self.requester, self.key)

        self._in_child(submit)
        with transaction() as session:
            self.ticket = session.execute(
                select(Ticket.id).where(Ticket.idempotency_key == self.key)
            ).scalar_one_or_none()

    def _look(self) -> str:
        assert self.ticket is not None
        self._collect()
        with transaction() as session:
            state = session.get_one(Ticket, self.ticket).state
            mine = StepRow.ticket_id == self.ticket
            ready = session.execute(select(Attempt.id).join(StepRow, StepRow.id == Attempt.step_id)
                                    .where(mine, Attempt.state == "READY")).scalars().all()  # fmt: skip
            gates = dict(session.execute(select(Gate.id, Gate.subject_hash).join(StepRow, StepRow.id == Gate.step_id)
                                         .where(mine, Gate.state == "OPEN")).all())  # type: ignore[arg-type]  # fmt: skip
            stuck = session.execute(
                select(StepRow.key).where(mine, StepRow.state.in_(["PARTIAL", "FAILED", "PLAN_FAILED", "GATE_CLOSED"]))
            ).scalars().all()  # fmt: skip
            probing = session.execute(
                select(Attempt.id)
                .join(StepRow, StepRow.id == Attempt.step_id)
                .where(mine, Attempt.purpose == "PROBE", Attempt.state.in_(["READY", "CLAIMED", "RUNNING"]))
            ).first()
            unknown = session.execute(select(Attempt).join(StepRow, StepRow.id == Attempt.step_id)
                                      .where(mine, Attempt.state == "UNKNOWN", Attempt.death_proof.is_not(None))
                                      ).scalars().all()  # fmt: skip
        for attempt_id in ready:
            self._hint(attempt_id)
        if gates:
            self._in_child(lambda: self._decide(gates))
        for attempt in unknown if probing is None else ():
            self.person += 1
            self._in_child(lambda attempt=attempt: self._resolve(attempt))
        for key in stuck:
            self.person += 1
            assert self.person < MOST_RETRIES, f"a person gets nowhere: {self._stands()[-4:]} {self._problems()}"
            self._in_child(lambda key=key: self._retry(key))
        idle = not ready and not gates and not stuck and (not unknown or probing is not None)
        if idle and time.monotonic() - self.passed > PASS:
            self._in_child(_reconcile)
            self.passed = time.monotonic()
        return state

    def _decide(self, gates: Mapping[UUID, str]) -> None:
        with transaction() as session:
            commands.decide(session, self._id, gates, self.approver, Decision(True, "", "read"))

    def _resolve(self, attempt: Attempt) -> None:
        with transaction() as session:
            query = select(NodeResult.node_id).where(NodeResult.attempt_id == attempt.id, NodeResult.state == "UNKNOWN")
            verdicts = {node: self.done(self._id, node) for node in session.execute(query).scalars()}
            commands.resolve(session, self._id, attempt.id, self.approver, verdicts, "looked at it")

    def _retry(self, key: str) -> None:
        with transaction() as session:
            commands.retry(session, self._id, key, By("user", str(self.requester)))

    @property
    def _id(self) -> UUID:
        assert self.ticket is not None
        return self.ticket

    def _hint(self, attempt_id: UUID) -> None:
        """A worker claims it; the runner that it asks for is forked here, as the launcher would."""
        ours, theirs = os.pipe()

        def launch() -> None:
            tasks.start_runner = lambda held: (
                os.write(theirs, json.dumps([str(held.attempt_id), held.token]).encode()),
                None,
            )[1]
            tasks.launch(str(attempt_id))

        self._in_child(launch)
        os.close(theirs)
        asked = os.read(ours, 4096)
        os.close(ours)
        if asked:
            found, token = json.loads(asked)
            self.runners.append(_fork(lambda: runner.run_attempt(UUID(found), token), leads=True))

    def _in_child(self, action: Callable[[], None]) -> None:
        """Wait for its end; one that is frozen is left alone, it is woken later."""
        self._wait(_fork(lambda: (action(), 0)[1], leads=False))

    def _wait(self, pid: int) -> bool:
        _, status = os.waitpid(pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            self.runners.append(pid)
            self._wake_later(pid)
            return False
        return True

    def _wake_later(self, pid: int) -> None:
        self.waker = os.fork()
        if not self.waker:
            try:
                time.sleep(3 * self.lease)
                os.kill(pid, signal.SIGCONT)
            finally:
                os._exit(0)

    def _collect(self) -> bool:
        """Take note of what has ended or was frozen; True while something is left."""
        for pid in list(self.runners):
            found, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
            if found and os.WIFSTOPPED(status) and self.waker is None:
                self._wake_later(pid)
            elif found and not os.WIFSTOPPED(status):
                self.runners.remove(pid)
        if self.waker and not self.runners:
            os.waitpid(self.waker, 0)
            self.waker = None
        return bool(self.runners)

    def _stands(self) -> list[tuple[Any, ...]]:
        query = text(
            "select s.key, s.state, a.n, a.purpose, a.state, a.reason, a.death_proof is not null from step s"
            " left join step_attempt a on a.step_id = s.id where s.ticket_id = :id order by s.ord, a.n"
        )
        with transaction() as session:
            return [tuple(row) for row in session.execute(query, {"id": self.ticket})]

    def _problems(self) -> list[Any]:
        query = text("select p.problems from plan p join step s on s.id = p.step_id where s.ticket_id = :id"
                     " order by p.created_at desc limit 1")  # fmt: skip
        with transaction() as session:
            return list(session.execute(query, {"id": self.ticket}).scalars())

    def abandon(self) -> None:
        """End what a failed case has left running."""
        for pid in self.runners:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _reconcile() -> None:
    reconcile(get_settings(), Host(process.runner_id(), process.boot_id(), process.death_of))


def _fork(work: Callable[[], int], *, leads: bool) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        if leads:
            os.setsid()
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 2)
        events.forget()
        db.get_engine().dispose(close=False)
        COUNTER.on = True
        code = work()
    finally:
        os._exit(code)
