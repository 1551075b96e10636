"""Repairs: what a person asks for, done by the rules of the engine and on the record.

None runs anything again that may have had an effect. A repair that lasts is only recorded here; worker hosts and api
processes carry it out for as long as the cause is there (`hosts`, `standin`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from autorke.core.db import db_now
from autorke.core.errors import AutoRkeError, InvalidTransition, NotFound, Text
from autorke.core.settings import get_settings
from autorke.stuck.errors import HostStillNeeded, NoLongerStuck, NoRepair, RepairAsked
from autorke.stuck.models import HostReport, Stuck
from autorke.stuck.words import CAUSES, Repair
from autorke.users import audit
from autorke.users.access import Actor
from autorke.workflow import callbacks, commands, lifecycle, safemode, unstick
from autorke.workflow.journal import By, lock_ticket, record
from autorke.workflow.lock_release import force_release
from autorke.workflow.models import Attempt, Gate, Runner, StepRow, Ticket
from autorke.workflow.states import TERMINAL_TICKET, AttemptState, GateState

log = logging.getLogger(__name__)
Act = Callable[[Session, Stuck, By, str], None]


def offered(row: Stuck) -> Repair | None:
    """The repair of this very thing, if it has one."""
    repair = CAUSES[row.cause].repair
    if row.cause == "pass_fails" and not (row.ticket_ids and row.evidence["what"] == "moved"):
        return None  # a pause only keeps passes from moving a ticket
    if row.cause == "held_up" and row.evidence["state"] != "PAUSED":
        return None
    return repair


def ask(session: Session, actor: Actor, stuck_id: UUID, reason: str) -> Stuck:
    """Repair one thing that is stuck, or have it repaired. Raises NotFound, Forbidden, and why it is refused."""
    row = session.get(Stuck, stuck_id, with_for_update=True)
    if row is None or not _visible(actor, row):
        raise NotFound(what="stuck", key=str(stuck_id))
    if row.gone_at is not None:
        raise NoLongerStuck()
    repair = offered(row)
    if repair is None:
        remedy = CAUSES[row.cause].remedy
        raise NoRepair(remedy_zh=remedy.zh, remedy_en=remedy.en)
    actor.require(repair.permission, row.scope_id)
    if repair.lasting and row.repair_at is not None:
        raise RepairAsked()
    by = By("user", str(actor.user_id))
    _on_the_record(session, actor, row, by, reason)
    act = ACTS.get(row.cause)
    if act is not None:
        act(session, row, by, reason)
    row.repair_by, row.repair_at, row.repair_reason = actor.user_id, db_now(session), reason
    session.flush()
    return row


def _visible(actor: Actor, row: Stuck) -> bool:
    return actor.may("ticket:read", row.scope_id) or (row.scope_id is None and actor.anywhere("ticket:read"))


def _on_the_record(session: Session, actor: Actor, row: Stuck, by: By, reason: str) -> None:
    """In the audit log, and in the story of the ticket that it is about."""
    about = {"cause": row.cause, "subject": row.subject, "reason": reason}
    audit.record(session, actor, action="stuck.repair", object_type="stuck", object_id=row.id, **about)
    if not CAUSES[row.cause].everybody and row.ticket_ids:
        ticket = lock_ticket(session, UUID(row.ticket_ids[0]))
        record(session, ticket, "stuck.repair", by, about)


# worker hosts -------------------------------------------------------------------------------------------------------


def _forget_host(session: Session, row: Stuck, _by: By, _reason: str) -> None:
    runner = session.get(Runner, row.subject, with_for_update=True)
    if runner is None or runner.last_seen > db_now(session) - get_settings().stuck_after:
        raise NoLongerStuck()
    live = Attempt.state.in_([AttemptState.CLAIMED, AttemptState.RUNNING])
    unproven = (Attempt.state == AttemptState.UNKNOWN) & Attempt.death_proof.is_(None)
    query = select(Attempt.id).where(Attempt.runner_id == runner.id, live | unproven).limit(1)
    if session.execute(query).first() is not None:
        why = Text(zh="它上面有未结束的执行", en="an attempt on it has not ended")
        raise HostStillNeeded(host=runner.id, **why.as_json())
    if safemode.state(session) is not None:
        why = Text(zh="安全模式在等它说明", en="safe mode waits for its word")
        raise HostStillNeeded(host=runner.id, **why.as_json())
    session.execute(delete(HostReport).where(HostReport.id == runner.id))
    session.delete(runner)


def _undrain(session: Session, _row: Stuck, _by: By, _reason: str) -> None:
    seen = Runner.last_seen > db_now(session) - get_settings().stuck_after
    session.execute(update(Runner).where(Runner.drain, seen).values(drain=False))


def _drain(session: Session, row: Stuck, _by: By, _reason: str) -> None:
    session.execute(update(Runner).where(Runner.id == row.subject).values(drain=True))


# tickets ------------------------------------------------------------------------------------------------------------


def _open_ticket(session: Session, row: Stuck) -> Ticket:
    ticket = lock_ticket(session, UUID(row.ticket_ids[0]))
    if ticket.state in TERMINAL_TICKET:
        raise NoLongerStuck()
    return ticket


def _declare_lost(session: Session, row: Stuck, _by: By, _reason: str) -> None:
    ticket = _open_ticket(session, row)
    attempt = session.get_one(Attempt, UUID(row.subject), populate_existing=True)
    silent = attempt.lease_until is not None and attempt.lease_until < db_now(session)
    if attempt.state != AttemptState.RUNNING or not silent:
        raise NoLongerStuck()
    lifecycle.lost(session, ticket, attempt, None)


def _take_on(session: Session, row: Stuck, _by: By, _reason: str) -> None:
    unstick.take_on(session, _open_ticket(session, row))


def _expire_gate(session: Session, row: Stuck, _by: By, _reason: str) -> None:
    ticket = _open_ticket(session, row)
    gate = session.get_one(Gate, UUID(row.subject), populate_existing=True)
    over = gate.expires_at is not None and gate.expires_at < db_now(session)
    if gate.state != GateState.OPEN or not over:
        raise NoLongerStuck()
    commands.expire_gate(session, ticket, session.get_one(StepRow, gate.step_id, populate_existing=True), gate)


def _stop_waiting(session: Session, row: Stuck, _by: By, _reason: str) -> None:
    ticket = _open_ticket(session, row)
    step = session.get_one(StepRow, UUID(row.subject), populate_existing=True)
    if step.state != "WAIT_CALLBACK":
        raise InvalidTransition(what=f"step {step.key}", state=step.state, action="stop waiting")
    callbacks.expire(session, ticket.id, step)


def _pause(session: Session, row: Stuck, by: By, _reason: str) -> None:
    commands.pause(session, UUID(row.ticket_ids[0]), by, paused=True)


def _set_aside(session: Session, row: Stuck, by: By, reason: str) -> None:
    """A ticket that is so broken that it cannot even be paused is a matter for who reads the traceback."""
    try:
        with session.begin_nested():
            _pause(session, row, by, reason)
    except AutoRkeError:
        raise
    except Exception as error:
        log.exception("a ticket could not be set aside", extra={"ticket": row.ticket_ids[0]})
        remedy = CAUSES[row.cause].remedy
        raise NoRepair(remedy_zh=remedy.zh, remedy_en=remedy.en) from error


def _resume(session: Session, row: Stuck, by: By, _reason: str) -> None:
    commands.pause(session, UUID(row.subject), by, paused=False)


def _release(session: Session, row: Stuck, by: By, reason: str) -> None:
    evidence: Mapping[str, Any] = row.evidence
    force_release(session, (evidence["kind"], evidence["key"]), by=by, reason=reason, close_ticket=False)


ACTS: dict[str, Act] = {
    "host_silent": _forget_host,
    "hosts_drained": _undrain,
    "run_dir_full": _drain,
    "runner_silent": _declare_lost,
    "gate_not_expired": _expire_gate,
    "callback_overdue": _stop_waiting,
    "no_progress": _take_on,
    "pass_fails": _set_aside,
    "log_silent": _pause,
    "held_up": _resume,
    "lock_outlived": _release,
}
"""What is done at once. A cause that is not here has a repair that lasts, or none."""
