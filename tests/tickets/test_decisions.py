"""One decision on many tickets: each by itself, and as often as somebody presses the button."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.workflow import commands
from autorke.workflow.models import Approval, Event
from tests.api import V1
from tests.tickets.office import Office, Somebody


@pytest.fixture
def li(office: Office) -> Somebody:
    return office.person("li", "requester")


@pytest.fixture
def fang(office: Office) -> Somebody:
    return office.person("fang", "approver")


def item(row: dict[str, Any]) -> dict[str, Any]:
    gates = [{key: gate[key] for key in ("gate_id", "subject_hash")} for gate in row["gates"]]
    return {"ticket_id": row["ticket"]["id"], "gates": gates}


def items(who: Somebody) -> list[dict[str, Any]]:
    return [item(row) for row in who.get("/inbox")["items"]]


def decide(who: Somebody, wanted: list[dict[str, Any]], decision: str = "approve", comment: str = "fine") -> Any:
    return who.post("/decisions", {"items": wanted, "decision": decision, "comment": comment})


def signatures() -> int:
    with transaction() as session:
        return session.execute(select(func.count()).select_from(Approval)).scalar_one()


def decided_events() -> int:
    with transaction() as session:
        query = select(func.count()).select_from(Event).where(Event.kind == "gate.decided")
        return session.execute(query).scalar_one()


def test_many_tickets_are_signed_by_one_decision(office: Office, li: Somebody, fang: Somebody) -> None:
    tickets = [office.ticket(li, f"n{i}") for i in range(3)]
    results = decide(fang, items(fang))
    assert [(it["ok"], it["state"], it["note"], it["problem"]) for it in results] == [(True, "ACTIVE", None, None)] * 3
    assert [it["ticket_id"] for it in results] == [str(ticket.id) for ticket in tickets]
    assert fang.tab() == []
    with transaction() as session:
        assert {row.comment for row in session.query(Approval)} == {"fine"}


def test_what_one_ticket_refuses_is_done_for_the_others(office: Office, li: Somebody, fang: Somebody) -> None:
    north = office.api.cluster("north")
    first, stale, hidden, own, ended, last = (
        office.ticket(who, f"n{place}", scope=scope)
        for place, (who, scope) in enumerate([(li, None), (li, None), (li, None), (fang, None), (li, None), (li, None)])
    )
    root = office.person("root", "admin")
    wanted = {row["ticket_id"]: row for row in items(root)}
    wanted[str(stale.id)]["gates"][0]["subject_hash"] = "0" * 64
    li.post(f"/tickets/{ended.id}/cancel", {"reason": "x"})
    with transaction() as session:
        session.get_one(type(hidden), hidden.id).scope_id = north
    nobody = {"ticket_id": str(new_id()), "gates": wanted[str(first.id)]["gates"]}
    strange = {"ticket_id": str(first.id), "gates": [{"gate_id": str(new_id()), "subject_hash": "0" * 64}]}
    order = [*(wanted[str(it.id)] for it in (first, stale, hidden, own, ended)), nobody, strange, wanted[str(last.id)]]
    results = decide(fang, order)
    codes = [it["problem"]["code"] if it["problem"] else it["state"] for it in results]
    assert codes == [
        "ACTIVE",
        "stale-plan",
        "ACTIVE",
        "requester-may-not-approve",
        "ticket-ended",
        "not-found",
        "not-found",
        "ACTIVE",
    ]
    refused = results[1]["problem"]
    assert (refused["status"], refused["field"], results[1]["ok"]) == (409, "subject_hash", False)
    assert refused["cause"]["zh"]
    assert refused["remedy"]["zh"]
    assert signatures() == 3


def test_a_ticket_of_another_cluster_is_not_there(office: Office, li: Somebody, fang: Somebody) -> None:
    office.ticket(li, scope=office.api.cluster("north"))
    wanted = items(fang)
    south = office.person("south", "approver", cluster_id=office.api.cluster("south"))
    (result,) = decide(south, wanted)
    assert (result["ok"], result["problem"]["status"], result["state"]) == (False, 404, None)
    assert signatures() == 0


def test_to_repeat_it_is_harmless(office: Office, li: Somebody, fang: Somebody) -> None:
    office.ticket(li, "a")
    office.ticket(li, "b", flow="toy-two-people")  # its gate stays open
    wanted = items(fang)
    decide(fang, wanted)
    again = decide(fang, wanted)
    assert [it["ok"] for it in again] == [True, True]
    assert all("already" in it["note"]["en"] for it in again)
    assert (signatures(), decided_events()) == (2, 2)
    office.desk.work()
    late = decide(fang, wanted)
    assert [it["ok"] for it in late] == [True, True], "also when the step has run meanwhile"
    assert (signatures(), decided_events()) == (2, 2)


def test_a_repeated_rejection_finds_the_ticket_ended_by_itself(office: Office, li: Somebody, fang: Somebody) -> None:
    office.ticket(li)
    wanted = items(fang)
    first, again = (decide(fang, wanted, "reject", "wrong list")[0] for _ in range(2))
    assert (first["state"], again["state"], again["ok"]) == ("REJECTED", "REJECTED", True)
    assert "Rejected by you already" in again["note"]["en"]
    (other,) = decide(fang, wanted, "approve")
    assert (other["ok"], other["problem"]["code"]) == (False, "ticket-ended")


def test_pressed_twice_at_the_same_moment_it_is_recorded_once(office: Office, li: Somebody, fang: Somebody) -> None:
    for i in range(4):
        office.ticket(li, f"n{i}")
    wanted = items(fang)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: decide(fang, wanted), range(4)))
    assert all(it["ok"] for answer in answers for it in answer)
    assert (signatures(), decided_events()) == (4, 4)


def test_a_rejection_needs_words(office: Office, li: Somebody, fang: Somebody) -> None:
    office.ticket(li)
    (result,) = decide(fang, items(fang), "reject", "  ")
    assert (result["ok"], result["problem"]["code"], result["problem"]["field"]) == (False, "comment-needed", "comment")
    assert signatures() == 0


def test_gates_of_one_ticket_go_together_or_not_at_all(office: Office, li: Somebody, fang: Somebody) -> None:
    office.ticket(li)
    decide(fang, items(fang))
    office.desk.work()
    (pair,) = items(fang)
    assert len(pair["gates"]) == 2
    broken = {**pair, "gates": [pair["gates"][0], {**pair["gates"][1], "subject_hash": "0" * 64}]}
    assert decide(fang, [broken])[0]["problem"]["code"] == "stale-plan"
    assert signatures() == 1
    assert decide(fang, [{**pair, "gates": pair["gates"][:1]}])[0]["ok"]
    (both,) = decide(fang, [pair])
    assert both["ok"], "the one that was signed is left alone, the other is signed now"
    assert signatures() == 3


def test_who_stands_in_signs_for_whom_he_stands_in(office: Office, li: Somebody, fang: Somebody) -> None:
    office.ticket(li)
    stand_in = office.person("stand in", "viewer")
    office.delegate(fang, stand_in)
    (result,) = decide(stand_in, items(stand_in))
    assert result["ok"]
    with transaction() as session:
        (row,) = session.query(Approval).all()
    assert (row.approver_id, row.acting_for_id) == (stand_in.id, fang.id)


def test_a_bug_in_one_ticket_spoils_no_other(
    office: Office, li: Somebody, fang: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, fine = office.ticket(li, "a"), office.ticket(li, "b")
    real = commands.decide

    def decide_or_break(session: Any, ticket_id: Any, *rest: Any) -> Any:
        ticket = real(session, ticket_id, *rest)
        return 1 / 0 if ticket_id == broken.id else ticket

    monkeypatch.setattr(commands, "decide", decide_or_break)
    results = decide(fang, items(fang))
    assert [(it["ok"], it["problem"] and it["problem"]["code"]) for it in results] == [
        (False, "internal-error"),
        (True, None),
    ]
    with transaction() as session:
        assert [row.gate_id for row in session.query(Approval)], "the fine one is signed"
    assert fang.tab() == [broken.number]
    assert fine.number not in fang.tab()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"items": [], "decision": "approve"}, "items"),
        ({"items": [{"ticket_id": "x", "gates": []}], "decision": "approve"}, "items.0.ticket_id"),
        ({"items": [{"ticket_id": str(new_id()), "gates": []}], "decision": "approve"}, "items.0.gates"),
        ({"items": [{"ticket_id": str(new_id()), "gates": [{"gate_id": str(new_id()), "subject_hash": "a"}]}]}, None),
    ],
)
def test_a_malformed_decision_is_refused_at_its_field(fang: Somebody, body: dict[str, Any], field: str | None) -> None:
    answer = fang.client.post(f"{V1}/decisions", json=body)
    assert answer.status_code == 422
    assert field is None or answer.json()["field"] == field


def test_at_most_a_hundred_tickets_at_a_time(fang: Somebody) -> None:
    gates = [{"gate_id": str(new_id()), "subject_hash": "0" * 64}]
    body = {"items": [{"ticket_id": str(new_id()), "gates": gates}] * 101, "decision": "approve"}
    assert fang.client.post(f"{V1}/decisions", json=body).json()["field"] == "items"


def test_every_approval_is_listed_with_names_also_what_was_taken_back(
    office: Office, li: Somebody, fang: Somebody
) -> None:
    ticket = office.ticket(li, flow="toy-two-people")
    stand_in = office.person("stand in", "viewer")
    office.delegate(office.person("boss", "approver"), stand_in)
    (mine,) = items(fang)
    decide(fang, [mine])
    fang.client.delete(f"{V1}/tickets/{ticket.id}/gates/{mine['gates'][0]['gate_id']}/approval")
    decide(stand_in, items(stand_in))
    rows = li.get(f"/tickets/{ticket.id}/approvals")
    assert [(row["approver_name"], row["acting_for_name"], row["step"], row["phase"]) for row in rows] == [
        ("fang", None, "configure", "PRE"),
        ("stand in", "boss", "configure", "PRE"),
    ]
    assert [row["revoked_at"] is None for row in rows] == [False, True]
    assert rows[0]["step_title"] == {"zh": "c", "en": "c"}
