"""Bugs of ours inside a step: UNKNOWN after a contact with the outside, a plain failure where none was made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from autorke.core.db import transaction
from autorke.workflow import commands, execute
from autorke.workflow.definition import Node, Outcome, Unit
from autorke.workflow.models import NodeResult, StepRow
from tests.workflow.conftest import USER, Desk
from tests.workflow.toy import TOY, World, bug


def results(ticket: UUID, step: str) -> dict[str, tuple[str, str]]:
    """State and code of the error, by node, of the step's newest results."""
    with transaction() as session:
        query = (
            select(NodeResult)
            .join(StepRow, StepRow.id == NodeResult.step_id)
            .where(StepRow.ticket_id == ticket, StepRow.key == step)
            .order_by(NodeResult.started_at)
        )
        return {row.node_id: (row.state, (row.error or {}).get("code", "")) for row in session.execute(query).scalars()}


def break_before_contact(monkeypatch: pytest.MonkeyPatch, world: World, *nodes: str) -> None:
    act = world.act

    def act_or_break(step: str, node: str) -> Outcome:
        if step == "change" and node in nodes:
            raise ZeroDivisionError
        return act(step, node)

    monkeypatch.setattr(world, "act", act_or_break)


def test_a_bug_before_any_contact_is_a_failure_that_can_be_retried(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        break_before_contact(broken, world, "b")
        ticket = desk.submit(nodes=["a", "b"])
        desk.finish(ticket)
    assert results(ticket, "change") == {"a": ("SUCCEEDED", ""), "b": ("FAILED", "internal-error-before-contact")}
    assert desk.steps(ticket)["change"] == "PARTIAL"
    with transaction() as session:
        commands.retry(session, ticket, "change", USER)
    assert desk.finish(ticket) == "SUCCEEDED"
    assert [entry for entry in world.journal if entry[0] == "change"] == [("change", "a"), ("change", "b")]


def test_a_bug_after_contact_stays_unknown_and_nothing_runs_again(desk: Desk, world: World) -> None:
    world.behave["change:a"] = bug
    ticket = desk.submit(nodes=["a"])
    desk.finish(ticket)
    assert results(ticket, "change") == {"a": ("UNKNOWN", "internal-error")}
    assert desk.steps(ticket)["change"] == "UNKNOWN"
    desk.reconcile()
    desk.work()
    assert [entry for entry in world.journal if entry[0] == "change"] == [("change", "a")]


def test_what_a_runner_itself_cannot_tell_is_looked_at_for_the_person_who_decides(desk: Desk, world: World) -> None:
    """As after a lost runner: a read-only probe of exactly the unknown nodes, beside the attempt."""
    world.behave["change:b"] = bug
    ticket = desk.submit(nodes=["a", "b"])
    desk.finish(ticket)
    desk.work()
    run, probe = desk.attempts(ticket, "change"), desk.attempts(ticket, "change", "PROBE")
    assert [one.state for one in run] == ["UNKNOWN"]
    assert [(one.state, one.node_ids, one.parent_id) for one in probe] == [("SUCCEEDED", ["b"], run[0].id)]
    assert set(probe[0].outcome["probe"]) == {"b"}
    assert desk.steps(ticket)["change"] == "UNKNOWN"
    desk.reconcile()
    desk.work()
    assert len(desk.attempts(ticket, "change", "PROBE")) == 1


@pytest.mark.parametrize(("contacted", "state"), [(False, "FAILED"), (True, "UNKNOWN")])
def test_one_call_for_a_whole_batch_is_judged_the_same_way(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch, contacted: bool, state: str
) -> None:
    def run(_ctx: Any, nodes: Sequence[Node]) -> dict[str, Outcome]:
        if contacted:
            world.act("change", nodes[0].id)
        raise OSError("out of pty devices")

    step = next(step for step in TOY.steps if step.key == "change")
    monkeypatch.setattr(step, "unit", Unit.BATCH)
    monkeypatch.setattr(step, "run_fn", run)
    ticket = desk.submit(nodes=["a"])
    desk.finish(ticket)
    assert results(ticket, "change")["a"][0] == state


def test_a_bug_while_looking_once_more_begins_nothing(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last look before the intent breaks: the plan is made anew, and a person reads it again."""
    step = next(step for step in TOY.steps if step.key == "change")
    ticket = desk.submit(nodes=["a"])
    desk.until(ticket, "change", "WAIT_PRE_GATE")
    with monkeypatch.context() as broken:
        broken.setattr(step, "observe_fn", lambda _ctx: bug())
        desk.decide(ticket)
        desk.work()
    assert desk.steps(ticket)["change"] == "WAIT_PRE_GATE"
    assert [attempt.state for attempt in desk.attempts(ticket, "change")] == ["ABANDONED"]
    assert ("change", "a") not in world.journal
    assert desk.finish(ticket) == "SUCCEEDED"


def test_both_errors_say_what_to_do() -> None:
    for kind in (execute.InternalError, execute.InternalErrorBeforeContact):
        shown = kind(kind="OSError").as_json()
        assert shown["remedy"]["zh"]
        assert shown["remedy"]["en"]
