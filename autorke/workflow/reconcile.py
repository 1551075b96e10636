"""The reconciler: everything that must happen although nobody asks. Any number of passes equals one (P13).

It runs in every worker under an advisory lock and would move every ticket to its end even if no hint ever arrived.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from autorke.core.db import transaction
from autorke.core.settings import Settings
from autorke.workflow import callbacks, commands, engine, lifecycle, outbox, safemode
from autorke.workflow.journal import SYSTEM, lock_ticket, record
from autorke.workflow.models import Attempt, Gate, Runner, StepRow, Ticket
from autorke.workflow.states import TERMINAL_TICKET, AttemptState, GateState

log = logging.getLogger(__name__)
T = TypeVar("T")
_PASS_LOCK = 0x5245434F
SILENT_GRACE = timedelta(seconds=60)
Proof = Callable[[Attempt], dict[str, Any] | None]
"""Asks this host about an attempt that ran on it: proof of death, or None when it lives or cannot be known."""


Note = Callable[[str, object, Exception], None]
"""Is told of each item on which a pass fails: what was being done, the item, the error. Must not raise."""


def _forget(_what: str, _item: object, _error: Exception) -> None:
    return


@dataclass(frozen=True)
class Host:
    """The worker host that runs this pass."""

    runner_id: str
    boot_id: str
    death_of: Proof
    failed: Note = _forget


def reconcile(settings: Settings, host: Host) -> dict[str, int]:
    """One whole pass in short transactions; returns what it did, by name. Skipped when another host begins one.

    Passes that overlap are harmless: each change is made under its ticket's lock, after a second look.
    """
    with transaction() as session:
        if not session.execute(text("select pg_try_advisory_xact_lock(:k)"), {"k": _PASS_LOCK}).scalar_one():
            return {}
        safe = safemode.watch(session)
        silent = [] if safe else _silent(session)  # first every host says what it has begun
    work = _Pass(host.failed)
    work.each("lost", silent, lambda attempt_id: _judge(attempt_id, host))
    work.each("expired_gates", _expired_gates(), _expire_gate)
    with transaction() as session:
        waited_enough = callbacks.expired(session)
    work.each("expired_callbacks", waited_enough, _expire_callback)
    work.each("granted", [None], _grant)
    work.each("moved", _open_tickets(), _advance)
    work.each("proven", _unproven(), lambda attempt_id: _prove_death(attempt_id, host))
    with transaction() as session:
        work.done["hints"] = _resend(session, settings.hint_resend)
    return {name: count for name, count in work.done.items() if count}


class _Pass:
    """Counts what a pass does. A bug in one ticket is logged and counted; it does not hold up the others."""

    def __init__(self, failed: Note) -> None:
        self.done: dict[str, int] = {}
        self._note = failed

    def each(self, name: str, items: Sequence[T], act: Callable[[T], int]) -> None:
        for item in items:
            try:
                self.done[name] = self.done.get(name, 0) + act(item)
            except DBAPIError as error:
                if error.connection_invalidated:  # the database is away: nothing else can be done either
                    raise
                self._failed(name, item, error)
            except Exception as error:
                self._failed(name, item, error)

    def _failed(self, name: str, item: object, error: Exception) -> None:
        log.exception("reconciler failed on one item", extra={"what": name, "item": str(item)})
        self.done["failed"] = self.done.get("failed", 0) + 1
        self._note(name, item, error)


def _grant(_: None) -> int:
    with transaction() as session:
        return engine.grant_locks(session)


def _silent(session: Session) -> list[UUID]:
    states = [AttemptState.CLAIMED, AttemptState.RUNNING]
    query = select(Attempt.id).where(Attempt.state.in_(states), Attempt.lease_until < func.clock_timestamp())
    return list(session.execute(query).scalars())


def _judge(attempt_id: UUID, host: Host) -> int:
    """Lease over: dead for certain, silent for long, or still to be waited for."""
    with transaction() as session:
        seen = session.get_one(Attempt, attempt_id)
        proof = _proof(session, seen, host)
        step = session.get_one(StepRow, seen.step_id)
        ticket = lock_ticket(session, step.ticket_id)
        attempt = session.get_one(Attempt, attempt_id, populate_existing=True)
        now = session.execute(select(func.clock_timestamp())).scalar_one()
        live = attempt.state in (AttemptState.CLAIMED, AttemptState.RUNNING)
        if not live or attempt.lease_until is None or attempt.lease_until > now:
            return 0
        harmless = attempt.state == AttemptState.CLAIMED
        if proof is None and not harmless and attempt.lease_until > now - SILENT_GRACE:
            return 0
        lifecycle.lost(session, ticket, attempt, proof)
        return 1


def _proof(session: Session, attempt: Attempt, host: Host) -> dict[str, Any] | None:
    """Proof of death: asked of this host, or free when the attempt's host has booted anew since."""
    if attempt.runner_id == host.runner_id and attempt.boot_id == host.boot_id:
        return host.death_of(attempt)
    runner = session.get(Runner, attempt.runner_id) if attempt.runner_id else None
    boot_now = host.boot_id if attempt.runner_id == host.runner_id else (runner.boot_id if runner else None)
    if boot_now is not None and attempt.boot_id is not None and boot_now != attempt.boot_id:
        return {"how": "its host has booted since", "boot_id": boot_now}
    return None


def _unproven() -> list[UUID]:
    with transaction() as session:
        query = select(Attempt.id).where(Attempt.state == AttemptState.UNKNOWN, Attempt.death_proof.is_(None))
        return list(session.execute(query).scalars())


def _prove_death(attempt_id: UUID, host: Host) -> int:
    """An attempt that became UNKNOWN without proof gets it as soon as its host can tell."""
    with transaction() as session:
        step = session.get_one(StepRow, session.get_one(Attempt, attempt_id).step_id)
        ticket = lock_ticket(session, step.ticket_id)
        attempt = session.get_one(Attempt, attempt_id, populate_existing=True)
        proof = _proof(session, attempt, host) if attempt.death_proof is None else None
        if proof is None or attempt.state != AttemptState.UNKNOWN:
            return 0
        attempt.death_proof = proof
        record(session, ticket, "attempt.death_proven", SYSTEM, {"attempt_id": str(attempt.id), **proof})
        return 1


def _expired_gates() -> list[UUID]:
    with transaction() as session:
        query = select(Gate.id).where(Gate.state == GateState.OPEN, Gate.expires_at < func.clock_timestamp())
        return list(session.execute(query).scalars())


def _expire_gate(gate_id: UUID) -> int:
    with transaction() as session:
        step = session.get_one(StepRow, session.get_one(Gate, gate_id).step_id)
        ticket = lock_ticket(session, step.ticket_id)
        gate = session.get_one(Gate, gate_id, populate_existing=True)
        session.refresh(step)
        if gate.state != GateState.OPEN or ticket.state in TERMINAL_TICKET:
            return 0
        commands.expire_gate(session, ticket, step, gate)
        return 1


def _expire_callback(step_id: UUID) -> int:
    with transaction() as session:
        step = session.get_one(StepRow, step_id)
        callbacks.expire(session, step.ticket_id, step)
        return 1


def _open_tickets() -> list[UUID]:
    with transaction() as session:
        query = select(Ticket.id).where(Ticket.state.not_in(TERMINAL_TICKET), Ticket.state != "QUEUED")
        return list(session.execute(query.order_by(Ticket.created_at)).scalars())


def _advance(ticket_id: UUID) -> int:
    """Advance a ticket that a crash left standing; moving one that stands rightly does nothing."""
    with transaction() as session:
        ticket = lock_ticket(session, ticket_id)
        before = ticket.next_seq
        engine.advance(session, ticket)
        return int(ticket.next_seq != before)


_CLOSE_DELIVERED = text(
    """
update outbox o set sent_at = clock_timestamp()
  from step_attempt a
 where o.sent_at is null and o.topic = 'launch' and a.id::text = o.key and a.state <> 'READY'
"""
)


_DUE = text(
    """
update step_attempt set hinted_at = clock_timestamp()
 where id in (
    select a.id from step_attempt a join step s on s.id = a.step_id join ticket t on t.id = s.ticket_id
     where a.state = 'READY' and coalesce(a.hinted_at, a.ready_at) < clock_timestamp() - make_interval(secs => :after)
       and t.cancel_requested_at is null and (t.pause_requested_at is null or a.purpose = 'PROBE')
       and not exists (select 1 from engine_switch e where e.halted)
     order by coalesce(a.hinted_at, a.ready_at) limit 500 for update of a skip locked)
returning id
"""
)


def _resend(session: Session, after: timedelta) -> int:
    """Hint again what could be claimed and was not, longest unhinted first; close messages that have been heard."""
    session.execute(_CLOSE_DELIVERED)
    due = session.execute(_DUE, {"after": after.total_seconds()}).scalars().all()
    for attempt_id in due:
        outbox.send_again(session, outbox.LAUNCH, str(attempt_id))
    return len(due)
