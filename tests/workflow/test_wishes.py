"""Pause, cancel, the stop-all switch and draining are obeyed before the next thing begins."""

from __future__ import annotations

import threading
from uuid import UUID

import pytest
from sqlalchemy import text

from autorke.core.db import transaction
from autorke.worker import runner
from autorke.workflow import commands
from autorke.workflow.definition import Outcome
from tests.workflow.conftest import USER, Desk
from tests.workflow.toy import World
from tests.workflow.vanish import claimed


def halt(on: bool) -> None:
    with transaction() as session:
        session.execute(
            text(
                "insert into engine_switch (name, halted, reason) values ('engine', :on, 'test')"
                " on conflict (name) do update set halted = :on"
            ),
            {"on": on},
        )


def test_a_pause_between_claim_and_begin_is_obeyed(desk: Desk, world: World) -> None:
    ticket = desk.submit()
    desk.until(ticket, "change", "READY")
    held = claimed(desk)
    with transaction() as session:
        commands.pause(session, ticket, USER, paused=True)
    runner.run_attempt(held.attempt_id, held.token)
    assert not [entry for entry in world.journal if entry[0] == "change"]
    assert desk.work() == 0
    with transaction() as session:
        commands.pause(session, ticket, USER, paused=False)
    assert desk.finish(ticket) == "SUCCEEDED"


def test_the_stop_all_switch_stops_claims_and_claims_that_have_not_begun(desk: Desk, world: World) -> None:
    ticket = desk.submit()
    desk.until(ticket, "change", "READY")
    held = claimed(desk)
    halt(True)
    runner.run_attempt(held.attempt_id, held.token)
    assert desk.work() == 0
    assert not [entry for entry in world.journal if entry[0] == "change"]
    halt(False)
    assert desk.finish(ticket) == "SUCCEEDED"


def test_a_drained_runner_host_claims_nothing_and_another_does(desk: Desk) -> None:
    desk.submit()
    with transaction() as session:
        session.execute(
            text(
                "insert into runner (id, host, boot_id, version, handlers, drain)"
                " values ('here', 'here', 'b', '1', '[]', true)"
            )
        )
    attempt = desk.ready()[0]
    assert desk.claim(attempt) is None
    assert desk.claim(attempt, "there") is not None


@pytest.mark.parametrize("wish", ["pause", "cancel"])
def test_a_wish_is_heard_before_the_next_node(desk: Desk, world: World, wish: str) -> None:
    """Not only at the next heartbeat: what a person has stopped must not begin seconds later."""
    ticket = desk.submit(batches={"canary": 1, "size": 1, "budget": 0})
    desk.until(ticket, "change", "READY")
    resumed: list[threading.Timer] = []

    def ask() -> Outcome:
        with transaction() as session:
            if wish == "cancel":
                commands.cancel(session, ticket, USER, "enough")
            else:
                commands.pause(session, ticket, USER, paused=True)
        if wish == "pause":  # counted from here on: before it, there is nothing to resume
            resumed.append(threading.Timer(1.0, lambda: resume(ticket, world)))
            resumed[0].start()
        return Outcome.ok()

    world.behave["change:a"] = ask
    if wish == "pause":
        world.behave["change:b"] = lambda: pytest.fail("b began although the ticket was paused")
        held = claimed(desk)
        try:
            runner.run_attempt(held.attempt_id, held.token)
        finally:
            resumed[0].join()
        assert [n for s, n in world.journal if s == "change"] == ["a", "b", "c"]
    else:
        desk.work()
        assert desk.state(ticket) == "CANCELLED"
        assert [n for s, n in world.journal if s == "change"] == ["a"]


def resume(ticket: UUID, world: World) -> None:
    world.behave.clear()
    with transaction() as session:
        commands.pause(session, ticket, USER, paused=False)
