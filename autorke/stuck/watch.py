"""Looking, at most every few seconds in the whole installation, and keeping what was found.

Worker hosts look after each pass of the reconciler, and every api process looks too: the end of the one is noticed by
the other. Postgres decides whose turn it is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from redis import RedisError
from sqlalchemy import delete, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from autorke.core import events
from autorke.core.db import db_now, transaction
from autorke.core.hints import hint
from autorke.core.settings import Settings
from autorke.stuck.detect import detect
from autorke.stuck.facts import Finding, Limits
from autorke.stuck.models import Look, PassFailure, Stuck
from autorke.stuck.observe import observe
from autorke.workflow.models import Runner

log = logging.getLogger(__name__)
_LOOK_LOCK = 0x53545543
KEPT = timedelta(days=30)
"""For which things that are gone stay in the records."""
_MY_TURN = text(
    """
insert into stuck_look (id, at, by) values (:id, clock_timestamp(), :by)
on conflict (id) do update set at = excluded.at, by = excluded.by
 where stuck_look.at <= clock_timestamp() - make_interval(secs => :every) returning id
"""
)


class Broker:
    """Since when the broker does not answer this process. Asked at every turn: its answer is one round trip."""

    def __init__(self) -> None:
        self._down: float | None = None

    def ask(self) -> None:
        client = events.client()
        try:
            if client is not None:
                client.ping()
            self._down = None
        except (RedisError, OSError):
            self._down = time.monotonic() if self._down is None else self._down

    def down_since(self, now: datetime) -> datetime | None:
        """By the clock of `now`."""
        return None if self._down is None else now - timedelta(seconds=time.monotonic() - self._down)


class Watcher:
    """One process that looks. Who has just begun does not judge: the others may be beginning at the same moment."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._begun = time.monotonic()
        self.broker = Broker()

    def turn(self) -> bool:
        """Look, if it is time and nobody else does. A database that is away only means: later."""
        self.broker.ask()
        every = self._settings.stuck_every
        if not every or time.monotonic() - self._begun < self._settings.stuck_after.total_seconds():
            return False
        try:
            with transaction() as session:
                if not _my_turn(session, every, self._name):
                    return False
                look(session, Limits.of(self._settings), self.broker.down_since(db_now(session)))
                return True
        except SQLAlchemyError as error:
            log.warning("look for what is stuck failed", extra={"error": type(error).__name__})
            return False


def _my_turn(session: Session, every: timedelta, name: str) -> bool:
    if not session.execute(text("select pg_try_advisory_xact_lock(:k)"), {"k": _LOOK_LOCK}).scalar_one():
        return False
    values = {"id": Look.LOOK, "by": name, "every": every.total_seconds()}
    return session.execute(_MY_TURN, values).one_or_none() is not None


def look(session: Session, limits: Limits, broker_down_since: datetime | None = None) -> list[Finding]:
    """One look: see, judge, keep. Returns what is stuck at this moment."""
    seen = observe(session, limits, broker_down_since)
    found = detect(seen, limits)
    keep(session, found, seen.now)
    return found


def keep(session: Session, found: Sequence[Finding], now: datetime) -> None:
    """Store what is new, close what is gone, leave the rest alone. Pages are told of what has changed."""
    open_rows = session.execute(select(Stuck).where(Stuck.gone_at.is_(None))).scalars()
    known = {(row.cause, row.subject): row for row in open_rows}
    for finding in found:
        row = known.pop((finding.cause, finding.subject), None)
        tickets = [str(ticket) for ticket in finding.tickets]
        if row is None:
            log.warning("stuck", extra={"cause": finding.cause, "subject": finding.subject})
            session.add(_row(finding, tickets, now))
            _tell(session, finding.scope_id, tickets)
        elif (row.ticket_ids, row.evidence) != (tickets, dict(finding.evidence)):
            _tell(session, finding.scope_id, [*row.ticket_ids, *tickets])
            row.ticket_ids, row.evidence = tickets, dict(finding.evidence)
    for row in known.values():
        log.info("no longer stuck", extra={"cause": row.cause, "subject": row.subject})
        row.gone_at = now
        _undo(session, row)
        _tell(session, row.scope_id, row.ticket_ids)
    if known:
        session.execute(delete(Stuck).where(Stuck.gone_at < func.now() - KEPT))
        session.execute(delete(PassFailure).where(PassFailure.last_at < func.now() - KEPT))


def _row(finding: Finding, tickets: list[str], now: datetime) -> Stuck:
    return Stuck(
        cause=finding.cause,
        subject=finding.subject,
        scope_id=finding.scope_id,
        ticket_ids=tickets,
        evidence=dict(finding.evidence),
        since=finding.since or now,
        seen_at=now,
    )


def _tell(session: Session, scope_id: UUID | None, tickets: Sequence[str]) -> None:
    """Lists of tickets show what each waits for. The banner is told by the table itself (`flows.wiring`)."""
    if tickets:
        hint(session, "tickets", scope=scope_id, ids=tickets if scope_id else ())


def _undo(session: Session, row: Stuck) -> None:
    """A host that was drained because it was full claims again when there is room."""
    if row.cause == "run_dir_full" and row.repair_at is not None:
        runner = session.get(Runner, row.subject, with_for_update=True)
        if runner is not None:
            runner.drain = False


def asked(session: Session) -> list[Stuck]:
    """What is stuck and has a repair asked for: those that last are carried out by whoever can, turn after turn."""
    query = select(Stuck).where(Stuck.gone_at.is_(None), Stuck.repair_at.is_not(None))
    return list(session.execute(query.order_by(Stuck.id)).scalars())
