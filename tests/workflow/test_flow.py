"""Whole tickets through the engine: gates, failures, retries, cancels, as people see them."""

from __future__ import annotations

import pytest

from autorke.core.db import transaction
from autorke.core.errors import AutoRkeError
from autorke.workflow import commands, journal
from autorke.workflow.errors import RequesterMayNotApprove, StalePlan
from autorke.workflow.gates import Decision
from tests.workflow.conftest import USER, Desk
from tests.workflow.toy import World, fail, unreachable


def test_strict_ticket_runs_to_its_end(desk: Desk, world: World) -> None:
    ticket = desk.submit()
    assert desk.steps(ticket)["notice"] == "SKIPPED"
    assert desk.finish(ticket) == "SUCCEEDED"
    assert world.journal == [("configure", "*"), *[("change", n) for n in "abc"], ("close", "*")]
    assert world.released == [(str(ticket), True)]
    with transaction() as session:
        assert journal.verify_chain(session, ticket)
    decided = [e for e in desk.events(ticket) if e.kind == "gate.decided"]
    assert len(decided) == 6  # three steps, a gate before and after each


def test_nothing_runs_before_its_gate_is_signed(desk: Desk, world: World) -> None:
    ticket = desk.submit()
    desk.work()
    assert desk.steps(ticket)["configure"] == "WAIT_PRE_GATE"
    assert desk.ready() == []
    assert world.journal == []


def test_retry_touches_exactly_the_failed_nodes(desk: Desk, world: World) -> None:
    """P10: canary a succeeds, b fails, c is not started; the retry plans and runs b and c only."""
    world.behave["change:b"] = fail
    ticket = desk.submit(batches={"canary": 1, "size": 1, "budget": 0})
    desk.until(ticket, "change", "PARTIAL")
    assert desk.state(ticket) == "ATTENTION"
    world.behave.clear()
    with transaction() as session:
        commands.retry(session, ticket, "change", USER)
    assert desk.finish(ticket) == "SUCCEEDED"
    assert [n for s, n in world.journal if s == "change"] == ["a", "b", "b", "c"]
    assert desk.attempts(ticket, "change")[1].node_ids == ["b", "c"]


def test_unreachable_node_can_be_left_out(desk: Desk, world: World) -> None:
    world.behave["change:c"] = unreachable
    ticket = desk.submit()
    desk.until(ticket, "change", "PARTIAL")
    with transaction() as session:
        commands.exclude(session, ticket, ["c"], USER, "broken disk")
    assert desk.finish(ticket) == "SUCCEEDED"


def test_rejection_before_anything_ran_ends_the_ticket(desk: Desk, world: World) -> None:
    ticket = desk.submit()
    desk.work()
    desk.decide(ticket, approve=False, comment="wrong machines")
    assert desk.state(ticket) == "REJECTED"
    assert world.released == [(str(ticket), False)]


def test_rejected_result_can_be_confirmed_again(desk: Desk, world: World) -> None:
    ticket = desk.submit()
    desk.until(ticket, "change", "WAIT_POST_GATE")
    with transaction() as session:
        post = dict(list(desk.open_gates(ticket).items())[:1])
        commands.decide(session, ticket, post, desk.approvers[0], Decision(False, "", "look again"))
    assert desk.steps(ticket)["change"] == "FAILED"
    with transaction() as session:
        commands.retry(session, ticket, "change", USER)
    assert desk.finish(ticket) == "SUCCEEDED"
    assert [n for s, n in world.journal if s == "change"] == ["a", "b", "c"]


def test_the_requester_never_approves(desk: Desk) -> None:
    desk.rights.add(desk.requester)
    ticket = desk.submit()
    desk.work()
    with pytest.raises(RequesterMayNotApprove):
        desk.decide(ticket, who=desk.requester)


def test_a_stale_hash_is_refused(desk: Desk) -> None:
    ticket = desk.submit()
    desk.work()
    gate = next(iter(desk.open_gates(ticket)))
    with pytest.raises(StalePlan), transaction() as session:
        commands.decide(session, ticket, {gate: "0" * 64}, desk.approvers[0], Decision(True, ""))


def test_drift_reopens_the_gate_and_shows_what_drifted(desk: Desk, world: World) -> None:
    ticket = desk.submit()
    world.state = {"kernel": "5.10"}
    desk.until(ticket, "change", "WAIT_PRE_GATE")
    world.state = {"kernel": "6.1"}
    desk.decide(ticket)
    desk.work()
    assert desk.steps(ticket)["change"] == "WAIT_PRE_GATE"
    assert ("change", "a") not in world.journal
    drift = next(e for e in desk.events(ticket) if e.kind == "plan.drifted")
    assert drift.body["drift"] == [{"key": "kernel", "planned": "5.10", "now": "6.1"}]
    assert desk.finish(ticket) == "SUCCEEDED"


def test_standard_and_express_policies_ask_less(desk: Desk) -> None:
    for policy, expected in (("standard", 3), ("express", 1)):
        ticket = desk.submit(policy=policy)
        assert desk.finish(ticket) == "SUCCEEDED"
        assert len([e for e in desk.events(ticket) if e.kind == "gate.decided"]) == expected


def test_a_role_lost_before_the_start_stops_it(desk: Desk, world: World) -> None:
    """P14"""
    ticket = desk.submit()
    desk.work()
    desk.decide(ticket)
    desk.rights.clear()
    desk.work()
    assert desk.steps(ticket)["configure"] == "WAIT_PRE_GATE"
    assert world.journal == []


def test_cancel_tells_the_truth_per_node(desk: Desk, world: World) -> None:
    ticket = desk.submit(batches={"canary": 1, "size": 1, "budget": 0})
    world.behave["change:b"] = fail
    desk.until(ticket, "change", "PARTIAL")
    with transaction() as session:
        commands.cancel(session, ticket, USER, "enough")
    assert desk.state(ticket) == "CANCELLED"
    ended = desk.events(ticket)[-1]
    assert ended.body["nodes"]["change"] == {"a": "SUCCEEDED", "b": "FAILED", "c": "NOT_STARTED"}
    assert desk.ready() == []


def test_two_tickets_on_one_machine_wait_for_each_other(desk: Desk) -> None:
    first, second, third = desk.submit(nodes=["a"]), desk.submit(nodes=["a", "b"]), desk.submit(nodes=["b"])
    assert [desk.state(t) for t in (first, second, third)] == ["ACTIVE", "QUEUED", "QUEUED"]
    assert desk.finish(first) == "SUCCEEDED"
    desk.reconcile()
    assert [desk.state(t) for t in (second, third)] == ["ACTIVE", "QUEUED"]  # FIFO: third may not overtake


def test_idempotency_key_returns_the_first_ticket(desk: Desk) -> None:
    assert desk.submit(key="k") == desk.submit(key="k")
    with pytest.raises(AutoRkeError) as refused:
        desk.submit(key="k", nodes=["z"])
    assert refused.value.status == 409
