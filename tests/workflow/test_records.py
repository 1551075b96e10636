"""What is written stays: events, snapshots, secrets at rest; and a look at a ticket changes nothing."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from autorke.core import crypto
from autorke.core.db import transaction
from autorke.core.redact import Secrets
from autorke.core.settings import get_settings
from autorke.workflow import definition, journal
from autorke.workflow.attempts import Claim
from autorke.workflow.context import Context, load, make_context
from autorke.workflow.logstore import LogWriter
from autorke.workflow.models import Event, KeptSecret, StepRow, Ticket
from autorke.workflow.states import Purpose
from tests.workflow.conftest import Desk
from tests.workflow.toy import make_flow


@pytest.mark.parametrize(
    "statement",
    [
        "update event set kind = 'x'",
        "update event set body = '{}' where seq = 1",
        "delete from event",
        "truncate event",
        "truncate event cascade",
    ],
)
def test_events_are_never_changed(desk: Desk, statement: str) -> None:
    """P4: the database itself refuses, whoever asks."""
    ticket = desk.submit()
    before = [event.hash for event in desk.events(ticket)]
    with pytest.raises(DBAPIError, match="append-only"), transaction() as session:
        session.execute(text(statement))
    assert [event.hash for event in desk.events(ticket)] == before


@pytest.mark.parametrize(
    "statement",
    [
        "update event set kind = 'x' where seq = 2",
        "update event set body = '{\"x\": 1}' where seq = 2",
        "update event set actor_id = 'other' where seq = 2",
        "update event set at = at + interval '1 s' where seq = 2",
        "update event set prev_hash = hash where seq = 2",
        "delete from event where seq = 2",
        "delete from event where seq = (select max(seq) from event)",
        "delete from event",
    ],
)
def test_an_altered_event_breaks_the_chain(desk: Desk, statement: str) -> None:
    """P4, for somebody who is above the trigger."""
    ticket = desk.submit()
    with transaction() as session:
        assert journal.verify_chain(session, ticket)
        session.execute(text("set local session_replication_role = replica"))
        session.execute(text(statement))
        session.expire_all()
        assert not journal.verify_chain(session, ticket)


def test_who_alters_an_event_must_alter_all_that_follow(desk: Desk) -> None:
    """P4: each hash covers the one before, so a matching hash and a mended link are not enough."""
    ticket = desk.submit()
    with transaction() as session:
        session.execute(text("set local session_replication_role = replica"))
        (second,) = session.execute(select(Event).where(Event.ticket_id == ticket, Event.seq == 2)).scalars()
        by = journal.By("user", "somebody else")
        forged = journal._link(second.prev_hash, 2, journal._utc(second.at), by, second.kind, second.body)
        values = {"ticket": ticket, "type": by.type, "id": by.id, "hash": forged}
        forge = (
            "update event set actor_type = :type, actor_id = :id, hash = :hash where ticket_id = :ticket and seq = 2"
        )
        session.execute(text(forge), values)
        session.execute(text("update event set prev_hash = :hash where ticket_id = :ticket and seq = 3"), values)
        session.expire_all()
        assert not journal.verify_chain(session, ticket)


def test_events_of_many_writers_are_gapless(desk: Desk) -> None:
    ticket = desk.submit()

    def write() -> None:
        for _ in range(20):
            with transaction() as session:
                journal.record(session, journal.lock_ticket(session, ticket), "note", journal.SYSTEM, {"n": 1})

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with transaction() as session:
        assert journal.verify_chain(session, ticket)
        seqs = session.execute(select(Event.seq).where(Event.ticket_id == ticket)).scalars().all()
        assert sorted(seqs) == list(range(1, len(seqs) + 1))
        assert session.get_one(Ticket, ticket).next_seq == len(seqs) + 1


def test_a_release_changes_no_running_ticket(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """P17: the ticket ends on its own snapshot although the flow has a new version with another quorum."""
    monkeypatch.setattr(definition, "_flows", dict(definition._flows))
    monkeypatch.setattr(definition, "_handlers", dict(definition._handlers))
    make_flow("toy-released")
    ticket = desk.submit(flow="toy-released")
    with transaction() as session:
        old = session.get_one(Ticket, ticket).flow_snapshot
    newer = make_flow("toy-released", version=2)
    for step in newer.steps:
        step.quorum, step.permission = 3, "nobody:holds"
    assert desk.finish(ticket) == "SUCCEEDED"
    with transaction() as session:
        row = session.get_one(Ticket, ticket)
        assert (row.flow_version, row.flow_snapshot) == (1, old)
        assert row.flow_hash != newer.hash
    second = desk.submit(flow="toy-released")
    with transaction() as session:
        assert session.get_one(Ticket, second).flow_snapshot["steps"][0]["quorum"] == 3


def test_a_handler_that_no_process_carries_parks_the_ticket(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """P17: parked, not failed; a process that carries it again goes on."""
    ticket = desk.submit()
    kept = dict(definition._handlers)
    for name in [name for name in definition._handlers if name.startswith("toy.")]:
        monkeypatch.delitem(definition._handlers, name)
    assert desk.work() == 0
    desk.reconcile()
    assert desk.state(ticket) == "ACTIVE"
    assert len(desk.ready()) == 1
    monkeypatch.setattr(definition, "_handlers", kept)
    assert desk.finish(ticket) == "SUCCEEDED"


@pytest.fixture
def context(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setenv("AUTORKE_SECRET_KEY", crypto.new_key())
    get_settings.cache_clear()
    ticket = desk.submit()
    with transaction() as session:
        step = session.execute(select(StepRow).where(StepRow.ticket_id == ticket, StepRow.key == "configure"))
        held = Claim(desk.ready()[0], step.scalar_one().id, ticket, 0, Purpose.PLAN)
        writer = LogWriter(ticket, held.attempt_id, Secrets())
        return make_context(session, load(session, held), run_dir=tmp_path, secrets=Secrets(), writer=writer)


def test_a_kept_secret_is_made_once_sealed_and_gone_with_its_ticket(desk: Desk, context: Context) -> None:
    made: list[int] = []

    def make() -> dict[str, Any]:
        made.append(1)
        return {"key": "hunter2-hunter2"}

    assert [context.kept_secret("tls", make) for _ in range(3)] == [{"key": "hunter2-hunter2"}] * 3
    assert made == [1]
    with transaction() as session:
        row = session.execute(select(KeptSecret)).scalar_one()
        assert b"hunter2" not in row.envelope
        dump = session.execute(text("select row_to_json(k)::text from kept_secret k")).scalar_one()
        assert "hunter2" not in dump
    desk.decide(ending(desk, context), approve=False, comment="no")
    with transaction() as session:
        assert session.execute(select(KeptSecret)).first() is None


def ending(desk: Desk, context: Context) -> UUID:
    desk.until(context.ticket_id, "configure", "WAIT_PRE_GATE")
    return context.ticket_id
