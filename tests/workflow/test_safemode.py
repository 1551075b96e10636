"""Safe mode: a database that has failed over is not believed until every worker host has said what it has begun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.core.settings import get_settings
from autorke.worker import begun, loops, process, runner
from autorke.workflow import attempts, commands, lifecycle, results, safemode
from autorke.workflow.attempts import Claim
from autorke.workflow.definition import Outcome
from autorke.workflow.errors import Fenced
from autorke.workflow.models import Attempt, Event, NodeResult, Runner, StepRow
from autorke.workflow.reconcile import Host
from tests.workflow.conftest import Desk

HERE = Host("here", process.boot_id(), process.death_of)


@pytest.fixture
def fail_over(desk: Desk, tmp_path: Path) -> Callable[[], None]:
    """One worker host is known; calling it makes the database another one, as a promoted standby is."""
    for _ in range(2):
        loops.report(HERE, tmp_path)
        desk.reconcile(HERE)

    def change() -> None:
        with transaction() as session:
            for table in ("database_line", "runner"):
                session.execute(text(f"update {table} set line = 'another server/00000001' where line is not null"))  # noqa: S608

    return change


def claimed(desk: Desk) -> Claim:
    """A run that a worker has claimed, its runner just before the intent."""
    ticket = desk.submit(policy="express")
    while desk.steps(ticket)["change"] != "READY":
        for ready in desk.ready():
            held = desk.claim(ready)
            assert held is not None
            runner.run_attempt(held.attempt_id, held.token)
        if desk.steps(ticket)["change"] != "READY" and desk.open_gates(ticket):
            desk.decide(ticket)
    held = desk.claim(desk.ready()[0])
    assert held is not None
    return held


def planned(held: Claim) -> tuple[UUID | None, list[str]]:
    with transaction() as session:
        return session.get_one(StepRow, held.step_id).plan_id, session.get_one(Attempt, held.attempt_id).node_ids


def safe() -> safemode.SafeMode | None:
    with transaction() as session:
        return safemode.state(session)


def test_nothing_is_claimed_from_the_first_moment_on(desk: Desk, fail_over: Callable[[], None]) -> None:
    desk.submit()
    fail_over()
    assert desk.claim(desk.ready()[0]) is None  # no pass has noticed it yet
    desk.reconcile(HERE)
    assert desk.claim(desk.ready()[0]) is None
    assert safe() is not None


def test_it_ends_by_itself_when_every_host_has_accounted(
    desk: Desk, fail_over: Callable[[], None], tmp_path: Path
) -> None:
    ticket = desk.submit()
    with transaction() as session:
        session.add(Runner(id="other", host="other", boot_id="b", version="1", handlers=[], line="old"))
        gone = Runner(id="gone", host="gone", boot_id="b", version="1", handlers=[], line="old")
        session.add(gone)
        session.flush()
        session.execute(text("update runner set last_seen = clock_timestamp() - interval '2 days' where id = 'gone'"))
    fail_over()
    desk.reconcile(HERE)
    waiting = safe()
    assert waiting is not None
    assert waiting.waits_for == ["here", "other"]
    loops.report(HERE, tmp_path)
    desk.reconcile(HERE)
    still = safe()
    assert still is not None
    assert still.waits_for == ["other"]
    loops.report(replace(HERE, runner_id="other", boot_id="b"), tmp_path)
    desk.reconcile(HERE)
    assert safe() is None
    assert desk.finish(ticket) == "SUCCEEDED"


def test_a_run_whose_intent_was_forgotten_is_a_matter_for_a_person(
    desk: Desk, fail_over: Callable[[], None], tmp_path: Path
) -> None:
    """The tool runs, the promoted standby says READY: without safe mode another one would be started."""
    held = claimed(desk)
    begun.note(tmp_path, held, *planned(held))
    with transaction() as session:  # the standby had not heard of the claim
        session.execute(text("update step_attempt set state = 'READY', token = token - 1, claim_id = null"))
    fail_over()
    desk.reconcile(HERE)
    loops.report(HERE, tmp_path)
    desk.reconcile(HERE)
    assert safe() is None
    assert desk.state(held.ticket_id) == "ATTENTION"
    with transaction() as session:
        attempt = session.get_one(Attempt, held.attempt_id)
        assert (attempt.state, attempt.pid) == ("UNKNOWN", process.me().pid)
        assert attempt.token > held.token
        unknown = {r.node_id: False for r in session.query(NodeResult) if r.attempt_id == held.attempt_id}
    for speak in (
        lambda s: results.finish(s, held, {"a": Outcome.ok()}),
        lambda s: lifecycle.finish_run(s, held, None),
    ):
        with pytest.raises(Fenced), transaction() as session:
            speak(session)
    desk.work()  # the probe
    with transaction() as session:
        session.get_one(Attempt, held.attempt_id).death_proof = {"how": "test"}
    with transaction() as session:
        commands.resolve(session, held.ticket_id, held.attempt_id, new_id(), unknown, "looked: not done")
    assert desk.state(held.ticket_id) == "ATTENTION"  # FAILED: a retry is a person's, and planned anew


def test_a_run_the_database_has_no_row_of_waits_for_an_admin(
    desk: Desk, fail_over: Callable[[], None], tmp_path: Path
) -> None:
    held = claimed(desk)
    begun.note(tmp_path, replace(held, attempt_id=new_id()), new_id(), ["a"])  # of a plan that was lost too
    fail_over()
    desk.reconcile(HERE)
    loops.report(HERE, tmp_path)
    desk.reconcile(HERE)
    found = safe()
    assert found is not None
    assert [(entry["what"], entry["host"]) for entry in found.lost] == [("run", "here")]
    with transaction() as session:
        kinds = {event.kind for event in session.query(Event).filter_by(ticket_id=held.ticket_id)}
        safemode.leave(session, new_id(), "looked at the machine: nothing was done")
    assert "run.forgotten" in kinds
    assert safe() is None


def test_a_run_forgotten_with_its_signature_is_unknown_and_its_gate_void(
    desk: Desk, fail_over: Callable[[], None], tmp_path: Path
) -> None:
    """The most likely loss: from the signature to the intent it is a tenth of a second."""
    held = claimed(desk)
    begun.note(tmp_path, held, *planned(held))
    with transaction() as session:  # the new primary still waits for the signature
        session.execute(text("delete from outbox"))
        session.execute(text("delete from step_attempt where id = :id"), {"id": held.attempt_id})
        session.execute(text("delete from approval"))
        session.execute(text("update gate set state = 'OPEN', closed_at = null where phase = 'PRE'"))
        session.execute(text("update step set state = 'WAIT_PRE_GATE' where id = :id"), {"id": held.step_id})
    assert desk.open_gates(held.ticket_id)
    fail_over()
    desk.reconcile(HERE)
    loops.report(HERE, tmp_path)
    desk.reconcile(HERE)
    assert safe() is None
    assert desk.steps(held.ticket_id)["change"] == "UNKNOWN"
    assert desk.open_gates(held.ticket_id) == {}
    with transaction() as session:
        attempt = session.get_one(Attempt, held.attempt_id)
        assert (attempt.state, sorted(attempt.node_ids)) == ("UNKNOWN", ["a", "b", "c"])


def test_a_host_that_has_booted_meanwhile_cannot_vouch(
    desk: Desk, fail_over: Callable[[], None], tmp_path: Path
) -> None:
    fail_over()
    desk.reconcile(HERE)
    loops.report(replace(HERE, boot_id="a new boot"), tmp_path)
    desk.reconcile(HERE)
    found = safe()
    assert found is not None
    assert found.lost == [{"host": "here", "what": "rebooted"}]


def test_nodes_whose_beginning_was_forgotten_are_unknown_not_untouched(
    desk: Desk, fail_over: Callable[[], None], tmp_path: Path
) -> None:
    held = claimed(desk)
    with transaction() as session:
        attempts.register_process(session, held, process.me(), get_settings().lease)
        assert lifecycle.begin(session, held, process.me(), {})
    fail_over()
    desk.reconcile(HERE)
    loops.report(HERE, tmp_path)
    desk.reconcile(HERE)
    with transaction() as session:
        assert results.start(session, held, "a", 0)
        session.execute(text("delete from node_result where node_id = 'a'"))
    with transaction() as session:  # the living runner's answer counts, though its beginning is forgotten
        results.finish(session, held, {"a": Outcome.ok("did it")})
        lost = session.get_one(Attempt, held.attempt_id)
        assert set(results.lose(session, lost)) == set(lost.node_ids) - {"a"}
        row = session.get_one(NodeResult, (held.attempt_id, "a"))
        assert (row.state, row.summary) == ("SUCCEEDED", "did it")


def test_a_node_whose_end_was_forgotten_is_no_dead_end(desk: Desk, fail_over: Callable[[], None]) -> None:
    """The row says RUNNING, the runner ends: what it still knows is recorded again, the rest a person may resolve."""
    held = claimed(desk)
    with transaction() as session:
        attempts.register_process(session, held, process.me(), get_settings().lease)
        assert lifecycle.begin(session, held, process.me(), {})
        for node in ("a", "b", "c"):
            assert results.start(session, held, node, 0)
        session.execute(text("delete from node_result where node_id = 'b'"))
    with transaction() as session:
        results.restate(session, held, {"a": Outcome.ok("did it"), "b": Outcome.ok("did it too")})
        lifecycle.finish_run(session, held, None)
    with transaction() as session:
        states = {r.node_id: r.state for r in session.query(NodeResult) if r.attempt_id == held.attempt_id}
    assert states == {"a": "SUCCEEDED", "b": "SUCCEEDED", "c": "UNKNOWN"}
    with transaction() as session:
        commands.resolve(session, held.ticket_id, held.attempt_id, new_id(), {"c": True}, "looked: it is done")
    assert desk.steps(held.ticket_id)["change"] in ("WAIT_POST_GATE", "DONE")
