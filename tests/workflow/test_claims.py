"""What must hold at the moment of a claim and of a begin, each condition alone; most are guarded elsewhere too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.worker import process
from autorke.workflow import attempts, commands, engine, lifecycle, outbox, results
from autorke.workflow.attempts import Claim, Process
from autorke.workflow.definition import Outcome, Problem, handlers
from autorke.workflow.engine import Action, StepView, next_action
from autorke.workflow.errors import Fenced, UnknownNodes
from autorke.workflow.models import Attempt, StepRow, Ticket
from autorke.workflow.states import AttemptState, NodeState, Purpose, StepState
from tests.workflow.conftest import USER, Desk
from tests.workflow.toy import World, fail, words
from tests.workflow.vanish import BLIND, GONE, SEEING, begin_and_vanish, claimed

LEASE = timedelta(seconds=20)


def change(statement: str, **values: Any) -> None:
    with transaction() as session:
        session.execute(text(statement), values)


AGAINST_A_CLAIM = (
    "update step_attempt set state = 'ABANDONED'",
    "update step_attempt set state = 'RUNNING'",
    "update step set current_n = current_n + 1",
    "update ticket set state = 'ATTENTION'",
    "update ticket set state = 'FAILED'",
    "update ticket set cancel_requested_at = clock_timestamp()",
    "update ticket set pause_requested_at = clock_timestamp()",
    "update step set handler = 'toy.configure@2' where key = 'configure'",
    "delete from resource_lock where key = 'b'",
    "insert into engine_switch (name, halted, reason) values ('all', true, 'test')",
    "insert into database_line (id, line, lost) values (1, 'another', '[]')",
    "insert into runner (id, host, boot_id, version, handlers, drain) values ('here', 'h', 'b', '1', '[]', true)",
)


def test_an_attempt_is_claimed_only_while_everything_speaks_for_it(desk: Desk) -> None:
    desk.submit()
    (attempt,) = desk.ready()
    taken = []
    for statement in AGAINST_A_CLAIM:
        with transaction() as session:
            session.execute(text(statement))
            if claim(session, attempt) is not None:
                taken.append(statement)
            session.rollback()
    assert taken == []
    held = desk.claim(attempt)
    assert held is not None
    assert held.token == 1, "each claim has a token of its own"


def claim(session: Session, attempt: UUID) -> Claim | None:
    known = handlers()
    return attempts.claim(session, attempt, runner_id="here", boot_id="b", handlers=known, lease=LEASE)


def test_a_lock_that_went_to_another_ticket_stops_a_claim(desk: Desk) -> None:
    mine, other = desk.submit(nodes=["a"]), desk.submit(nodes=["z"])
    (attempt,) = [one.id for one in desk.attempts(mine, "configure", "PLAN")]
    change("update resource_lock set ticket_id = :other where ticket_id = :mine", mine=mine, other=other)
    assert desk.claim(attempt) is None


# begin -----------------------------------------------------------------------------------------------------------


def begin(held: Claim, who: Process = GONE) -> bool:
    with transaction() as session:
        return lifecycle.begin(session, held, who, None)


def about_to_change(desk: Desk) -> tuple[UUID, Claim]:
    ticket = desk.submit(policy="express")
    desk.until(ticket, "change", "READY")
    return ticket, claimed(desk)


@pytest.mark.parametrize(
    "statement",
    [
        "update step_attempt set lease_until = clock_timestamp() - interval '1 ms' where state = 'CLAIMED'",
        "update step_attempt set token = token + 1 where state = 'CLAIMED'",
        "update step_attempt set state = 'ABANDONED' where state = 'CLAIMED'",
    ],
    ids=["lease over", "fenced", "given up"],
)
def test_a_claim_that_is_no_longer_ours_begins_nothing(desk: Desk, statement: str) -> None:
    """Also before the reconciler has looked: the last millisecond of the lease is the last one."""
    ticket, held = about_to_change(desk)
    change(statement)
    with pytest.raises(Fenced):
        begin(held)
    assert desk.attempts(ticket, "change")[0].intent_at is None


AGAINST_A_BEGIN = (
    "update step set state = 'WAIT_PRE_GATE' where key = 'change'",
    "update ticket set cancel_requested_at = clock_timestamp()",
    "update ticket set pause_requested_at = clock_timestamp()",
    "insert into engine_switch (name, halted, reason) values ('all', true, 'test')",
    "update approval set revoked_at = clock_timestamp()",
    "update approval set subject_hash = 'another'",
    "update approval set decision = 'REJECT'",
)


def test_what_was_withdrawn_after_the_claim_is_not_begun(desk: Desk) -> None:
    _, held = about_to_change(desk)
    begun = []
    for statement in AGAINST_A_BEGIN:
        with transaction() as session:
            session.execute(text(statement))
            session.expire_all()
            went_on = lifecycle.begin(session, held, GONE, None)
            attempt = session.get_one(Attempt, held.attempt_id)
            if went_on or (attempt.state, attempt.intent_at) != ("ABANDONED", None):
                begun.append(statement)
            session.rollback()
    assert begun == []
    assert begin(held)


def test_a_plan_that_is_not_the_approved_one_is_not_begun(desk: Desk) -> None:
    ticket, held = about_to_change(desk)
    change(
        "with other as (insert into plan (id, step_id, round, body, plan_hash, fingerprint, problems)"
        " select :id, step_id, 99, body, 'other', fingerprint, problems from plan where step_id = :step returning id)"
        " update step set plan_id = other.id from other where step.id = :step",
        id=new_id(),
        step=held.step_id,
    )
    with pytest.raises(Fenced):
        begin(held)
    assert desk.attempts(ticket, "change")[0].intent_at is None


# tokens ----------------------------------------------------------------------------------------------------------

WRITES: dict[str, Callable[[Session, Claim], object]] = {
    "start a node": lambda s, held: results.start(s, held, "b", 0),
    "end a node": lambda s, held: results.finish(s, held, {"a": Outcome.ok()}),
    "leave nodes out": lambda s, held: results.leave_out(s, held, ["c"], NodeState.NOT_STARTED, "x"),
    "renew the lease": lambda s, held: attempts.heartbeat(s, held, LEASE),
    "end the run": lambda s, held: lifecycle.finish_run(s, held, None),
}


@pytest.mark.parametrize("stale", ["token", "state"])
def test_a_stale_runner_writes_nothing(desk: Desk, stale: str) -> None:
    """P6: token and state are each enough to stop him."""
    _, held = about_to_change(desk)
    assert begin(held)
    with transaction() as session:
        assert results.start(session, held, "a", 0)
    if stale == "state":
        change("update step_attempt set state = 'UNKNOWN' where id = :id", id=held.attempt_id)
    else:
        held = replace(held, token=held.token - 1)
    before = everything()
    for write in WRITES.values():
        with pytest.raises(Fenced), transaction() as session:
            write(session, held)
    assert everything() == before


def everything() -> list[Any]:
    with transaction() as session:
        return [
            session.execute(text(f"select t::text from {table} t order by 1")).scalars().all()  # noqa: S608
            for table in ("step_attempt", "node_result", "step", "event")
        ]


@pytest.mark.parametrize("stale", ["token", "state"])
def test_a_runner_adopts_only_its_own_claim(desk: Desk, stale: str) -> None:
    desk.submit()
    held = claimed(desk)
    if stale == "state":
        change("update step_attempt set state = 'READY'")
    token = held.token + (stale == "token")
    me = Process("here", process.boot_id(), 1, 1)
    with transaction() as session:
        assert attempts.adopt(session, held.attempt_id, token) is None
    with pytest.raises(Fenced), transaction() as session:
        attempts.register_process(session, replace(held, token=token), me, LEASE)


def test_a_lost_run_gets_a_new_token(desk: Desk) -> None:
    ticket, held = about_to_change(desk)
    assert begin(held)
    with transaction() as session:
        results.start(session, held, "a", 0)
    change("update step_attempt set lease_until = clock_timestamp() - interval '2 minutes' where state = 'RUNNING'")
    desk.reconcile(BLIND)
    assert desk.attempts(ticket, "change")[0].token == held.token + 1


def test_an_abandoned_claim_gets_a_new_token(desk: Desk) -> None:
    ticket = desk.submit()
    held = claimed(desk)
    change("update step_attempt set lease_until = clock_timestamp() - interval '2 minutes'")
    desk.reconcile(BLIND)
    assert [one.token for one in desk.attempts(ticket, "configure", "PLAN")] == [held.token + 1, 0]


# silence ---------------------------------------------------------------------------------------------------------


def test_a_run_that_is_silent_for_a_moment_is_waited_for(desk: Desk) -> None:
    """Its host cannot be asked, its lease is over by seconds: it may be about to speak again."""
    ticket, held = about_to_change(desk)
    assert begin(held)
    change("update step_attempt set lease_until = clock_timestamp() - interval '5 s' where state = 'RUNNING'")
    desk.reconcile(BLIND)
    assert desk.attempts(ticket, "change")[0].state == "RUNNING"


def test_a_lease_that_is_renewed_meanwhile_is_not_over(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pass has listed it as silent; before its turn comes the runner speaks."""
    ticket, held = about_to_change(desk)
    assert begin(held)
    change("update step_attempt set lease_until = clock_timestamp() - interval '2 minutes' where state = 'RUNNING'")

    def speak(_attempt: Attempt) -> dict[str, Any]:
        with transaction() as session:
            attempts.heartbeat(session, held, LEASE)
        return {"how": "a wrong proof"}

    desk.reconcile(replace(SEEING, death_of=speak))
    assert desk.attempts(ticket, "change")[0].state == "RUNNING"


# what the schema says by itself ----------------------------------------------------------------------------------


def test_a_step_has_one_live_attempt_of_a_kind(desk: Desk) -> None:
    ticket = desk.submit()
    with transaction() as session:
        row = session.get_one(Ticket, ticket)
        step = session.execute(select(StepRow).where(StepRow.ticket_id == ticket, StepRow.key == "configure"))
        one = step.scalar_one()
        with pytest.raises(IntegrityError):
            attempts.create(session, row, one, Purpose.PLAN, [])
        session.rollback()


def test_a_node_that_has_succeeded_is_never_begun_again(desk: Desk, world: World) -> None:
    """P1: not even by a run that names it; nor is one that another run is at."""
    world.behave["change:b"] = fail
    ticket = desk.submit(batches={"canary": 1, "size": 1, "budget": 0})
    desk.until(ticket, "change", "PARTIAL")
    with transaction() as session:
        commands.retry(session, ticket, "change", USER)
    desk.work()
    desk.decide(ticket)
    held = begin_and_vanish(desk, [])
    with transaction() as session:
        assert not results.start(session, held, "a", 0)
        assert results.start(session, held, "b", 0)


def test_a_step_has_one_live_gate_of_a_kind(desk: Desk) -> None:
    ticket = desk.submit()
    desk.until(ticket, "configure", "WAIT_PRE_GATE")
    with pytest.raises(IntegrityError):
        change(
            "insert into gate (id, step_id, phase, plan_id, plan_hash, subject_hash, quorum, permission, state)"
            " select :id, step_id, phase, plan_id, plan_hash, subject_hash, quorum, permission, 'OPEN' from gate",
            id=new_id(),
        )
    with pytest.raises(IntegrityError):
        change("update gate set plan_hash = 'another'")


def test_a_resource_has_one_holder(desk: Desk) -> None:
    ticket, other = desk.submit(nodes=["a"]), desk.submit(nodes=["b"])
    assert ticket != other
    with pytest.raises(IntegrityError):
        change("insert into resource_lock (kind, key, ticket_id, fence) values ('machine', 'a', :id, 1)", id=other)


# decisions that are pure ---------------------------------------------------------------------------------------------


def test_a_step_moves_along_its_arrows_only(desk: Desk) -> None:
    ticket = desk.submit()
    with transaction() as session:
        row = session.get_one(Ticket, ticket)
        step = engine.steps_of(session, row)[0]
        with pytest.raises(RuntimeError, match="no arrow"):
            engine.move(session, row, step, StepState.RUNNING)


def test_a_step_starts_only_when_all_before_it_are_closed() -> None:
    waiting = StepView(StepState.WAIT_PRE_GATE, pre_passed=True)
    assert next_action([StepView(StepState.DONE), waiting]) == Action("launch", 1)
    assert next_action([StepView(StepState.WAIT_POST_GATE), waiting]) == Action("wait", 1)
    assert next_action([StepView(StepState.WAIT_POST_GATE, post_passed=True), waiting]) == Action("close", 0)
    assert next_action([StepView(StepState.DONE), StepView(StepState.WAIT_PRE_GATE)]) == Action("wait", 1)
    assert next_action([StepView(StepState.WAIT_POST_GATE), StepView(StepState.SKIPPED)]) == Action("wait")


@pytest.mark.parametrize("state", ["FAILED", "UNKNOWN", "PARTIAL", "GATE_CLOSED", "PLAN_FAILED", "RUNNING", "READY"])
def test_what_needs_a_person_or_a_runner_is_waited_for(state: str) -> None:
    assert next_action([StepView(StepState(state)), StepView(StepState.PENDING)]).verb == "wait"


def test_a_blocking_problem_opens_no_gate(desk: Desk, world: World) -> None:
    world.problems = [Problem("used", words("it serves"), words("choose another"), "a")]
    ticket = desk.submit()
    desk.work()
    assert desk.steps(ticket)["configure"] == "PLAN_FAILED"
    assert desk.open_gates(ticket) == {}
    assert desk.state(ticket) == "ATTENTION"


def test_a_retry_names_open_nodes_only(desk: Desk, world: World) -> None:
    """P10: neither one that has succeeded nor a stranger."""
    world.behave["change:b"] = fail
    ticket = desk.submit(batches={"canary": 1, "size": 1, "budget": 0})
    desk.until(ticket, "change", "PARTIAL")
    for nodes in (["a"], ["b", "stranger"]):
        with pytest.raises(UnknownNodes), transaction() as session:
            commands.retry(session, ticket, "change", USER, nodes)


def test_a_running_change_is_waited_for_by_a_cancel(desk: Desk) -> None:
    """P9: CANCELLED is said when nothing runs, never by declaring it."""
    ticket, held = about_to_change(desk)
    assert begin(held)
    with transaction() as session:
        results.start(session, held, "a", 0)
        commands.cancel(session, ticket, USER, "enough")
    assert desk.state(ticket) == "ACTIVE"
    assert desk.ready() == []
    with transaction() as session:
        results.finish(session, held, {"a": Outcome.ok()})
        results.leave_out(session, held, ["b", "c"], NodeState.CANCELLED, "cancelled")
    with transaction() as session:
        lifecycle.finish_run(session, held, None, cancelled=True)
    assert desk.state(ticket) == "CANCELLED"
    assert [one.state for one in desk.attempts(ticket, "change")] == [AttemptState.CANCELLED]


# hints -----------------------------------------------------------------------------------------------------------


def test_a_hint_leaves_after_the_commit_or_never(desk: Desk) -> None:
    sent: list[str] = []

    def send(_topic: str, key: str) -> bool:
        sent.append(key)
        return True

    outbox.configure_transport(send)
    with transaction() as session:
        outbox.put(session, outbox.LAUNCH, "one")
        assert sent == []
    assert sent == ["one"]
    with transaction() as session:
        outbox.put(session, outbox.LAUNCH, "two")
        session.flush()
        session.rollback()
    assert sent == ["one"]


def test_a_row_that_somebody_holds_holds_up_no_hint_of_others(desk: Desk) -> None:
    sent: list[str] = []

    def send(_topic: str, key: str) -> bool:
        sent.append(key)
        return True

    desk.submit(nodes=["a"])
    desk.submit(nodes=["b"])
    change("update step_attempt set ready_at = ready_at - interval '10 s'")
    held, free = desk.ready()
    outbox.configure_transport(send)
    with transaction() as session:
        session.execute(select(Attempt).where(Attempt.id == held).with_for_update())
        desk.reconcile()
        assert sent == [str(free)]
