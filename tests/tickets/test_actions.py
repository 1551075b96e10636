"""What a page says beforehand of each action is what the engine then does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from autorke.core.db import transaction
from autorke.workflow import commands
from autorke.workflow.definition import Outcome
from autorke.workflow.models import Attempt
from autorke.workflow.states import NodeState
from tests.api import V1, counted
from tests.tickets.office import Office, Somebody
from tests.workflow.conftest import USER
from tests.workflow.toy import WORLD, fail, unreachable

BUDGETS: dict[str, int] = json.loads((Path(__file__).parents[1] / "query_counts.json").read_text())
ONE_BY_ONE = {"canary": 0, "size": 1, "budget": 0}
TOGETHER = {"canary": 0, "size": 9, "budget": 9}


@pytest.fixture
def li(office: Office) -> Somebody:
    return office.person("li", "requester")


@pytest.fixture
def fang(office: Office) -> Somebody:
    return office.person("fang", "approver")


def detail(who: Somebody, ticket_id: UUID) -> Any:
    return who.get(f"/tickets/{ticket_id}")


def actions(who: Somebody, ticket_id: UUID) -> dict[str, Any]:
    found: dict[str, Any] = detail(who, ticket_id)["actions"]
    for action in found.values():
        assert action["effect"]["zh"]
        assert action["effect"]["en"]
        assert (action["reason"] is None) is action["allowed"]
    return found


def allowed(who: Somebody, ticket_id: UUID) -> set[str]:
    return {name for name, action in actions(who, ticket_id).items() if action["allowed"]}


def run(office: Office, fang: Somebody, ticket_id: UUID, until: str = "change") -> None:
    """Sign and work until `until` has run."""
    for _ in range(8):
        shown = detail(fang, ticket_id)
        state = next(step["state"] for step in shown["steps"] if step["key"] == until)
        if state not in ("PENDING", "PLANNING", "WAIT_PRE_GATE", "READY"):
            return
        gates = [gate for step in shown["steps"] for gate in step["gates"] if gate["may_sign"]]
        body = [{"gate_id": gate["id"], "subject_hash": gate["subject_hash"]} for gate in gates]
        fang.post(f"/tickets/{ticket_id}/decisions", {"gates": body, "decision": "approve"})
        office.desk.work()
    raise AssertionError(f"{until} never ran")


def during(act: Callable[[], Any]) -> tuple[Callable[[], Outcome], list[Any]]:
    """A behaviour of a node that looks around in the middle of its work, and what it saw."""
    seen: list[Any] = []

    def behave() -> Outcome:
        seen.append(act())
        return Outcome.ok()

    return behave, seen


def test_each_person_is_offered_what_he_may_do(office: Office, li: Somebody, fang: Somebody) -> None:
    ticket = office.ticket(li)
    viewer = office.person("viewer", "viewer")
    assert allowed(li, ticket.id) == allowed(fang, ticket.id) == {"pause", "cancel"}
    assert allowed(viewer, ticket.id) == set()
    assert "ticket:operate" in actions(viewer, ticket.id)["cancel"]["reason"]["en"]
    assert "ticket:resolve" in actions(li, ticket.id)["resolve"]["reason"]["en"]
    elsewhere = office.person("elsewhere", "approver", cluster_id=office.api.cluster("south"))
    assert allowed(elsewhere, ticket.id) == set(), "a ticket of no cluster takes a role on all"


def test_a_gate_names_who_may_sign_it(office: Office, li: Somebody, fang: Somebody) -> None:
    north = office.api.cluster("north")
    office.person("south only", "approver", cluster_id=office.api.cluster("south"))
    stand_in = office.person("stand in", "viewer")
    office.delegate(fang, stand_in)
    ticket = office.ticket(li, scope=north)
    gate = detail(li, ticket.id)["steps"][0]["gates"][0]
    assert [(it["name"], it["role"], it["acting_for"]) for it in gate["candidates"]] == [
        ("fang", "approver", None),
        ("stand in", "approver", "fang"),
    ]
    assert not gate["may_sign"]
    assert "requester" in gate["reason"]["en"]
    assert detail(stand_in, ticket.id)["steps"][0]["gates"][0]["acting_for"] == str(fang.id)
    run(office, fang, ticket.id, "configure")
    signed = detail(fang, ticket.id)["steps"][0]["gates"][0]
    assert (signed["candidates"], signed["may_sign"], signed["reason"]) == ([], False, None)
    assert [(it["approver_name"], it["acting_for_name"]) for it in signed["approvals"]] == [("fang", None)]


def test_cancel_while_nothing_runs_says_that_nothing_was_changed(office: Office, li: Somebody) -> None:
    ticket = office.ticket(li)
    effect = actions(li, ticket.id)["cancel"]["effect"]
    assert "at once" in effect["en"]
    assert "No change has been completed" in effect["en"]
    assert li.post(f"/tickets/{ticket.id}/cancel", {"reason": "x"})["state"] == "CANCELLED"
    ended = actions(li, ticket.id)
    assert "has ended" in ended["cancel"]["reason"]["en"]
    assert allowed(li, ticket.id) == set()


def test_cancel_while_a_node_is_under_way_names_it_and_what_will_not_begin(
    office: Office, li: Somebody, fang: Somebody
) -> None:
    ticket = office.ticket(li, batches=ONE_BY_ONE)
    WORLD.behave["change:b"], seen = during(lambda: actions(li, ticket.id))
    run(office, fang, ticket.id)
    for name in ("cancel", "pause"):
        effect = seen[0][name]["effect"]
        assert "node-b" in effect["en"]
        assert "node-b" in effect["zh"]
        assert "1 are not begun" in effect["en"]
        assert "node-a" not in effect["en"]
    assert "CANCELLED" in seen[0]["cancel"]["effect"]["en"]
    assert not seen[0]["retry"]["allowed"]


def test_what_cancel_has_said_is_what_it_does(office: Office, li: Somebody, fang: Somebody) -> None:
    ticket = office.ticket(li, batches=ONE_BY_ONE)

    def cancel() -> Any:
        before = actions(li, ticket.id)["cancel"]
        assert li.post(f"/tickets/{ticket.id}/cancel", {"reason": "enough"})["state"] == "ACTIVE"
        return before, actions(li, ticket.id)

    WORLD.behave["change:b"], seen = during(cancel)
    run(office, fang, ticket.id)
    before, after = seen[0]
    assert before["allowed"]
    assert "being cancelled" in after["cancel"]["reason"]["en"]
    assert "being cancelled" in after["pause"]["reason"]["en"]
    shown = detail(li, ticket.id)
    assert shown["state"] == "CANCELLED"
    nodes = {node["node_id"]: node["results"] for node in li.get(f"/tickets/{ticket.id}/nodes")}
    assert [nodes[node][-1]["state"] for node in "abc"] == ["SUCCEEDED", "SUCCEEDED", "CANCELLED"]


def test_a_step_that_runs_once_is_finished_as_a_whole(office: Office, li: Somebody, fang: Somebody) -> None:
    ticket = office.ticket(li)
    WORLD.behave["close:*"], seen = during(lambda: actions(li, ticket.id))
    run(office, fang, ticket.id, "close")
    effect = seen[0]["cancel"]["effect"]["en"]
    assert "as a whole" in effect
    assert "x (3 nodes)" in effect, "what is done stays"


def test_retry_names_exactly_what_it_touches(office: Office, li: Somebody, fang: Somebody) -> None:
    WORLD.behave |= {"change:b": fail, "change:c": unreachable}
    ticket = office.ticket(li, "a", "b", "c", "d", "e", batches={"canary": 0, "size": 4, "budget": 1})
    run(office, fang, ticket.id)
    retry = actions(li, ticket.id)["retry"]
    assert (retry["allowed"], retry["step"], retry["nodes"]) == (True, "change", ["b", "c", "e"])
    for words in ("failed: node-b", "unreachable: node-c", "not started: node-e", "exactly these 3"):
        assert words in retry["effect"]["en"]
    assert "失败 node-b；不可达 node-c；未开始 node-e" in retry["effect"]["zh"]
    assert allowed(li, ticket.id) == {"retry", "pause", "cancel", "close", "exclude"}
    WORLD.journal.clear()
    WORLD.behave.clear()
    li.post(f"/tickets/{ticket.id}/retry", {"step": "change"})
    office.desk.work()
    run(office, fang, ticket.id)
    assert sorted(WORLD.journal) == [("change", "b"), ("change", "c"), ("change", "e")]


def test_a_result_that_was_rejected_is_confirmed_again_without_running(
    office: Office, li: Somebody, fang: Somebody
) -> None:
    ticket = office.ticket(li)
    run(office, fang, ticket.id, "change")
    post = next(gate for gate in detail(fang, ticket.id)["steps"][1]["gates"] if gate["phase"] == "POST")
    body = {"gates": [{"gate_id": post["id"], "subject_hash": post["subject_hash"]}], "decision": "reject"}
    fang.post(f"/tickets/{ticket.id}/decisions", {**body, "comment": "look again"})
    retry = actions(li, ticket.id)["retry"]
    assert (retry["allowed"], retry["step"], retry["nodes"]) == (True, "change", [])
    assert "No node runs again" in retry["effect"]["en"]


def test_excluding_needs_somebody_left(office: Office, li: Somebody, fang: Somebody) -> None:
    WORLD.behave |= {"change:a": fail, "change:b": fail}
    ticket = office.ticket(li, "a", "b", batches=TOGETHER)
    run(office, fang, ticket.id)
    assert actions(li, ticket.id)["exclude"]["nodes"] == ["a", "b"]
    li.post(f"/tickets/{ticket.id}/exclude", {"nodes": ["a"], "reason": "broken"})
    exclude = actions(li, ticket.id)["exclude"]
    assert not exclude["allowed"]
    refused = li.post(f"/tickets/{ticket.id}/exclude", {"nodes": ["b"], "reason": "broken"}, 409)
    assert refused["cause"] == exclude["reason"]


def unknown(office: Office, li: Somebody, fang: Somebody) -> UUID:
    """A ticket with one node of which nobody knows what became, and no proof that its runner is dead."""
    WORLD.behave["change:b"] = lambda: Outcome(NodeState.UNKNOWN, "lost")
    ticket = office.ticket(li, batches=TOGETHER)
    run(office, fang, ticket.id)
    with transaction() as session:
        session.execute(text("update step_attempt set death_proof = null where state = 'UNKNOWN'"))
    return ticket.id


def test_what_is_unknown_is_resolved_first(office: Office, li: Somebody, fang: Somebody) -> None:
    ticket_id = unknown(office, li, fang)
    shown = actions(fang, ticket_id)
    assert allowed(fang, ticket_id) == {"pause", "cancel", "resolve"}
    assert "nobody knows" in shown["retry"]["reason"]["en"]
    resolve = shown["resolve"]
    assert (resolve["step"], resolve["nodes"]) == ("change", ["b"])
    assert "node-b" in resolve["effect"]["en"]
    assert "two people" in resolve["effect"]["en"]
    assert "node-b" in shown["cancel"]["effect"]["en"]
    assert fang.post(f"/tickets/{ticket_id}/cancel", {"reason": "x"})["state"] == "ATTENTION"


def test_two_different_people_override(office: Office, li: Somebody, fang: Somebody) -> None:
    ticket_id = unknown(office, li, fang)
    attempt_id = actions(fang, ticket_id)["resolve"]["attempt_id"]
    path, body = f"/tickets/{ticket_id}/attempts/{attempt_id}/resolution", {"verdicts": {"b": True}, "reason": "seen"}
    fang.post(path, {**body, "override": True})
    mine = actions(fang, ticket_id)["resolve"]
    assert not mine["allowed"]
    refused = fang.post(path, {**body, "override": True}, 409)
    assert refused["cause"] == mine["reason"]
    other = office.person("other", "approver")
    assert actions(other, ticket_id)["resolve"]["allowed"]
    other.post(path, {**body, "override": True})
    with transaction() as session:
        assert session.get_one(Attempt, UUID(attempt_id)).state == "RESOLVED_DONE"


def test_pause_and_resume_tell_what_comes_next(office: Office, li: Somebody, fang: Somebody) -> None:
    ticket = office.ticket(li)
    assert "Gates can still be signed" in actions(li, ticket.id)["pause"]["effect"]["en"]
    li.post(f"/tickets/{ticket.id}/pause")
    li.post(f"/tickets/{ticket.id}/pause")
    shown = actions(li, ticket.id)
    assert "paused already" in shown["pause"]["reason"]["en"]
    assert "No step begins at once" in shown["resume"]["effect"]["en"]
    gate = detail(fang, ticket.id)["steps"][0]["gates"][0]
    body = [{"gate_id": gate["id"], "subject_hash": gate["subject_hash"]}]
    fang.post(f"/tickets/{ticket.id}/decisions", {"gates": body, "decision": "approve"})
    assert '"c" is released and runs' in actions(li, ticket.id)["resume"]["effect"]["en"]
    office.person("root", "admin").client.put(f"{V1}/engine", json={"halted": True, "reason": "test"})
    assert "stop-all" in actions(li, ticket.id)["resume"]["effect"]["en"]
    assert li.post(f"/tickets/{ticket.id}/resume")["actions"]["resume"]["allowed"] is False
    assert detail(li, ticket.id)["waiting"]["code"] == "halted"
    events = [event["kind"] for event in li.get(f"/tickets/{ticket.id}/events")]
    assert events.count("ticket.paused") == events.count("ticket.resumed") == 1


def test_a_queued_ticket_leaves_the_queue(office: Office, li: Somebody) -> None:
    first, second = office.ticket(li), office.ticket(li)
    shown = detail(li, second.id)
    assert shown["waiting"]["code"] == "lock_held"
    assert f"ticket {first.number}" in shown["waiting"]["en"]
    assert "leaves the queue" in shown["actions"]["cancel"]["effect"]["en"].lower()
    third = office.ticket(li)
    li.post(f"/tickets/{first.id}/pause")
    assert detail(li, third.id)["waiting"]["code"] == "lock_held"


def test_a_callback_that_is_awaited_is_not_taken_back(office: Office, li: Somebody, fang: Somebody) -> None:
    ticket = office.ticket(li, flat=True)
    run(office, fang, ticket.id, "notice")
    shown = detail(li, ticket.id)
    assert shown["waiting"]["code"] == "callback"
    assert "not taken back" in shown["actions"]["cancel"]["effect"]["en"]


@pytest.mark.parametrize("action", ["retry", "pause", "resume", "cancel", "close", "exclude"])
@pytest.mark.parametrize("stands", ["gate", "failed", "paused", "unknown", "queued", "ended"])
def test_a_command_refuses_what_is_not_offered_and_does_what_is(
    office: Office, li: Somebody, fang: Somebody, stands: str, action: str
) -> None:
    """The two can never differ: in each state each command is tried, and says what the page has said."""
    ticket_id = standing(office, li, fang, stands)
    offer = actions(li, ticket_id)[action]
    path, body = f"{V1}/tickets/{ticket_id}/{action}", {}
    match action:
        case "retry":
            body = {"step": offer["step"] or "change"}
        case "exclude":
            body = {"nodes": ["b"], "reason": "x"}
        case "cancel" | "close":
            body = {"reason": "x"}
    answer = li.client.post(path, json=body)
    unchanged = (action == "pause" and stands == "paused") or (
        action == "resume" and stands in ("gate", "failed", "unknown", "queued")
    )
    if offer["allowed"] or unchanged:  # to pause what is paused is no error: it is so
        assert answer.status_code == 200, answer.text
    else:
        assert answer.status_code == 409
        if action != "retry" or stands == "ended":  # its refusal names the step
            assert answer.json()["cause"] == offer["reason"]


def standing(office: Office, li: Somebody, fang: Somebody, stands: str) -> UUID:
    """A ticket in this situation."""
    if stands == "unknown":
        return unknown(office, li, fang)
    if stands == "queued":
        office.ticket(li)
    if stands == "failed":
        WORLD.behave["change:b"] = fail
    ticket = office.ticket(li, batches=TOGETHER)
    if stands == "failed":
        run(office, fang, ticket.id)
    if stands in ("paused", "ended"):
        with transaction() as session:
            if stands == "paused":
                commands.pause(session, ticket.id, USER, paused=True)
            else:
                commands.cancel(session, ticket.id, USER, "over")
    return ticket.id


def test_a_ticket_page_costs_a_bounded_number_of_statements(
    office: Office, li: Somebody, fang: Somebody, engine: Engine
) -> None:
    office.delegate(fang, li)
    WORLD.behave["change:b"] = fail
    ticket = office.ticket(li, batches=TOGETHER)
    with counted(engine) as at_gate:
        detail(li, ticket.id)
    run(office, fang, ticket.id)
    li.post(f"/tickets/{ticket.id}/pause")
    with counted(engine) as stuck:
        detail(li, ticket.id)
    assert max(len(at_gate), len(stuck)) <= BUDGETS["tickets.get"], "\n".join(max(at_gate, stuck, key=len))
