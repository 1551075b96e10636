"""Retry, leave out, pause, cancel, close, resolve on the command line."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import update

from autorke.core.db import transaction
from autorke.workflow.definition import Outcome
from autorke.workflow.models import Attempt
from autorke.workflow.states import NodeState
from tests.cli.site import Person, Site
from tests.workflow.toy import WORLD, fail


def unknown() -> Outcome:
    return Outcome(NodeState.UNKNOWN, "lost sight of it")


@pytest.fixture
def broken(site: Site, requester: Person, approver: Person) -> UUID:
    """A ticket whose node b fails in the step `change`."""
    WORLD.behave["change:b"] = fail
    return stopped(site, requester, approver)


def stopped(site: Site, requester: Person, approver: Person) -> UUID:
    """A ticket of one gate, run until it stands."""
    ticket = site.toy(requester, policy="express", batches={"canary": 0, "size": 10, "budget": 3})
    site.work()
    approver.ok("ticket", "approve", "1", "--yes")
    site.work()
    return ticket


def test_show_names_the_failed_node_and_retry_does_only_that(
    site: Site, broken: UUID, requester: Person, approver: Person
) -> None:
    shown = requester.ok("ticket", "show", "1")
    row = next(line for line in shown.stdout.splitlines() if line.strip().startswith("node-b"))
    assert "FAILED" in row
    assert "change · node-b: broken" in shown.stderr
    assert "needs somebody: change: PARTIAL" in shown.stderr
    assert requester.run("ticket", "retry", "1", "change", "--node", "node-z").exit_code == 4
    assert requester.run("ticket", "retry", "1", "change", "--node", "node-a").exit_code == 1
    assert requester.run("ticket", "retry", "1", "close").exit_code == 5
    assert requester.run("ticket", "retry", "1", "fly").exit_code == 4
    WORLD.behave.clear()
    WORLD.journal.clear()
    assert "PLANNING" in requester.ok("ticket", "retry", "1", "change", "--node", "node-b").stdout
    site.work()
    approver.ok("ticket", "approve", "1", "--yes")
    site.work()
    assert WORLD.journal == [("change", "b"), ("close", "*")]
    assert requester.json("ticket", "show", "1")["state"] == "SUCCEEDED"


def test_retry_finds_the_step_that_is_stuck(site: Site, broken: UUID, requester: Person, approver: Person) -> None:
    WORLD.behave.clear()
    requester.ok("ticket", "retry", "1")
    running = requester.run("ticket", "retry", "1")
    assert (running.exit_code, "no step to retry" in running.stderr) == (5, True)
    site.work()
    approver.ok("ticket", "approve", "1", "--yes")
    site.work()
    assert requester.json("ticket", "show", "1")["state"] == "SUCCEEDED"
    over = requester.run("ticket", "cancel", "1", text="y\n")
    assert (over.exit_code, "[y/N]" in over.stderr) == (5, False), "nothing is asked about a ticket that has ended"


def test_what_is_under_way_is_said_in_words(site: Site, requester: Person) -> None:
    site.toy(requester)
    assert "configure waits for a worker host" in requester.ok("ticket", "show", "1").stderr
    with transaction() as session:
        session.execute(update(Attempt).values(state="RUNNING", runner_id="host-1"))
    assert "configure is being planned on host-1" in requester.ok("ticket", "show", "1").stderr
    assert "正在制定变更计划（执行主机 host-1）" in requester.ok("ticket", "show", "1", lang="zh_CN.UTF-8").stderr


def test_exclude_takes_a_reason_and_goes_on(site: Site, broken: UUID, requester: Person) -> None:
    assert requester.run("ticket", "exclude", "1", "--node", "node-b").exit_code == 2
    assert requester.run("ticket", "exclude", "1", "--node", "node-b", "--reason", " ").exit_code == 1
    shown = requester.ok("ticket", "exclude", "1", "--node", "node-b", "--reason", "bad disk")
    assert "node-b left out" in shown.stdout
    site.work()
    assert requester.json("ticket", "show", "1")["state"] == "SUCCEEDED"


def test_pause_and_resume(site: Site, requester: Person) -> None:
    site.toy(requester)
    paused = requester.ok("ticket", "pause", "1")
    assert "PAUSED" in paused.stdout
    assert "autorke ticket resume" in paused.stderr
    assert requester.json("ticket", "resume", "1")["state"] == "ACTIVE"


def test_cancel_asks_and_ends(site: Site, requester: Person) -> None:
    site.toy(requester)
    assert requester.run("ticket", "cancel", "1", text="n\n").exit_code == 1
    assert requester.json("ticket", "cancel", "1", "--reason", "not today", "--yes")["state"] == "CANCELLED"
    again = requester.run("ticket", "cancel", "1", "--yes")
    assert again.exit_code == 5
    assert "CANCELLED" in again.stderr


def test_close_gives_up(broken: UUID, requester: Person) -> None:
    assert requester.json("ticket", "close", "1", "--reason", "machine is gone")["state"] == "FAILED"


def test_operating_takes_the_right(broken: UUID, site: Site) -> None:
    viewer = site.person("guest", "viewer")
    for words in (("pause", "1"), ("retry", "1", "change"), ("cancel", "1", "--yes")):
        done = viewer.run("ticket", *words)
        assert done.exit_code == 3
        assert "ticket:operate" in done.stderr


def test_resolve_unknown_nodes(site: Site, requester: Person, approver: Person) -> None:
    WORLD.behave["change:b"] = unknown
    stopped(site, requester, approver)
    assert (
        approver.run("ticket", "resolve", "1", "change", "-r", "x", "--done", "node-b", "--failed", "node-b").exit_code
        == 2
    )
    assert approver.run("ticket", "resolve", "1", "fly", "-r", "x", "--done", "node-b", "-y").exit_code == 4
    assert approver.run("ticket", "resolve", "1", "close", "-r", "x", "--done", "node-b", "-y").exit_code == 5
    wrong = approver.run("ticket", "resolve", "1", "change", "-r", "x", "--done", "node-a", "-y")
    assert wrong.exit_code == 1
    assert approver.run("ticket", "resolve", "1", "change", "-r", "x", "--done", "node-b", text="n\n").exit_code == 1
    after = approver.json("ticket", "resolve", "1", "change", "-r", "looked at it", "--done", "node-b", "-y")
    assert after["steps"][1]["state"] != "UNKNOWN"
    site.work()
    assert requester.json("ticket", "show", "1")["state"] == "SUCCEEDED"


def test_resolve_shows_what_a_look_found(site: Site, requester: Person, approver: Person) -> None:
    WORLD.behave["change:b"] = unknown
    stopped(site, requester, approver)
    seen = {"b": {"suggests": "FAILED", "summary": "no \x1b[1m containers", "evidence": {}}}
    with transaction() as session:
        assert session.execute(
            update(Attempt).where(Attempt.purpose == "PROBE").values(outcome={"probe": seen}).returning(Attempt.id)
        ).one()
    done = approver.run("ticket", "resolve", "1", "change", "-r", "x", "--failed", "node-b", text="n\n")
    assert r"no \x1b[1m containers" in done.stderr
    assert "node-b" in done.stderr


def test_override_takes_two_people(site: Site, requester: Person, approver: Person) -> None:
    WORLD.behave["change:b"] = unknown
    stopped(site, requester, approver)
    with transaction() as session:
        session.execute(update(Attempt).where(Attempt.state == "UNKNOWN").values(death_proof=None))
    words = ("ticket", "resolve", "1", "change", "-r", "x", "--failed", "node-b", "-y")
    assert approver.run(*words).exit_code == 5
    assert approver.json(*words, "--override")["steps"][1]["state"] == "UNKNOWN"
    assert approver.run(*words, "--override").exit_code == 5
    second = site.person("zhao", "approver")
    assert second.json(*words, "--override")["steps"][1]["state"] == "PARTIAL"
