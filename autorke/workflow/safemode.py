"""Safe mode: after a failover or a restore the database may have forgotten a run that is under way (engine.md §3.5).

A *line* names one history of the database: the server's identity and its WAL timeline. A promoted standby and a
restored backup begin another. Until every worker host has accounted for the runs it has begun, nothing is claimed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from autorke.workflow import attempts, engine, gates, results
from autorke.workflow.definition import Unit
from autorke.workflow.journal import SYSTEM, lock_ticket, record
from autorke.workflow.line import current_line
from autorke.workflow.models import Attempt, DatabaseLine, EngineSwitch, Runner, StepRow, Ticket
from autorke.workflow.states import TERMINAL_TICKET, AttemptState, Purpose, StepState

log = logging.getLogger(__name__)
SWITCH = "safe-mode"
GONE_AFTER = timedelta(days=1)
"""A host that was silent for this long before the line changed is not waited for: it has been taken away."""


@dataclass(frozen=True)
class Begun:
    """What a worker host has noted of a run just before it committed its intent."""

    attempt_id: UUID
    token: int
    ticket_id: UUID
    step_id: UUID
    plan_id: UUID | None
    node_ids: list[str]
    boot_id: str
    pid: int
    pid_start: int


@dataclass(frozen=True)
class SafeMode:
    """Why nothing starts: hosts that have not accounted yet, and what needs an admin's look. Shown to people."""

    since: datetime
    waits_for: list[str]
    lost: list[dict[str, Any]]


def watch(session: Session) -> bool:
    """For the reconciler: enter on another line, leave when all is accounted for. True while safe mode is on."""
    line = current_line(session)
    row = session.get(DatabaseLine, DatabaseLine.ONLY, with_for_update=True)
    if row is None:
        session.add(DatabaseLine(id=DatabaseLine.ONLY, line=line, lost=[]))
        return False
    if row.line != line:
        log.error("another history of the database: safe mode", extra={"was": row.line, "line": line})
        row.line, row.changed_at, row.lost = line, session.execute(select(func.clock_timestamp())).scalar_one(), []
        _turn(session, on=True, reason="the database has failed over or was restored")
    session.flush()
    seen = state(session)
    if seen is not None and not seen.waits_for and not seen.lost:
        log.warning("safe mode ends: every worker host has accounted for its runs")
        _turn(session, on=False, reason="every worker host has accounted for its runs")
        return False
    return seen is not None


def state(session: Session) -> SafeMode | None:
    """Safe mode as people see it; None when it is off."""
    switch = session.get(EngineSwitch, SWITCH)
    row = session.get(DatabaseLine, DatabaseLine.ONLY)
    if switch is None or not switch.halted or row is None or row.changed_at is None:
        return None
    query = select(Runner.host).where(
        Runner.line.is_distinct_from(row.line), Runner.last_seen > row.changed_at - GONE_AFTER
    )
    return SafeMode(row.changed_at, list(session.execute(query.order_by(Runner.host)).scalars()), row.lost)


def leave(session: Session, by: UUID, reason: str) -> None:
    """An admin takes the responsibility for what no host could account for."""
    row = session.get(DatabaseLine, DatabaseLine.ONLY, with_for_update=True)
    if row is not None and state(session) is not None:
        row.lost = []
        _turn(session, on=False, reason=reason, by=by)


def _turn(session: Session, *, on: bool, reason: str, by: UUID | None = None) -> None:
    row = session.get(EngineSwitch, SWITCH) or EngineSwitch(name=SWITCH)
    row.halted, row.reason, row.by = on, reason, by
    row.at = session.execute(select(func.clock_timestamp())).scalar_one()
    session.add(row)
    session.flush()


def account(session: Session, runner: Runner, begun: Sequence[Begun], *, rebooted: bool) -> None:
    """A host's answer for the current line: each run it has begun is known here, or becomes a person's matter.

    A host that has booted since it was last seen has lost its notes: an admin must look at what it was doing.
    """
    row = session.get(DatabaseLine, DatabaseLine.ONLY, with_for_update=True)
    if row is None or row.line != current_line(session):
        return  # the reconciler's pass comes first
    if row.changed_at is None:
        runner.line = row.line
        return
    if rebooted:
        row.lost = [*row.lost, {"host": runner.host, "what": "rebooted"}]
    for run in begun:
        if _forgotten(session, run, row.changed_at) and not _made_unknown(session, runner, run):
            row.lost = [*row.lost, _lost(session, runner, run)]
    runner.line = row.line
    session.flush()


def _forgotten(session: Session, run: Begun, since: datetime) -> bool:
    """Does the database not know that this run has begun? Given up before the line changed: it knew all there was."""
    attempt = session.get(Attempt, run.attempt_id, populate_existing=True)
    if attempt is None:
        return True
    ended_before = attempt.ended_at is not None and attempt.ended_at < since
    return attempt.intent_at is None and not ended_before


def _made_unknown(session: Session, runner: Runner, run: Begun) -> bool:
    """Let a forgotten run stand as one whose runner was lost; False where the database has no place for it any more."""
    if session.get(Ticket, run.ticket_id) is None:
        return False
    ticket = lock_ticket(session, run.ticket_id)
    step = session.get(StepRow, run.step_id, populate_existing=True)
    if step is None or step.plan_id != run.plan_id or ticket.state in TERMINAL_TICKET:
        return False
    attempt = session.get(Attempt, run.attempt_id, populate_existing=True) or _again(session, ticket, step, run)
    live = attempt is not None and attempt.state in (AttemptState.READY, AttemptState.CLAIMED)
    if attempt is None or not live or step.state != StepState.READY:
        return False
    attempt.state = AttemptState.UNKNOWN.value
    attempt.token = max(attempt.token, run.token) + 1
    attempt.intent_at = attempt.started_at = func.clock_timestamp()
    attempt.runner_id, attempt.boot_id = runner.id, run.boot_id
    attempt.pid, attempt.pid_start = run.pid, run.pid_start
    nodes = [results.WHOLE] if step.unit == Unit.TICKET else list(attempt.node_ids)
    session.add_all(results.without_row(attempt, node, forgotten=True) for node in nodes)
    session.flush()
    body = {"step": step.key, "n": attempt.n, "unknown": nodes, "death_proven": False, "forgotten": True}
    record(session, ticket, "attempt.unknown", SYSTEM, body)
    engine.move(session, ticket, step, StepState.RUNNING, n=attempt.n)
    engine.move(session, ticket, step, StepState.UNKNOWN)
    attempts.create(session, ticket, step, Purpose.PROBE, nodes, parent_id=attempt.id)
    engine.advance(session, ticket)
    return True


def _again(session: Session, ticket: Ticket, step: StepRow, run: Begun) -> Attempt | None:
    """The attempt's row, forgotten with the signature that had made it; the plan it ran is still the step's plan."""
    if step.state not in (StepState.WAIT_PRE_GATE, StepState.READY):
        return None
    other = attempts.live(session, step, Purpose.RUN)
    if other is not None:
        attempts.abandon(session, ticket, other, "a failover had forgotten a run of this plan")
    step.current_n += 1
    row = Attempt(id=run.attempt_id, step_id=step.id, n=step.current_n, token=run.token, node_ids=run.node_ids)
    row.purpose, row.state = Purpose.RUN.value, AttemptState.READY.value
    session.add(row)
    session.flush()
    if step.state == StepState.WAIT_PRE_GATE:
        gates.void_gates(session, ticket, step)
        engine.move(session, ticket, step, StepState.READY)
    return row


def _lost(session: Session, runner: Runner, run: Begun) -> dict[str, Any]:
    """For the admin, and for the ticket's own story where there still is a ticket."""
    entry: dict[str, Any] = {"host": runner.host, "what": "run", "ticket_id": str(run.ticket_id)}
    if session.get(Ticket, run.ticket_id) is None:
        return entry
    ticket = lock_ticket(session, run.ticket_id)
    step = session.get(StepRow, run.step_id)
    key = step.key if step is not None else ""
    record(
        session, ticket, "run.forgotten", SYSTEM, {"step": key, "host": runner.host, "attempt_id": str(run.attempt_id)}
    )
    if step is not None and step.state in (StepState.WAIT_PRE_GATE, StepState.READY):
        live = attempts.live(session, step, Purpose.RUN)
        if live is not None:
            attempts.abandon(session, ticket, live, "planned anew: a failover has forgotten a run")
        engine.start_planning(session, ticket, step, step.retry_nodes)  # who signs next signs on what is there now
    return {**entry, "ticket": ticket.number, "step": key}
