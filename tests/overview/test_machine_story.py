"""What happened to one machine: its tickets and its history, for who may see them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi.testclient import TestClient

from autorke.core import db
from autorke.workflow import commands
from autorke.workflow.definition import Outcome
from autorke.workflow.models import Ticket
from autorke.workflow.states import NodeState
from tests.api import V1, Api, counted
from tests.machines.test_set_routes import make, serve
from tests.workflow.conftest import USER, Desk
from tests.workflow.toy import fail

BUDGETS: dict[str, int] = json.loads((Path(__file__).parents[1] / "query_counts.json").read_text())
URL = f"{V1}/machines"


def items(client: TestClient, machine_id: UUID, what: str, **params: Any) -> list[dict[str, Any]]:
    answer = client.get(f"{URL}/{machine_id}/{what}", params=params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def kinds(rows: list[dict[str, Any]]) -> list[str]:
    return [row["kind"] for row in rows]


def of_cluster(ticket_id: UUID, cluster_id: UUID) -> None:
    with db.transaction() as session:
        session.get_one(Ticket, ticket_id).scope_id = cluster_id


def test_the_tickets_of_a_machine_are_those_that_have_it_as_a_target(api: Api, desk: Desk, world: Any) -> None:
    one, two = make(2)
    desk.requester = api.user("li", "requester")
    world.behave[f"change:{one}"] = fail
    first = desk.submit(nodes=[str(one), str(two)], policy="express")
    second = desk.submit(nodes=[str(one)])
    assert desk.finish(first) == "ATTENTION"
    viewer = api.caller("viewer")
    newest, oldest = items(viewer, one, "tickets")
    assert [newest["id"], oldest["id"]] == [str(second), str(first)]
    assert (newest["state"], newest["last_step"], newest["last_state"]) == ("QUEUED", None, None)
    assert (oldest["last_step"], oldest["last_state"]) == ("change", "FAILED")
    assert (oldest["requester_name"], oldest["flow_title"]) == ("li", {"zh": "toy", "en": "toy"})
    assert [row["id"] for row in items(viewer, two, "tickets")] == [str(first)]
    assert items(viewer, two, "tickets")[0]["last_state"] == "NOT_STARTED"
    with db.transaction() as session:
        commands.exclude(session, first, [str(one)], USER, "broken disk")
    assert items(viewer, one, "tickets", filter="state:ne:QUEUED")[0]["excluded_reason"] == "broken disk"


def test_the_history_tells_audit_events_and_results_in_one_order(api: Api, desk: Desk, world: Any) -> None:
    one, two = make(2)
    admin = api.caller("admin", name="wei")
    admin.patch(f"{URL}/{one}", json={"version": 1, "rack": "B13"})
    desk.requester = api.user("li", "requester")
    world.behave[f"change:{one}"] = fail
    ticket = desk.submit(nodes=[str(one), str(two)], policy="express", batches={"canary": 0, "size": 9, "budget": 9})
    desk.finish(ticket)
    world.behave.clear()
    with db.transaction() as session:
        commands.retry(session, ticket, "change", USER)
    desk.finish(ticket)
    told = items(admin, one, "history")
    assert kinds(told) == [
        "ticket.ended", "node.result", "step.retry", "node.result", "ticket.submitted", "machine.update",
    ]  # fmt: skip
    assert [row["detail"].get("state") for row in told] == ["SUCCEEDED", "SUCCEEDED", None, "FAILED", None, None]
    assert (told[-1]["source"], told[-1]["actor_name"], told[-1]["detail"]["fields"]) == ("audit", "wei", ["rack"])
    assert (told[-2]["actor_name"], told[-2]["actor_id"]) == ("li", str(desk.requester))
    assert {row["ticket_id"] for row in told[:-1]} == {str(ticket)}
    assert str(two) not in json.dumps(told), "a machine's history says nothing of the other targets"
    assert kinds(items(admin, two, "history")) == ["ticket.ended", "node.result", "ticket.submitted"]


def test_the_history_is_paged_without_gap_or_repetition(api: Api, desk: Desk) -> None:
    (one,) = make(1)
    admin = api.caller("admin")
    for version in range(1, 6):
        admin.patch(f"{URL}/{one}", json={"version": version, "rack": f"B{version}"})
    desk.finish(desk.submit(nodes=[str(one)], policy="express"))
    whole = [row["key"] for row in items(admin, one, "history")]
    paged: list[str] = []
    cursor = None
    for _ in range(20):
        found = admin.get(
            f"{URL}/{one}/history", params={"limit": 2, "cursor": cursor} if cursor else {"limit": 2}
        ).json()
        paged += [row["key"] for row in found["items"]]
        cursor = found["next"]
        if cursor is None:
            break
    assert paged == whole
    assert len(set(paged)) == len(paged) == 8
    only = items(admin, one, "history", filter="source:eq:audit", sort="at")
    assert [row["detail"]["fields"] for row in only] == [["rack"]] * 5


def test_an_unknown_node_that_a_person_resolved_is_told_with_its_verdict(api: Api, desk: Desk, world: Any) -> None:
    one, two = make(2)
    world.behave[f"change:{one}"] = lambda: Outcome(NodeState.UNKNOWN, "lost")
    ticket = desk.submit(nodes=[str(one), str(two)], policy="express", batches={"canary": 0, "size": 9, "budget": 9})
    desk.finish(ticket)
    (attempt,) = desk.attempts(ticket, "change")
    with db.transaction() as session:
        commands.resolve(session, ticket, attempt.id, desk.approvers[0], {str(one): False}, "seen on the console")
    told = {row["kind"]: row for row in items(api.caller("viewer"), one, "history")}
    assert told["attempt.resolved"]["detail"] == {
        "step": "change", "reason": "seen on the console", "verdicts": "FAILED",
    }  # fmt: skip
    assert "attempt.resolved" not in kinds(items(api.caller("viewer"), two, "history"))


def test_tickets_and_machines_of_other_clusters_stay_hidden(api: Api, desk: Desk) -> None:
    mine, theirs = api.cluster("mine"), api.cluster("theirs")
    free, outside = make(2)
    serve(theirs, "theirs", outside)
    hidden, shown = desk.submit(nodes=[str(free)]), desk.submit(nodes=[str(free)])
    of_cluster(hidden, theirs)
    of_cluster(shown, mine)
    viewer = api.caller("viewer", cluster_id=mine)
    assert [row["id"] for row in items(viewer, free, "tickets")] == [str(shown)]
    assert {row["ticket_id"] for row in items(viewer, free, "history")} == {str(shown)}
    for what in ("tickets", "history"):
        assert viewer.get(f"{URL}/{outside}/{what}").status_code == 404
    narrow = api.anonymous
    narrow.headers["Authorization"] = f"Bearer {api.token(api.user('bot', 'viewer'), scopes=['machine:read'])}"
    assert items(narrow, free, "tickets") == []
    assert items(narrow, free, "history") == []


def test_query_budgets(api: Api, desk: Desk, engine: Any) -> None:
    (one,) = make(1)
    for _ in range(3):
        desk.finish(desk.submit(nodes=[str(one)], policy="express"))
    viewer = api.caller("viewer")
    for what in ("tickets", "history"):
        items(viewer, one, what)
        with counted(engine) as statements:
            items(viewer, one, what)
        assert len(statements) <= BUDGETS[f"machines.{what}"], statements
