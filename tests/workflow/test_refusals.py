"""What the engine refuses whoever asks, and what it does not do by itself meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from autorke.core.db import transaction
from autorke.core.errors import AutoRkeError, InvalidTransition
from autorke.core.ids import new_id
from autorke.core.settings import get_settings
from autorke.worker import process
from autorke.workflow import commands, lifecycle, outbox, results
from autorke.workflow.definition import Problem
from autorke.workflow.errors import BeingCancelled, Ended
from autorke.workflow.gates import Decision
from autorke.workflow.models import Attempt, Gate, Ticket
from tests.workflow.conftest import USER, Desk
from tests.workflow.toy import ToyIn, World, fail, words
from tests.workflow.vanish import GONE, claimed


def test_a_run_that_ends_with_a_node_under_way_is_unknown(desk: Desk) -> None:
    """P8: the runner closes its run and has said nothing of a node: nobody knows, so a person is asked."""
    ticket = desk.submit(policy="express")
    desk.until(ticket, "change", "READY")
    held = claimed(desk)
    with transaction() as session:
        assert lifecycle.begin(session, held, GONE, None)
        results.start(session, held, "a", 0)
    with transaction() as session:
        lifecycle.finish_run(session, held, None)
    assert desk.steps(ticket)["change"] == "UNKNOWN"
    assert desk.state(ticket) == "ATTENTION"


def test_an_approval_is_not_taken_back_once_its_step_has_begun(desk: Desk) -> None:
    ticket = desk.submit(policy="express")
    desk.until(ticket, "change", "WAIT_PRE_GATE")
    (gate,) = desk.open_gates(ticket)
    desk.decide(ticket)
    held = claimed(desk)
    with transaction() as session:
        assert lifecycle.begin(session, held, GONE, None)
    with pytest.raises(InvalidTransition), transaction() as session:
        commands.revoke(session, ticket, gate, desk.approvers[0])
    assert desk.steps(ticket)["change"] == "RUNNING"


def test_nothing_is_planned_in_a_ticket_that_is_being_cancelled(desk: Desk, world: World) -> None:
    """P9"""
    world.behave["change:b"] = fail
    ticket = desk.submit(policy="express", batches={"canary": 1, "size": 1, "budget": 0})
    desk.until(ticket, "change", "PARTIAL")
    with transaction() as session:
        session.get_one(Ticket, ticket).cancel_requested_at = func.clock_timestamp()
    with pytest.raises(BeingCancelled), transaction() as session:
        commands.retry(session, ticket, "change", USER)


@pytest.mark.parametrize("again", ["no plan", "rejected"])
def test_leaving_out_the_last_open_node_brings_the_step_to_its_confirmation(
    desk: Desk, world: World, again: str
) -> None:
    """P7: the others have succeeded; nothing is left to plan, after a failed plan or at a closed gate."""
    world.behave["change:b"] = fail
    ticket = desk.submit(policy="standard", nodes=["a", "b"])
    desk.until(ticket, "change", "PARTIAL")
    with transaction() as session:
        commands.retry(session, ticket, "change", USER)
    world.problems = [Problem("broken", words("broken"), words("mend it"), "b")] if again == "no plan" else []
    desk.work()
    if again == "rejected":
        desk.decide(ticket, approve=False, comment="no more of it")
    assert desk.steps(ticket)["change"] == ("PLAN_FAILED" if again == "no plan" else "GATE_CLOSED")
    with transaction() as session:
        commands.exclude(session, ticket, ["b"], USER, "broken disk")
    assert desk.steps(ticket)["change"] == "DONE"
    world.problems = []
    assert desk.finish(ticket) == "SUCCEEDED"
    assert [node for step, node in world.journal if step == "change"] == ["a", "b"]


def test_a_paused_ticket_launches_nothing(desk: Desk, world: World) -> None:
    """A gate may be signed meanwhile; what it lets begin begins when the ticket goes on."""
    ticket = desk.submit(policy="express")
    desk.until(ticket, "change", "WAIT_PRE_GATE")
    with transaction() as session:
        commands.pause(session, ticket, USER, paused=True)
    desk.decide(ticket)
    desk.reconcile()
    assert (desk.state(ticket), desk.ready()) == ("PAUSED", [])
    with transaction() as session:
        commands.pause(session, ticket, USER, paused=False)
    assert desk.finish(ticket) == "SUCCEEDED"


def test_an_ended_ticket_takes_no_command(desk: Desk) -> None:
    ticket = desk.submit(policy="express")
    desk.until(ticket, "change", "WAIT_PRE_GATE")
    (gate,) = desk.open_gates(ticket)
    with transaction() as session:
        commands.cancel(session, ticket, USER, "enough")
    before = len(desk.events(ticket))
    orders: list[Callable[[Session], Any]] = [
        lambda s: commands.cancel(s, ticket, USER, "again"),
        lambda s: commands.pause(s, ticket, USER, paused=True),
        lambda s: commands.retry(s, ticket, "change", USER),
        lambda s: commands.exclude(s, ticket, ["a"], USER, "x"),
        lambda s: commands.close_failed(s, ticket, USER, "x"),
        lambda s: commands.revoke(s, ticket, gate, desk.approvers[0]),
        lambda s: commands.decide(s, ticket, {gate: "x"}, desk.approvers[0], Decision(True, "")),
    ]
    for order in orders:
        with pytest.raises(Ended), transaction() as session:
            order(session)
    assert len(desk.events(ticket)) == before
    with transaction() as session:
        assert session.get_one(Gate, gate).state == "VOID"


def test_one_key_at_the_same_moment_makes_one_ticket(desk: Desk) -> None:
    """Two requests with one key: the second waits for the first and gets its ticket, not an error of the database."""
    answers: list[UUID] = []
    errors: list[Exception] = []

    def second() -> None:
        try:
            with transaction() as session:
                answers.append(commands.submit(session, "toy", ToyIn(), desk.requester, "key")[0].id)
        except (AutoRkeError, IntegrityError) as error:
            errors.append(error)

    with transaction() as session:
        first = commands.submit(session, "toy", ToyIn(), desk.requester, "key")[0].id
        other = threading.Thread(target=second)
        other.start()
        other.join(0.5)
    other.join()
    assert (answers, errors) == ([first], [])
    with transaction() as session:
        assert session.execute(select(func.count()).select_from(Ticket)).scalar_one() == 1


def test_a_hint_is_not_repeated_before_its_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTORKE_HINT_RESEND", "PT1H")
    get_settings.cache_clear()
    sent: list[str] = []

    def send(_topic: str, key: str) -> bool:
        sent.append(key)
        return True

    desk.submit()
    outbox.configure_transport(send)
    desk.reconcile()
    assert sent == []
    with transaction() as session:
        session.execute(text("update step_attempt set ready_at = ready_at - interval '2 hours'"))
    for _ in range(3):
        desk.reconcile()
    assert len(sent) == 1


def test_a_runner_that_lives_is_no_proof_of_death_and_one_of_its_number_is_not_it() -> None:
    """P2: a pid is used again; a pid with its start time is one process."""
    me = process.me()
    attempt = Attempt(id=new_id(), runner_id=me.runner_id, boot_id=me.boot_id, pid=me.pid, pid_start=me.pid_start)
    assert process.death_of(attempt) is None
    attempt.pid_start = me.pid_start - 1
    assert process.death_of(attempt) is not None
