"""Attempts: created, claimed, begun, renewed, ended. Each change is one guarded UPDATE (engine.md §3.3, §3.6).

A Celery message names an attempt; whether it runs is decided here. The claim says who, the intent says that from now on
there may be an effect; only what happened before the intent is ever repeated by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, func, select, text, update
from sqlalchemy.orm import Session

from autorke.core.db import db_now
from autorke.core.ids import new_id
from autorke.workflow import outbox
from autorke.workflow.errors import Fenced
from autorke.workflow.journal import By, lock_ticket, record
from autorke.workflow.line import LINE
from autorke.workflow.models import Attempt, EngineSwitch, StepRow, Ticket
from autorke.workflow.states import AttemptState, Purpose, StepState


@dataclass(frozen=True)
class Claim:
    """The right to run one attempt until the lease ends or the token changes."""

    attempt_id: UUID
    step_id: UUID
    ticket_id: UUID
    token: int
    purpose: Purpose


@dataclass(frozen=True)
class Flags:
    """What a heartbeat brings back."""

    cancel: bool
    pause: bool


@dataclass(frozen=True)
class Process:
    """Identity of a runner process: a pid alone may be reused, a pid with its start time and boot may not."""

    runner_id: str
    boot_id: str
    pid: int
    pid_start: int


def create(
    session: Session,
    ticket: Ticket,
    step: StepRow,
    purpose: Purpose,
    node_ids: Sequence[str],
    *,
    parent_id: UUID | None = None,
) -> Attempt:
    """A READY attempt and its hint; the hint leaves after the commit and is repeated until somebody claims."""
    step.current_n += 1
    attempt = Attempt(
        step_id=step.id,
        n=step.current_n,
        purpose=purpose.value,
        state=AttemptState.READY.value,
        node_ids=list(node_ids),
        parent_id=parent_id,
    )
    session.add(attempt)
    session.flush()
    outbox.put(session, outbox.LAUNCH, str(attempt.id))
    body = {"step": step.key, "n": attempt.n, "purpose": purpose.value, "nodes": list(node_ids)}
    record(session, ticket, "attempt.ready", By("system"), body)
    return attempt


_CLAIM = text(
    f"""
update step_attempt a
   set state = 'CLAIMED', token = a.token + 1, claim_id = :claim, runner_id = :runner, boot_id = :boot,
       lease_until = clock_timestamp() + make_interval(secs => :lease)
  from step s join ticket t on t.id = s.ticket_id
 where a.id = :id and a.step_id = s.id and a.n = s.current_n and a.state = 'READY'
   and (t.state = 'ACTIVE' or (a.purpose = 'PROBE' and t.state in ('ATTENTION', 'PAUSED')))
   and t.cancel_requested_at is null
   and (t.pause_requested_at is null or a.purpose = 'PROBE')
   and s.handler = any(:handlers)
   and not exists (select 1 from engine_switch e where e.halted)
   and not exists (select 1 from database_line d where d.line <> {LINE})
   and not exists (select 1 from runner r where r.id = :runner and r.drain)
   and not exists (select 1 from lock_queue q left join resource_lock l on l.kind = q.kind and l.key = q.key
                    where q.ticket_id = t.id and l.ticket_id is distinct from t.id)
returning a.token, a.step_id, s.ticket_id, a.purpose
"""  # noqa: S608  LINE is a constant of ours
)


def claim(
    session: Session, attempt_id: UUID, *, runner_id: str, boot_id: str, handlers: Sequence[str], lease: timedelta
) -> Claim | None:
    """Take a READY attempt; None when there is nothing to take, which ends a duplicate or late hint (P1)."""
    row = session.execute(
        _CLAIM,
        {
            "id": attempt_id,
            "claim": new_id(),
            "runner": runner_id,
            "boot": boot_id,
            "handlers": list(handlers),
            "lease": lease.total_seconds(),
        },
    ).one_or_none()
    if row is None:
        return None
    return Claim(attempt_id, row.step_id, row.ticket_id, row.token, Purpose(row.purpose))


def adopt(session: Session, attempt_id: UUID, token: int) -> Claim | None:
    """The claim as the runner process finds it; None when it was taken away meanwhile."""
    query = (
        select(Attempt.step_id, StepRow.ticket_id, Attempt.purpose)
        .join(StepRow, StepRow.id == Attempt.step_id)
        .where(Attempt.id == attempt_id, Attempt.token == token, Attempt.state == AttemptState.CLAIMED)
    )
    row = session.execute(query).one_or_none()
    return Claim(attempt_id, row.step_id, row.ticket_id, token, Purpose(row.purpose)) if row else None


def begin(session: Session, held: Claim, process: Process) -> None:
    """Commit the write-ahead intent: after this transaction the attempt may have had an effect (P8).

    Raises Fenced when the claim is no longer ours. The caller has locked the ticket and checked gate and drift.
    """
    result = session.execute(
        update(Attempt)
        .where(Attempt.id == held.attempt_id, Attempt.token == held.token, Attempt.state == AttemptState.CLAIMED)
        .where(Attempt.lease_until > func.clock_timestamp())
        .values(
            state=AttemptState.RUNNING.value,
            intent_at=func.clock_timestamp(),
            started_at=func.clock_timestamp(),
            runner_id=process.runner_id,
            boot_id=process.boot_id,
            pid=process.pid,
            pid_start=process.pid_start,
        )
    )
    _must_change_one(result)


def _must_change_one(result: Any) -> None:
    if not isinstance(result, CursorResult) or result.rowcount != 1:
        raise Fenced()


def register_process(session: Session, held: Claim, process: Process, lease: timedelta) -> None:
    """Say which process holds the claim, so that its end can be proven; the first heartbeat of the runner."""
    result = session.execute(
        update(Attempt)
        .where(Attempt.id == held.attempt_id, Attempt.token == held.token, Attempt.state == AttemptState.CLAIMED)
        .where(Attempt.pid.is_(None))
        .values(
            runner_id=process.runner_id,
            boot_id=process.boot_id,
            pid=process.pid,
            pid_start=process.pid_start,
            lease_until=func.clock_timestamp() + lease,
        )
    )
    _must_change_one(result)


_BEAT = text(
    """
update step_attempt a set lease_until = clock_timestamp() + make_interval(secs => :lease)
  from step s join ticket t on t.id = s.ticket_id
 where a.id = :id and a.token = :token and a.state in ('CLAIMED', 'RUNNING') and s.id = a.step_id
returning t.cancel_requested_at is not null as cancel, t.pause_requested_at is not null as pause
"""
)


def wishes(session: Session, held: Claim) -> Flags:
    """Do the people want this ticket to stop or to wait, at this moment?"""
    query = select(Ticket.cancel_requested_at, Ticket.pause_requested_at).where(Ticket.id == held.ticket_id)
    row = session.execute(query).one()
    return Flags(cancel=row.cancel_requested_at is not None, pause=row.pause_requested_at is not None)


def heartbeat(session: Session, held: Claim, lease: timedelta) -> Flags:
    """Renew the lease. Raises Fenced when the attempt was taken away: the runner must stop."""
    values = {"id": held.attempt_id, "token": held.token, "lease": lease.total_seconds()}
    row = session.execute(_BEAT, values).one_or_none()
    if row is None:
        raise Fenced()
    return Flags(cancel=row.cancel, pause=row.pause)


def end(session: Session, held: Claim, state: AttemptState, outcome: dict[str, Any]) -> Ticket:
    """Close a running attempt under its token and return its ticket, locked. Raises Fenced."""
    ticket = lock_ticket(session, held.ticket_id)
    result = session.execute(
        update(Attempt)
        .where(Attempt.id == held.attempt_id, Attempt.token == held.token, Attempt.state == AttemptState.RUNNING)
        .values(state=state.value, ended_at=func.clock_timestamp(), outcome=outcome)
    )
    _must_change_one(result)
    return ticket


def has_ended(session: Session, held: Claim) -> bool:
    """Was the end of this attempt recorded under this very token?"""
    query = select(Attempt.state).where(Attempt.id == held.attempt_id, Attempt.token == held.token)
    state = session.execute(query).scalar_one_or_none()
    return state is not None and state not in (AttemptState.CLAIMED, AttemptState.RUNNING)


def abandon(session: Session, ticket: Ticket, attempt: Attempt, reason: str) -> None:
    """End an attempt that provably had no effect; its late writers are fenced by the new token."""
    attempt.state = AttemptState.ABANDONED.value
    attempt.token += 1
    attempt.ended_at = db_now(session)
    attempt.reason = reason
    session.flush()
    record(session, ticket, "attempt.abandoned", By("system"), {"attempt_id": str(attempt.id), "reason": reason})


def live(session: Session, step: StepRow, purpose: Purpose | None = None) -> Attempt | None:
    """The attempt of a step that has not ended (UNKNOWN counts), newest first."""
    states = [AttemptState.READY, AttemptState.CLAIMED, AttemptState.RUNNING, AttemptState.UNKNOWN]
    query = select(Attempt).where(Attempt.step_id == step.id, Attempt.state.in_(states)).order_by(Attempt.n.desc())
    if purpose is not None:
        query = query.where(Attempt.purpose == purpose.value)
    return session.execute(query.limit(1).execution_options(populate_existing=True)).scalar_one_or_none()


def in_a_row(session: Session, step: StepRow, purpose: Purpose, reason: str) -> int:
    """How many of the step's newest attempts were for this purpose and ended for this reason."""
    another = (Attempt.purpose != purpose.value) | Attempt.reason.is_distinct_from(reason)
    other = select(func.max(Attempt.n)).where(Attempt.step_id == step.id, another)
    query = select(func.count()).where(Attempt.step_id == step.id, Attempt.reason == reason)
    query = query.where(Attempt.n > func.coalesce(other.scalar_subquery(), 0))
    return session.execute(query).scalar_one()


def halted(session: Session) -> bool:
    """Is the stop-all switch on?"""
    return session.execute(select(EngineSwitch.name).where(EngineSwitch.halted).limit(1)).first() is not None


def step_of(session: Session, held: Claim) -> StepRow:
    return session.get_one(StepRow, held.step_id, populate_existing=True)


def may_begin(step: StepRow, purpose: Purpose) -> bool:
    wanted = {Purpose.PLAN: StepState.PLANNING, Purpose.RUN: StepState.READY, Purpose.PROBE: StepState.UNKNOWN}
    return step.state == wanted[purpose]
