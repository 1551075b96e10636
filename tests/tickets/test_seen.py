"""What a person watches and has seen, and what is new to him."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.tickets.models import TicketSeen, TicketWatch
from autorke.workflow import commands
from tests.api import V1
from tests.tickets.office import Office, Somebody
from tests.workflow.conftest import USER
from tests.workflow.toy import WORLD


@pytest.fixture
def li(office: Office) -> Somebody:
    return office.person("li", "requester")


@pytest.fixture
def fang(office: Office) -> Somebody:
    return office.person("fang", "approver")


def put(who: Somebody, path: str, body: Any = None, status: int = 200) -> Any:
    answer = who.client.put(V1 + path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def plan_hash(who: Somebody, ticket_id: UUID, step: int = 0) -> str:
    return str(who.get(f"/tickets/{ticket_id}")["steps"][step]["plan_hash"])


def test_watching_is_ones_own_and_shown(office: Office, li: Somebody, fang: Somebody) -> None:
    ticket = office.ticket(li)
    path = f"/tickets/{ticket.id}"
    assert fang.get(path)["watching"] is False
    put(fang, f"{path}/watch", status=204)
    put(fang, f"{path}/watch", status=204)
    assert fang.get(path)["watching"] is True
    assert (fang.tab("watching"), li.tab("watching")) == ([ticket.number], [])
    assert fang.get("/inbox/counts")["watching"] == 1
    for _ in range(2):
        assert fang.client.delete(f"{V1}{path}/watch").status_code == 204
    assert fang.tab("watching") == []


def test_what_is_watched_stays_after_the_end_and_goes_with_the_account(
    office: Office, li: Somebody, fang: Somebody
) -> None:
    ticket = office.ticket(li)
    put(fang, f"/tickets/{ticket.id}/watch", status=204)
    put(fang, f"/tickets/{ticket.id}/seen", {"seq": 1})
    li.post(f"/tickets/{ticket.id}/cancel", {"reason": "x"})
    assert fang.tab("watching") == fang.tab("done") == [ticket.number]
    root = office.person("root", "admin")
    assert root.client.delete(f"{V1}/users/{fang.id}").status_code == 204
    with transaction() as session:
        assert session.query(TicketWatch).count() == session.query(TicketSeen).count() == 0


def test_what_is_not_seen_cannot_be_watched_or_marked(office: Office, li: Somebody) -> None:
    ticket = office.ticket(li, scope=office.api.cluster("north"))
    stranger = office.person("stranger", "viewer", cluster_id=office.api.cluster("south"))
    for who, ticket_id in ((stranger, ticket.id), (li, new_id())):
        put(who, f"/tickets/{ticket_id}/watch", status=404)
        put(who, f"/tickets/{ticket_id}/seen", {"seq": 1}, 404)
        assert who.client.delete(f"{V1}/tickets/{ticket_id}/watch").status_code == 404


def test_what_was_seen_only_grows(office: Office, li: Somebody, fang: Somebody) -> None:
    ticket = office.ticket(li)
    path = f"/tickets/{ticket.id}"
    assert fang.get(path)["seen"] is None
    first = plan_hash(fang, ticket.id)
    newest = fang.get(path)["next_seq"] - 1
    assert put(fang, f"{path}/seen", {"seq": 3})["seq"] == 3
    assert put(fang, f"{path}/seen", {"seq": 2, "plan_hashes": {"configure": first}})["seq"] == 3
    assert put(fang, f"{path}/seen", {"seq": 10**6})["seq"] == newest, "nobody has seen what is still to come"
    seen = fang.get(path)["seen"]
    assert (seen["seq"], seen["plan_hashes"]) == (newest, {"configure": first})
    assert li.get(path)["seen"] is None


def test_a_plan_that_was_made_anew_shows_what_changed(office: Office, li: Somebody, fang: Somebody) -> None:
    """The state drifts between approval and start: the step is planned again, and the approver sees what is new."""
    ticket = office.ticket(li)
    path = f"/tickets/{ticket.id}"
    for _ in range(2):  # to the gate of the changing step
        gates = [gate for step in fang.get(path)["steps"] for gate in step["gates"] if gate["may_sign"]]
        body = [{"gate_id": gate["id"], "subject_hash": gate["subject_hash"]} for gate in gates]
        before = plan_hash(fang, ticket.id, 1)
        if gates[-1]["phase"] == "PRE" and len(gates) == 2:
            put(fang, f"{path}/seen", {"seq": 5, "plan_hashes": {"change": before}})
            WORLD.state["kernel"] = "6.1"
        fang.post(f"{path}/decisions", {"gates": body, "decision": "approve"})
        office.desk.work()
    shown = fang.get(path)
    after = shown["steps"][1]["plan_hash"]
    assert shown["seen"]["plan_hashes"] == {"change": before}
    assert after != before
    changes = fang.get(f"{path}/plans/change/compare", before=before, after=after)
    assert changes == [{"path": "fingerprint.kernel", "kind": "added", "before": None, "after": "6.1"}]
    assert fang.get(f"{path}/plans/change/compare", before=after, after=after) == []
    put(fang, f"{path}/seen", {"seq": 5, "plan_hashes": {"change": after}})
    old_tab = put(fang, f"{path}/seen", {"seq": 5, "plan_hashes": {"change": before}})
    assert old_tab["plan_hashes"] == {"change": after}


def test_plans_of_other_steps_and_tickets_are_not_compared(office: Office, li: Somebody, fang: Somebody) -> None:
    ticket, other = office.ticket(li, "a"), office.ticket(li, "b")
    own, foreign = plan_hash(fang, ticket.id), plan_hash(fang, other.id)
    for step, before, after, field in (
        ("configure", own, foreign, "after"),
        ("change", own, own, "before"),
        ("configure", "0" * 64, own, "before"),
    ):
        answer = fang.client.get(
            f"{V1}/tickets/{ticket.id}/plans/{step}/compare", params={"before": before, "after": after}
        )
        assert (answer.status_code, answer.json()["field"]) == (404, field)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"seq": -1}, "seq"),
        ({}, "seq"),
        ({"seq": 1, "plan_hashes": {"configure": "x"}}, "plan_hashes.configure"),
        ({"seq": 1, "plan_hashes": {"configure": "0" * 64}}, "plan_hashes.configure"),
        ({"seq": 1, "plan_hashes": {"nothing": "0" * 64}}, "plan_hashes.nothing"),
    ],
)
def test_a_note_that_cannot_be_is_refused_at_its_field(
    office: Office, li: Somebody, fang: Somebody, body: dict[str, Any], field: str
) -> None:
    ticket = office.ticket(li)
    refused = put(fang, f"/tickets/{ticket.id}/seen", body, 422)
    assert refused["field"] == field
    assert fang.get(f"/tickets/{ticket.id}")["seen"] is None


def test_events_name_who_caused_them(office: Office, li: Somebody, fang: Somebody) -> None:
    ticket = office.ticket(li)
    with transaction() as session:
        commands.pause(session, ticket.id, USER, paused=True)  # by nobody that has an account
    fang.post(f"/tickets/{ticket.id}/resume")
    events = fang.get(f"/tickets/{ticket.id}/events")
    names = {event["kind"]: event["actor_name"] for event in events}
    assert (names["ticket.submitted"], names["ticket.resumed"]) == ("li", "fang")
    assert names["ticket.paused"] is names["gate.opened"] is None
