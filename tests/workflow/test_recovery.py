"""Lost runners, lost answers and lost databases: nothing runs twice, nothing is forgotten, no ticket is a dead end."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from autorke.core.db import transaction
from autorke.core.settings import get_settings
from autorke.worker import process, runner
from autorke.workflow import commands, engine, lifecycle, outbox, patience, results
from autorke.workflow.definition import Outcome
from autorke.workflow.errors import DeathNotProven, Fenced, ReasonNeeded, SecondPersonNeeded, UnknownNodes
from autorke.workflow.models import Attempt, Outbox, StepRow, Ticket
from autorke.workflow.reconcile import Host, reconcile
from autorke.workflow.states import NodeState
from tests.workflow.conftest import USER, Desk
from tests.workflow.toy import World
from tests.workflow.vanish import BLIND, SEEING, begin_and_vanish, claim_and_vanish, claimed, silence

# claims that never begin -----------------------------------------------------------------------------------------


def test_a_plan_that_is_lost_again_and_again_needs_a_person(desk: Desk) -> None:
    ticket = desk.submit()
    for _ in range(3):
        claim_and_vanish(desk)
    assert desk.ready() == []
    assert desk.steps(ticket)["configure"] == "PLAN_FAILED"
    assert desk.state(ticket) == "ATTENTION"
    with transaction() as session:
        commands.retry(session, ticket, "configure", USER)
    assert desk.finish(ticket) == "SUCCEEDED"


def test_a_run_that_is_lost_before_its_intent_starts_again_by_itself_but_not_for_ever(desk: Desk, world: World) -> None:
    ticket = desk.submit()
    desk.until(ticket, "configure", "WAIT_PRE_GATE")
    desk.decide(ticket)
    for _ in range(2):
        claim_and_vanish(desk)
        assert desk.steps(ticket)["configure"] == "READY"
    claim_and_vanish(desk)
    assert desk.steps(ticket)["configure"] == "PLANNING"
    assert world.journal == []
    assert desk.finish(ticket) == "SUCCEEDED"


def test_a_probe_that_is_lost_is_made_again_but_not_for_ever(desk: Desk) -> None:
    """And the losses of probes are none of the plan's that comes after them."""
    ticket = desk.submit(nodes=["a"])
    desk.until(ticket, "change", "READY")
    begin_and_vanish(desk, ["a"])
    desk.reconcile(SEEING)
    for _ in range(3):
        claim_and_vanish(desk)
        assert desk.steps(ticket)["change"] == "UNKNOWN"
    probes = desk.attempts(ticket, "change", "PROBE")
    assert [(one.state, one.reason, one.node_ids) for one in probes] == [("ABANDONED", lifecycle.LOST, ["a"])] * 3
    assert desk.ready() == []
    (run,) = desk.attempts(ticket, "change")
    with transaction() as session:
        commands.resolve(session, ticket, run.id, USER, {"a": False}, "looked at the machine")
        commands.retry(session, ticket, "change", USER)
    claim_and_vanish(desk)
    assert desk.steps(ticket)["change"] == "PLANNING"


def test_a_second_runner_for_one_claim_ends_without_touching_the_first(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The launcher answers too late, the worker starts a runner himself: the tools of the first are none of its."""
    killed: list[str] = []
    monkeypatch.setattr(process, "kill_tools", killed.append)
    desk.submit()
    held = claimed(desk)
    with transaction() as session:
        session.execute(text("update step_attempt set pid = 1, pid_start = 1 where state = 'CLAIMED'"))
    assert runner.run_attempt(held.attempt_id, held.token) == 0
    assert killed == []
    assert world.journal == []
    with transaction() as session:
        row = session.get_one(Attempt, held.attempt_id)
        assert (row.state, row.pid, row.intent_at) == ("CLAIMED", 1, None), "the second has begun"


# runners that vanish ---------------------------------------------------------------------------------------------


def test_between_two_nodes_everything_is_known_and_nobody_is_asked(desk: Desk, world: World) -> None:
    ticket = desk.submit()
    desk.until(ticket, "change", "READY")
    held = begin_and_vanish(desk, [])
    desk.reconcile(BLIND)
    assert desk.steps(ticket)["change"] == "FAILED"
    with pytest.raises(Fenced), transaction() as session:
        results.start(session, held, "a", 0)  # whoever comes back is fenced
    with transaction() as session:
        commands.retry(session, ticket, "change", USER)
    assert desk.finish(ticket) == "SUCCEEDED"


def test_a_whole_step_that_had_ended_is_confirmed_not_asked_about(desk: Desk, world: World) -> None:
    ticket = desk.submit()
    desk.until(ticket, "configure", "READY")
    held = begin_and_vanish(desk, ["*"])
    with transaction() as session:
        results.finish(session, held, {"*": Outcome.ok("done")})
    desk.reconcile(SEEING)
    assert desk.steps(ticket)["configure"] == "WAIT_POST_GATE"
    assert desk.finish(ticket) == "SUCCEEDED"
    assert ("configure", "*") not in world.journal


def test_unknown_needs_proof_or_two_people(desk: Desk) -> None:
    ticket = desk.submit()
    desk.until(ticket, "change", "READY")
    held = begin_and_vanish(desk, ["a"])
    desk.reconcile(BLIND)
    assert desk.steps(ticket)["change"] == "UNKNOWN"
    one, two, _ = desk.approvers

    def resolve(who: UUID, *, override: bool, nodes: tuple[str, ...] = ("a",), reason: str = "seen") -> str:
        with transaction() as session:
            verdicts = dict.fromkeys(nodes, True)
            commands.resolve(session, ticket, held.attempt_id, who, verdicts, reason, override=override)
        return desk.steps(ticket)["change"]

    with pytest.raises(DeathNotProven):
        resolve(one, override=False)
    with pytest.raises(ReasonNeeded):
        resolve(one, override=True, reason=" ")
    with pytest.raises(UnknownNodes):
        resolve(one, override=True, nodes=("a", "b"))
    assert resolve(one, override=True) == "UNKNOWN"
    with pytest.raises(SecondPersonNeeded):
        resolve(one, override=True)
    assert resolve(two, override=True) == "PARTIAL"
    asked = [e for e in desk.events(ticket) if e.kind == "attempt.override_asked"]
    assert [e.actor_id for e in asked] == [str(one)]


def test_a_proof_that_comes_later_frees_one_person_to_decide(desk: Desk) -> None:
    ticket = desk.submit()
    desk.until(ticket, "change", "READY")
    held = begin_and_vanish(desk, ["a"])
    desk.reconcile(BLIND)
    desk.reconcile(SEEING)
    with transaction() as session:
        commands.resolve(session, ticket, held.attempt_id, desk.approvers[0], {"a": False}, "half done")
    assert desk.steps(ticket)["change"] == "FAILED"


def test_a_host_that_has_booted_since_is_proof(desk: Desk) -> None:
    ticket = desk.submit()
    desk.until(ticket, "change", "READY")
    begin_and_vanish(desk, ["a"])
    desk.reconcile(Host("here", "a-later-boot", lambda _a: pytest.fail("another boot has nothing to look at")))
    assert desk.attempts(ticket, "change")[0].death_proof == {
        "how": "its host has booted since",
        "boot_id": "a-later-boot",
    }


# a database that goes away ------------------------------------------------------------------------------------------


@contextmanager
def unreliable(monkeypatch: pytest.MonkeyPatch, *, after_commit: bool) -> Iterator[list[int]]:
    """Every transaction of a runner that must not be lost fails at its first try, before or after its COMMIT."""
    tries = [0]

    @contextmanager
    def broken() -> Iterator[Session]:
        tries[0] += 1
        with transaction() as session:
            yield session
            if tries[0] % 2 and not after_commit:
                raise OperationalError("server closed the connection", None, Exception())
        if tries[0] % 2:
            raise OperationalError("the answer to COMMIT is lost", None, Exception())

    with monkeypatch.context() as patch:
        patch.setattr(patience, "transaction", broken)
        patch.setattr(patience, "WAITS", (0, 0))
        yield tries


@pytest.mark.parametrize("after_commit", [False, True], ids=["before the commit", "answer to the commit lost"])
def test_no_step_is_lost_or_doubled_when_every_commit_fails_once(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch, after_commit: bool
) -> None:
    """engine.md §1 row 14: an error around COMMIT is neither success nor failure, nor is it a lost attempt."""
    killed: list[str] = []
    monkeypatch.setattr(process, "kill_tools", killed.append)
    world.behave["change:b"] = lambda: Outcome(NodeState.FAILED, "broken")
    ticket = desk.submit(batches={"canary": 1, "size": 1, "budget": 0})
    with unreliable(monkeypatch, after_commit=after_commit) as tries:
        desk.until(ticket, "change", "PARTIAL")
        world.behave.clear()
        with transaction() as session:
            commands.retry(session, ticket, "change", USER)
        assert desk.finish(ticket) == "SUCCEEDED"
    assert tries[0] > 20
    assert killed == [], "a runner took itself for fenced"
    assert world.journal == [("configure", "*"), *[("change", n) for n in "abbc"], ("close", "*")]


def test_a_database_that_stays_away_fences_the_runner(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = desk.submit()
    desk.until(ticket, "change", "READY")

    @contextmanager
    def away() -> Iterator[Session]:
        raise OperationalError("away", None, Exception())
        yield

    held = claimed(desk)
    world.behave["change:a"] = lambda: (monkeypatch.setattr(patience, "transaction", away), Outcome.ok())[1]
    monkeypatch.setattr(patience, "WAITS", (0,))
    assert runner.run_attempt(held.attempt_id, held.token) == runner.EXIT_FENCED
    monkeypatch.undo()
    silence()
    desk.reconcile(SEEING)
    assert desk.steps(ticket)["change"] == "UNKNOWN"


# the reconciler itself ----------------------------------------------------------------------------------------------


def test_one_broken_ticket_does_not_hold_up_the_others(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, waiting = desk.submit(nodes=["a"]), desk.submit(nodes=["a", "b"])
    advance = engine.advance

    def sometimes(session: Session, ticket: Ticket) -> None:
        if ticket.id == broken:
            raise RuntimeError("a bug of ours")
        advance(session, ticket)

    with transaction() as session:
        commands.cancel(session, broken, USER, "make room")
    other = desk.submit(nodes=["c"])
    with transaction() as session:
        session.execute(text("update ticket set state = 'ACTIVE' where id = :id"), {"id": broken})
    monkeypatch.setattr(engine, "advance", sometimes)
    done = reconcile(get_settings(), BLIND)
    assert done["failed"] == 1
    assert desk.state(waiting) == "ACTIVE"
    assert desk.state(other) == "ACTIVE"


def test_hints_are_repeated_only_for_what_could_be_claimed_and_leave_no_rows(desk: Desk) -> None:
    sent: list[str] = []
    outbox.configure_transport(lambda _topic, key: (sent.append(key), True)[1])
    paused, open_ = desk.submit(nodes=["a"]), desk.submit(nodes=["b"])
    with transaction() as session:
        commands.pause(session, paused, USER, paused=True)
        session.execute(text("update step_attempt set ready_at = ready_at - interval '10 s'"))
        rows = session.execute(select(func.count()).select_from(Outbox)).scalar_one()
    sent.clear()
    for _ in range(3):
        desk.reconcile()
        with transaction() as session:
            session.execute(text("update step_attempt set hinted_at = hinted_at - interval '10 s'"))
    with transaction() as session:
        of_open = session.execute(
            select(Attempt.id).join(StepRow, StepRow.id == Attempt.step_id).where(StepRow.ticket_id == open_)
        ).scalar_one()
        assert session.execute(select(func.count()).select_from(Outbox)).scalar_one() == rows
    assert sent == [str(of_open)] * 3


def test_any_number_of_passes_at_once_equals_one(desk: Desk) -> None:
    """P13, concurrently."""
    ticket = desk.submit()
    desk.until(ticket, "change", "READY")
    begin_and_vanish(desk, ["a"])
    others: list[Any] = [desk.submit(nodes=["a", name]) for name in "xyz"]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: desk.reconcile(SEEING), range(12)))
    kinds = [e.kind for e in desk.events(ticket)]
    assert kinds.count("attempt.unknown") == 1
    assert len(desk.attempts(ticket, "change", "PROBE")) == 1
    assert [desk.state(t) for t in others] == ["QUEUED"] * 3
