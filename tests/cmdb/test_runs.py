"""When a sync runs, and what becomes of one that does not end."""

from __future__ import annotations

import threading
import time
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from autorke.cmdb import service, sync
from autorke.cmdb.errors import SyncRunning
from autorke.cmdb.models import CmdbRun
from autorke.core import db, events, hints
from autorke.flows import wiring
from tests.cmdb.make import Cmdb, config, row

pytestmark = pytest.mark.usefixtures("configured_db")


@pytest.fixture
def source_id(configured_db: Engine) -> UUID:
    with db.transaction() as session:
        return service.create_source(session, config=config(), fields={"name": "main", "interval_seconds": 900}).id


def _sync(source_id: UUID, cmdb: Cmdb) -> CmdbRun:
    run_id = sync.run_sync(source_id, transport=cmdb.transport())
    with db.transaction() as session:
        return service.get_run(session, run_id)


def test_one_sync_at_a_time(source_id: UUID) -> None:
    entered, leave = threading.Event(), threading.Event()
    cmdb = Cmdb([row(1)])

    def slow(page: int) -> None:
        entered.set()
        leave.wait(120)

    cmdb.spoil = slow
    thread = threading.Thread(target=_sync, args=(source_id, cmdb))
    thread.start()
    assert entered.wait(120)
    try:
        with pytest.raises(SyncRunning):
            sync.run_sync(source_id, transport=cmdb.transport())
    finally:
        leave.set()
        thread.join(120)
    with db.transaction() as session:
        assert session.execute(text("select count(*) from machine")).scalar_one() == 1


def test_no_transaction_is_open_while_the_cmdb_is_asked(source_id: UUID) -> None:
    cmdb, states = Cmdb([row(1)]), []

    def look(page: int) -> None:
        query = "select state from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        query += " and backend_type = 'client backend'"  # autovacuum may be at work
        with db.get_engine().connect() as connection:
            states.extend(connection.execute(text(query)).scalars())

    cmdb.spoil = look
    _sync(source_id, cmdb)
    assert states
    assert not [state for state in states if state != "idle"]


def test_due_by_the_clock_or_on_demand_and_offered_once(source_id: UUID) -> None:
    with db.transaction() as session:
        assert sync.due_sources(session) == [source_id]
        assert sync.due_sources(session) == []
    with db.transaction() as session:
        asked = service.request_sync(session, source_id, by="wei")
        assert service.request_sync(session, source_id, by="li").id == asked.id
    _sync(source_id, Cmdb([row(1)]))
    with db.transaction() as session:
        assert sync.due_sources(session) == [], "the interval has just begun"
        service.request_sync(session, source_id, by="wei")
        assert sync.due_sources(session) == [source_id]
        session.execute(text("update cmdb_source set enabled = false, next_due_at = now()"))
        assert sync.due_sources(session) == []


def test_pages_hear_of_what_is_due_and_nothing_while_nothing_is(
    source_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The timer looks every few seconds; every page would read its machines anew each time."""
    wiring.wire()
    told: list[str] = []
    monkeypatch.setattr(events, "publish", lambda channel, _payload: told.append(channel))
    with db.transaction() as session:
        assert sync.due_sources(session) == [source_id]
    assert told == [hints.CHANNEL]
    with db.transaction() as session:
        assert sync.due_sources(session) == []
    assert told == [hints.CHANNEL]


def test_a_run_whose_process_died_is_closed_as_lost(source_id: UUID) -> None:
    with db.transaction() as session:
        dead = CmdbRun(source_id=source_id, requested_by="timer", outcome="running")
        session.add(dead)
    assert _sync(source_id, Cmdb([row(1)])).outcome == "ok"
    with db.transaction() as session:
        assert service.get_run(session, dead.id).outcome == "lost"


def test_machines_and_the_record_of_their_run_are_one_commit(source_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a person sees new machines beside a run that still runs, and a killed process leaves them as lost."""

    def killed(_counts: object) -> dict[str, object]:
        raise SystemExit

    monkeypatch.setattr(sync, "asdict", killed)
    with pytest.raises(SystemExit):
        _sync(source_id, Cmdb([row(1)]))
    with db.transaction() as session:
        assert session.execute(text("select outcome, (select count(*) from machine) from cmdb_run")).all() == [
            ("failed", 0)
        ]


def test_a_run_whose_commit_was_not_answered_stays_as_committed(
    source_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sync._apply

    def unanswered(*given: Any) -> None:
        real(*given)
        raise OperationalError("commit", {}, Exception("connection lost"))

    monkeypatch.setattr(sync, "_apply", unanswered)
    run = _sync(source_id, Cmdb([row(1)]))
    assert (run.outcome, run.created, run.error) == ("ok", 1, None)


def test_a_run_whose_commit_is_still_under_way_is_waited_for(source_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection broke before the server had written it: what it then says is not overwritten."""
    waits = text("select count(*) from pg_locks where not granted")
    commits: list[threading.Thread] = []

    def under_way(_connection: object, run_id: UUID, _terms: object) -> None:
        open_one = db.get_engine().connect()
        open_one.execute(text("update cmdb_run set outcome = 'ok' where id = :id"), {"id": run_id})

        def commit_once_waited_for() -> None:
            deadline = time.monotonic() + 60
            with db.get_engine().connect().execution_options(isolation_level="AUTOCOMMIT") as looking:
                while not looking.execute(waits).scalar_one() and time.monotonic() < deadline:
                    time.sleep(0.01)
            open_one.commit()
            open_one.close()

        commits.append(threading.Thread(target=commit_once_waited_for))
        commits[0].start()
        raise OperationalError("commit", {}, Exception("connection lost"))

    monkeypatch.setattr(sync, "_apply", under_way)
    run = _sync(source_id, Cmdb([row(1)]))
    commits[0].join(60)
    assert (run.outcome, run.error) == ("ok", None)
