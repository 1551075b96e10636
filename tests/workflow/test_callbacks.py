"""P11: a callback takes effect at most once, only from whom and when it may; and a step never waits for ever."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from autorke.core import crypto
from autorke.core.db import transaction
from autorke.core.errors import AutoRkeError, NotFound
from autorke.core.settings import get_settings
from autorke.tickets.service import parse_callback
from autorke.worker import runner
from autorke.workflow import callbacks, commands, lifecycle
from autorke.workflow.callbacks import (
    BadSignature,
    CallbackConflict,
    CallbackNotJson,
    Issued,
    NotAllowedFrom,
    Received,
)
from autorke.workflow.definition import Outcome
from autorke.workflow.models import Attempt, CallbackToken, NodeResult, StepRow
from tests.workflow.conftest import USER, Desk
from tests.workflow.toy import World

BODY = b'{"order": 7}'


@pytest.fixture
def keyed(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> Desk:
    """A desk whose secrets can be sealed."""
    monkeypatch.setenv("AUTORKE_SECRET_KEY", crypto.new_key())
    get_settings.cache_clear()
    return desk


def told(issued: Issued, body: bytes = BODY, *, at: float | None = None, **other: str) -> Received:
    stamp = str(int(time.time() if at is None else at))
    values = {"timestamp": stamp, "signature": callbacks.sign(issued.hmac_secret, stamp, body), "address": "192.0.2.7"}
    return Received(token=issued.token, body=body, **{**values, **other})


def send(received: Received) -> dict[str, Any]:
    with transaction() as session:
        return callbacks.accept(session, received, parse_callback)


def waiting(desk: Desk, *, allowed_from: tuple[str, ...] = (), ttl: timedelta = timedelta(hours=1)) -> Any:
    """A ticket whose step `notice` waits for its callback: (ticket, what the outside was given)."""
    ticket = desk.submit(flat=True)
    desk.until(ticket, "notice", "WAIT_CALLBACK")
    with transaction() as session:
        attempt = desk.attempts(ticket, "notice")[-1]
        issued = callbacks.issue(session, attempt.id, "network-order", ttl=ttl, allowed_from=allowed_from)
    return ticket, issued


def result(ticket: UUID) -> dict[str, Any]:
    with transaction() as session:
        row = session.query(StepRow).filter_by(ticket_id=ticket, key="notice").one()
        return dict(row.result or {})


def test_a_callback_lets_the_ticket_go_on_and_its_answer_is_kept(keyed: Desk) -> None:
    ticket, issued = waiting(keyed)
    assert send(told(issued)) == {"received": True, "applied": True}
    assert keyed.steps(ticket)["notice"] == "WAIT_POST_GATE"
    assert result(ticket)["callback"] == {"order": 7}
    assert keyed.finish(ticket) == "SUCCEEDED"


def test_a_repeat_gets_the_same_answer_and_changes_nothing(keyed: Desk) -> None:
    ticket, issued = waiting(keyed)
    first = send(told(issued))
    before = len(keyed.events(ticket))
    assert send(told(issued)) == first
    with pytest.raises(CallbackConflict):
        send(told(issued, b'{"order": 8}'))
    assert len(keyed.events(ticket)) == before
    assert result(ticket)["callback"] == {"order": 7}


def test_twenty_at_once_take_effect_once(keyed: Desk) -> None:
    ticket, issued = waiting(keyed)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: send(told(issued)), range(20)))
    assert answers == [{"received": True, "applied": True}] * 20
    assert [e.kind for e in keyed.events(ticket)].count("callback.received") == 1


@pytest.mark.parametrize(
    ("other", "at", "error"),
    [
        ({"signature": "0" * 64}, None, BadSignature),
        ({"signature": ""}, None, BadSignature),
        ({"signature": "ÿ" * 64}, None, BadSignature),
        ({"timestamp": "1"}, None, BadSignature),
        ({}, -400, BadSignature),
        ({}, 400, BadSignature),
        ({"address": "203.0.113.9"}, None, NotAllowedFrom),
        ({"address": "not-an-address"}, None, NotAllowedFrom),
        ({"token": "other"}, None, NotFound),
    ],
)
def test_a_callback_that_proves_nothing_is_refused(
    keyed: Desk, other: dict[str, str], at: float | None, error: type[AutoRkeError]
) -> None:
    ticket, issued = waiting(keyed, allowed_from=("192.0.2.0/24",))
    received = told(issued, at=None if at is None else time.time() + at)
    received = Received(**{**vars(received), **other})
    with pytest.raises(error):
        send(received)
    assert keyed.steps(ticket)["notice"] == "WAIT_CALLBACK"
    assert send(told(issued))["applied"]


@pytest.mark.parametrize("stamp", ["²", "-5", "9" * 400, "1e3", ""])
def test_a_signed_but_absurd_timestamp_is_refused(keyed: Desk, stamp: str) -> None:
    _, issued = waiting(keyed)
    with pytest.raises(BadSignature):
        send(told(issued, timestamp=stamp, signature=callbacks.sign(issued.hmac_secret, stamp, BODY)))


@pytest.mark.parametrize("body", [b"", b"[]", b"not json", b"\xff\xfe", b'"text"'])
def test_a_body_that_is_no_object_is_refused_and_may_be_sent_again(keyed: Desk, body: bytes) -> None:
    _, issued = waiting(keyed)
    with pytest.raises(CallbackNotJson):
        send(told(issued, body))
    assert send(told(issued))["applied"]


def test_what_postgres_cannot_store_is_stored_readable(keyed: Desk) -> None:
    ticket, issued = waiting(keyed)
    assert send(told(issued, json.dumps({"a": "nul\0 \ud800", "b": float("nan")}).encode()))["applied"]
    assert result(ticket)["callback"] == {"a": "nul� ?", "b": "nan"}


def test_neither_token_nor_secret_is_stored_in_clear(keyed: Desk) -> None:
    _, issued = waiting(keyed)
    with transaction() as session:
        row = session.query(CallbackToken).one()
        shown = repr({column.key: getattr(row, column.key) for column in CallbackToken.__table__.columns})
    assert issued.token not in shown
    assert issued.hmac_secret not in shown


def test_an_early_answer_waits_for_the_end_of_the_run(keyed: Desk, world: World) -> None:
    """The outside may answer before the runner has recorded that it asked: that answer must not be lost."""
    ticket = keyed.submit(flat=True)
    given: list[Issued] = []

    def order() -> Outcome:
        with transaction() as session:
            attempt = keyed.attempts(ticket, "notice")[-1]
            given.append(callbacks.issue(session, attempt.id, "o", ttl=timedelta(hours=1), allowed_from=()))
        assert send(told(given[0])) == {"received": True, "applied": True}
        return Outcome.ok("asked")

    world.behave["notice:*"] = order
    keyed.until(ticket, "notice", "WAIT_POST_GATE")
    assert result(ticket) == {"ran": "notice", "callback": {"order": 7}}
    assert keyed.finish(ticket) == "SUCCEEDED"


def test_a_late_answer_is_recorded_and_not_applied(keyed: Desk) -> None:
    ticket, issued = waiting(keyed, ttl=timedelta(seconds=-1))
    assert send(told(issued)) == {"received": True, "applied": False}
    assert "callback" not in result(ticket)
    received = [e for e in keyed.events(ticket) if e.kind == "callback.received"]
    assert [e.body["applied"] for e in received] == [False]
    keyed.reconcile()
    assert keyed.steps(ticket)["notice"] == "FAILED"


def test_an_answer_for_a_step_that_waits_no_more_is_recorded_only(keyed: Desk) -> None:
    ticket, issued = waiting(keyed)
    with transaction() as session:
        commands.cancel(session, ticket, USER, "not needed")
    assert keyed.state(ticket) == "CANCELLED"
    assert send(told(issued)) == {"received": True, "applied": False}
    assert "callback" not in result(ticket)


def test_no_answer_in_time_fails_the_step_and_a_retry_asks_again(keyed: Desk, world: World) -> None:
    """The node's success is withdrawn: confirming without an answer would pass the step over."""
    ticket, issued = waiting(keyed, ttl=timedelta(seconds=-1))
    keyed.reconcile()
    assert keyed.state(ticket) == "ATTENTION"
    with transaction() as session:
        commands.retry(session, ticket, "notice", USER)
    keyed.until(ticket, "notice", "WAIT_CALLBACK")
    assert world.journal.count(("notice", "*")) == 2
    assert send(told(issued)) == {"received": True, "applied": False}
    with transaction() as session:
        attempt = keyed.attempts(ticket, "notice")[-1]
        again = callbacks.issue(session, attempt.id, "o", ttl=timedelta(hours=1), allowed_from=())
    assert send(told(again, b'{"order": 9}'))["applied"]
    assert keyed.finish(ticket) == "SUCCEEDED"
    assert result(ticket)["callback"] == {"order": 9}


def test_a_step_that_gave_no_address_away_does_not_wait_for_ever(keyed: Desk) -> None:
    ticket = keyed.submit(flat=True)
    keyed.until(ticket, "notice", "WAIT_CALLBACK")
    keyed.reconcile()
    assert keyed.steps(ticket)["notice"] == "WAIT_CALLBACK"
    with transaction() as session:
        session.execute(text("update step_attempt set ended_at = ended_at - interval '61 minutes'"))
    keyed.reconcile()
    assert keyed.steps(ticket)["notice"] == "FAILED"
    assert keyed.state(ticket) == "ATTENTION"


def test_a_resolved_order_still_waits_for_its_answer(keyed: Desk) -> None:
    """The runner died after it had asked; a person says so; the answer is still to come."""
    ticket = keyed.submit(flat=True)
    keyed.until(ticket, "notice", "READY")
    held = keyed.claim(keyed.ready()[0])
    assert held is not None
    process = runner.process.me()
    with transaction() as session:
        assert lifecycle.begin(session, held, process, None)
        lifecycle.results.start(session, held, "*", 0)
    with transaction() as session:
        session.execute(text("update step_attempt set lease_until = clock_timestamp() - interval '2 minutes'"))
    keyed.reconcile()
    assert keyed.steps(ticket)["notice"] == "UNKNOWN"
    with transaction() as session:
        issued = callbacks.issue(session, held.attempt_id, "o", ttl=timedelta(hours=1), allowed_from=())
        session.get_one(Attempt, held.attempt_id).death_proof = {"how": "seen"}
    with transaction() as session:
        commands.resolve(session, ticket, held.attempt_id, keyed.approvers[0], {"*": True}, "it was submitted")
    assert keyed.steps(ticket)["notice"] == "WAIT_CALLBACK"
    assert send(told(issued))["applied"]
    assert keyed.finish(ticket) == "SUCCEEDED"
    with transaction() as session:
        states = {row.state for row in session.query(NodeResult).filter_by(attempt_id=held.attempt_id)}
    assert states == {"SUCCEEDED"}
