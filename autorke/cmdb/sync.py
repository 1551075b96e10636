"""One sync from the first request to the record of how it ended.

    claim the run → ask the CMDB page by page into a stage (no transaction open) → apply and record (one transaction)

A session lock on the run's own connection keeps a second sync of the source out; it goes when the process dies.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
from sqlalchemy import Connection, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from autorke.cmdb import staging
from autorke.cmdb.apply import Terms, apply
from autorke.cmdb.errors import SyncRunning
from autorke.cmdb.models import CmdbRun, CmdbSource, Outcome
from autorke.cmdb.service import config_of, get_source, open_secret
from autorke.core.db import db_now, get_engine, transaction
from autorke.core.errors import AutoRkeError, Conflict
from autorke.core.settings import get_settings
from autorke.integrations.cmdb import CmdbConfig, fetch_pages

log = logging.getLogger(__name__)
CLAIM_AGAIN = timedelta(minutes=10)
"""A claimed run that did not start within this time (its worker died) is offered again."""


def files_root() -> Path:
    """Where file sources live: the operator puts exports there. Nothing outside of it is ever read for a source."""
    settings = get_settings()
    return settings.cmdb_dir or settings.data_dir / "cmdb"


def due_sources(session: Session) -> list[UUID]:
    """Sources to sync now: by their interval, or because a person asked. Each is offered to one caller only."""
    now = db_now(session)
    # Looked for before anything is written: each write of these tables makes every open page read them again.
    timed = select(CmdbSource.id).where(
        CmdbSource.enabled, CmdbSource.interval_seconds > 0, CmdbSource.next_due_at <= now
    )
    for source_id in session.scalars(timed.with_for_update(skip_locked=True)).all():
        later = now + CmdbSource.interval_seconds * timedelta(seconds=1)
        session.execute(update(CmdbSource).where(CmdbSource.id == source_id).values(next_due_at=later))
        queued = insert(CmdbRun).values(source_id=source_id, requested_by="timer")
        session.execute(queued.on_conflict_do_nothing())
    unclaimed = or_(CmdbRun.claimed_at.is_(None), CmdbRun.claimed_at < now - CLAIM_AGAIN)
    waiting = select(CmdbRun.id, CmdbRun.source_id).where(CmdbRun.outcome == Outcome.QUEUED.value, unclaimed)
    runs = session.execute(waiting.with_for_update(skip_locked=True)).all()
    if runs:
        claimed = update(CmdbRun).where(CmdbRun.id.in_([run.id for run in runs])).values(claimed_at=now)
        session.execute(claimed)
    return [run.source_id for run in runs]


def run_due() -> None:
    """The schedule's entry: sync every source that is due, one after another."""
    with transaction() as session:
        due = due_sources(session)
    for source_id in due:
        try:
            run_sync(source_id)
        except SyncRunning:
            log.info("cmdb sync is running elsewhere", extra={"source": str(source_id)})


def run_sync(source_id: UUID, *, transport: httpx.BaseTransport | None = None) -> UUID:
    """Sync one source now; the id of its run, which says how it ended. Raises NotFound, SyncRunning.

    What goes wrong with the CMDB is recorded in the run, not raised.
    """
    with get_engine().connect() as connection:
        locked = connection.execute(
            text("select pg_try_advisory_lock(hashtextextended(:key, 0))"), {"key": f"autorke.cmdb.{source_id}"}
        ).scalar_one()
        connection.commit()
        try:
            if not locked:
                raise SyncRunning(name=str(source_id))
            return _run(connection, source_id, transport)
        finally:
            connection.invalidate()  # drops the stage and the lock with the connection, whatever happened


def _run(connection: Connection, source_id: UUID, transport: httpx.BaseTransport | None) -> UUID:
    with transaction() as session:
        run_id, accept_drop = _start(session, source_id)
    try:
        with transaction() as session:
            source = get_source(session, source_id)
            config, purpose = config_of(source), f"cmdb sync {source.name}"
            secret = open_secret(session, source.credential_id, purpose=purpose, actor=None)
            terms = _terms(source, config, accept_drop)
        _stage(connection, config, secret, transport)
        _apply(connection, run_id, terms)
    except AutoRkeError as error:
        _fail(run_id, Outcome.REFUSED if isinstance(error, Conflict) else Outcome.FAILED, error)
    except DBAPIError as error:
        log.exception("cmdb sync failed in the database", extra={"source": str(source_id)})
        state = getattr(error.orig, "sqlstate", None) or type(error.orig).__name__
        _fail(run_id, Outcome.FAILED, Conflict(reason=f"database {state}"))
    except BaseException:
        _fail(run_id, Outcome.FAILED, AutoRkeError())
        raise
    return run_id


def _start(session: Session, source_id: UUID) -> tuple[UUID, bool]:
    """The queued run, or a new one, becomes running. Runs of dead processes are closed as lost."""
    source = get_source(session, source_id)
    now = db_now(session)
    lost = update(CmdbRun).where(CmdbRun.source_id == source_id, CmdbRun.outcome == Outcome.RUNNING.value)
    session.execute(lost.values(outcome=Outcome.LOST.value, ended_at=now))
    queued = select(CmdbRun).where(CmdbRun.source_id == source_id, CmdbRun.outcome == Outcome.QUEUED.value)
    run = session.scalars(queued.with_for_update()).one_or_none()
    if run is None:
        run = CmdbRun(source_id=source_id, requested_by="timer")
        session.add(run)
    run.outcome, run.started_at, run.claimed_at = Outcome.RUNNING.value, now, now
    if source.interval_seconds:
        source.next_due_at = now + timedelta(seconds=source.interval_seconds)
    session.flush()
    return run.id, run.accept_drop


def _terms(source: CmdbSource, config: CmdbConfig, accept_drop: bool) -> Terms:
    return Terms(
        source_id=source.id,
        mapped=frozenset(config.mapping.fields),
        machine_credential_id=source.machine_credential_id,
        machine_bastion_id=source.machine_bastion_id,
        machine_ssh_user=source.machine_ssh_user,
        max_vanished_percent=source.max_vanished_percent,
        accept_drop=accept_drop,
    )


def _stage(
    connection: Connection, config: CmdbConfig, secret: str | None, transport: httpx.BaseTransport | None
) -> None:
    staging.create(connection)
    connection.commit()
    for page in fetch_pages(config, secret=secret, root=files_root(), transport=transport):
        staging.add(connection, page)
        connection.commit()
    staging.index(connection)
    connection.commit()


def _apply(connection: Connection, run_id: UUID, terms: Terms) -> None:
    """The machines and the record of it in one commit: a run that changed them is never shown as running or lost."""
    with Session(connection) as session, session.begin():
        counts = apply(session.connection(), terms)
        run = session.get_one(CmdbRun, run_id)
        run.outcome, run.ended_at = Outcome.OK.value, db_now(session)
        for name, value in asdict(counts).items():
            setattr(run, name, value)
        done = update(CmdbSource).where(CmdbSource.id == run.source_id)
        session.execute(done.values(last_ok_at=func.clock_timestamp()))
    log.info("cmdb sync ended", extra={"run": str(run_id), "outcome": "ok", "received": counts.received})


def _fail(run_id: UUID, outcome: Outcome, error: AutoRkeError) -> None:
    with transaction() as session:
        run = session.get_one(CmdbRun, run_id, with_for_update=True)  # a commit whose answer was lost may be under way
        if run.outcome != Outcome.RUNNING.value:
            return
        run.outcome, run.ended_at, run.error = outcome.value, db_now(session), error.as_json()
    log.info("cmdb sync ended", extra={"run": str(run_id), "outcome": outcome.value})
