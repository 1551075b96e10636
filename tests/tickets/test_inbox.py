"""The inbox: exactly what waits for one person, whoever he is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from autorke.core.db import transaction
from autorke.workflow.models import Delegation, Gate
from tests.api import V1, counted
from tests.tickets.office import Office, Somebody
from tests.workflow.toy import WORLD, fail

BUDGETS: dict[str, int] = json.loads((Path(__file__).parents[1] / "query_counts.json").read_text())
EMPTY = {"approve": 0, "mine": 0, "failed": 0, "running": 0, "watching": 0, "done": 0}


@pytest.fixture
def li(office: Office) -> Somebody:
    """Asks."""
    return office.person("li", "requester")


@pytest.fixture
def fang(office: Office) -> Somebody:
    """Signs."""
    return office.person("fang", "approver")


def sign(who: Somebody, row: dict[str, Any], status: int = 200, **more: Any) -> Any:
    gates = [{key: gate[key] for key in ("gate_id", "subject_hash")} for gate in row["gates"] if gate["may_sign"]]
    return who.post(
        f"/tickets/{row['ticket']['id']}/decisions", {"gates": gates, "decision": "approve", **more}, status
    )


def both(who: Somebody) -> int:
    """What the tab says and what the number says, which are one."""
    shown, number = len(who.tab()), who.get("/inbox/counts")["approve"]
    assert shown == number
    return int(number)


def test_a_row_says_what_the_ticket_is_and_what_it_waits_for(office: Office, li: Somebody, fang: Somebody) -> None:
    north = office.api.cluster("north")
    ticket = office.ticket(li, "a", "b", scope=north)
    (row,) = fang.get("/inbox")["items"]
    shown = row["ticket"]
    assert (shown["number"], shown["requester_name"], shown["cluster_name"]) == (ticket.number, "li", "north")
    assert (shown["targets"], shown["step_key"], shown["flow_title"]["zh"]) == (2, "configure", "toy")
    assert shown["risk"] == "medium"
    assert shown["progress"] == {
        "done": 0,
        "failed": 0,
        "total": 4,
    }  # configure 1, change 2, close 1; notice is skipped
    assert shown["waiting"]["code"] == "pre_gate"
    assert "c" in shown["waiting"]["zh"]
    (gate,) = row["gates"]
    assert (gate["step"], gate["phase"], gate["quorum"], gate["approvals_n"]) == ("configure", "PRE", 1, 0)
    assert (gate["may_sign"], gate["reason"], gate["acting_for"]) == (True, None, None)
    assert fang.get("/tickets", filter="requester_name:eq:li", sort="-updated_at")["items"] == [shown]
    assert fang.get("/tickets", filter="cluster_name:eq:south")["items"] == []


def test_what_is_signed_leaves_the_inbox_and_the_next_gate_comes(office: Office, li: Somebody, fang: Somebody) -> None:
    office.ticket(li)
    assert both(fang) == 1
    sign(fang, fang.get("/inbox")["items"][0])
    assert both(fang) == 0
    office.desk.work()
    (row,) = fang.get("/inbox")["items"]
    assert [(gate["step"], gate["phase"]) for gate in row["gates"]] == [("configure", "POST"), ("change", "PRE")]
    assert row["ticket"]["waiting"]["code"] == "post_gate"
    sign(fang, row)
    office.desk.work()
    assert fang.get("/inbox")["items"][0]["ticket"]["progress"] == {"done": 4, "failed": 0, "total": 5}


def test_four_eyes_roles_and_scope_decide_who_sees_a_gate(office: Office, li: Somebody, fang: Somebody) -> None:
    north, south = office.api.cluster("north"), office.api.cluster("south")
    office.ticket(li, scope=north)
    office.ticket(fang, "d", scope=north)
    here = office.person("here", "approver", cluster_id=north)
    there = office.person("there", "approver", cluster_id=south)
    root = office.person("root", "admin")
    assert [both(who) for who in (li, fang, here, there, root)] == [0, 1, 2, 0, 2]
    for role in ("viewer", "requester", "network-admin", "auditor"):
        assert both(office.person(role, role)) == 0  # type: ignore[arg-type]


def test_a_gate_goes_to_who_holds_what_it_asks_for(office: Office, li: Somebody, fang: Somebody) -> None:
    office.ticket(li, flow="toy-network")
    net = office.person("net", "network-admin")
    assert (both(fang), both(net)) == (0, 1)
    sign(net, net.get("/inbox")["items"][0])
    office.desk.work()
    (row,) = net.get("/inbox")["items"]
    signs = {(gate["step"], gate["phase"]): gate["may_sign"] for gate in row["gates"]}
    assert signs == {("configure", "POST"): True, ("change", "PRE"): False}
    (refused,) = [gate["reason"] for gate in row["gates"] if not gate["may_sign"]]
    assert "ticket:approve" in refused["en"]
    assert both(fang) == 1, "the next step's gate is his"


def test_a_quorum_of_two_stays_with_the_second_person(office: Office, li: Somebody, fang: Somebody) -> None:
    office.ticket(li, flow="toy-two-people")
    second = office.person("second", "approver")
    sign(fang, fang.get("/inbox")["items"][0])
    assert (both(fang), both(second)) == (0, 1)
    (gate,) = second.get("/inbox")["items"][0]["gates"]
    assert (gate["quorum"], gate["approvals_n"]) == (2, 1)
    fang.client.delete(
        f"{V1}/tickets/{second.get('/inbox')['items'][0]['ticket']['id']}/gates/{gate['gate_id']}/approval"
    )
    assert both(fang) == 1, "an approval that was taken back is to be given again"


def test_who_stands_in_sees_and_signs_what_the_other_could(office: Office, li: Somebody, fang: Somebody) -> None:
    north, south = office.api.cluster("north"), office.api.cluster("south")
    ticket = office.ticket(li, scope=north)
    office.ticket(li, "d", scope=south)
    taker = office.person("taker", "viewer", cluster_id=north)
    assert both(taker) == 0
    office.delegate(fang, taker, scope=south)
    assert both(taker) == 0, "on a cluster that he cannot see"
    office.delegate(fang, taker)
    (row,) = taker.get("/inbox")["items"]
    assert (row["ticket"]["number"], row["gates"][0]["acting_for"]) == (ticket.number, str(fang.id))
    detail = sign(taker, row)
    (said,) = detail["steps"][0]["gates"][0]["approvals"]
    assert (said["approver_id"], said["acting_for_id"]) == (str(taker.id), str(fang.id))
    assert both(taker) == 0


def test_a_delegation_gives_nothing_that_its_giver_could_not_sign(office: Office, li: Somebody, fang: Somebody) -> None:
    office.ticket(li)
    given_by_requester, over, from_viewer = (office.person(name, "viewer") for name in ("one", "two", "three"))
    office.delegate(li, given_by_requester)
    ended = office.delegate(fang, over)
    with transaction() as session:
        row = session.get_one(Delegation, ended)
        row.valid_to = row.valid_from
    office.delegate(office.person("nobody", "viewer"), from_viewer)
    assert [both(who) for who in (given_by_requester, over, from_viewer)] == [0, 0, 0]
    office.delegate(fang, li)
    assert both(li) == 0, "the requester signs for nobody"


def test_what_has_expired_waits_for_nobody(office: Office, li: Somebody, fang: Somebody) -> None:
    office.ticket(li)
    with transaction() as session:
        session.execute(text("update gate set expires_at = clock_timestamp() - interval '1 s'"))
    assert both(fang) == 0


def test_a_token_that_may_only_read_has_nothing_to_sign_and_signs_nothing(office: Office, li: Somebody) -> None:
    office.ticket(li)
    owner = office.person("owner", "approver")
    narrow = Somebody(owner.id, office.bearer(office.api.token(owner.id, scopes=["ticket:read"])))
    assert (both(owner), both(narrow)) == (1, 0)
    refused = sign(narrow, owner.get("/inbox")["items"][0], status=403)
    assert refused["code"] == "not-eligible"
    (row,) = owner.get("/inbox")["items"]
    sign(owner, row)
    revoked = narrow.client.delete(f"{V1}/tickets/{row['ticket']['id']}/gates/{row['gates'][0]['gate_id']}/approval")
    assert (revoked.status_code, revoked.json()["code"]) == (403, "not-eligible"), "nor does it take one back"


def test_the_longest_waiting_comes_first_page_by_page(office: Office, li: Somebody, fang: Somebody) -> None:
    numbers = [office.ticket(li, f"n{i}").number for i in range(5)]
    with transaction() as session:
        gates = session.query(Gate).order_by(Gate.opened_at.desc()).all()
        for gate, earlier in zip(gates, (40, 10, 30, 20, 50), strict=True):
            gate.opened_at = gates[0].opened_at.replace(year=2020, minute=0, second=earlier)
    expected = [numbers[4 - place] for place in (1, 3, 2, 0, 4)]
    seen: list[int] = []
    cursor = None
    for _ in range(4):
        found = fang.get("/inbox", limit=2, total=True, **({"cursor": cursor} if cursor else {}))
        seen += [row["ticket"]["number"] for row in found["items"]]
        assert found["total"] == 5
        cursor = found["next"]
        if cursor is None:
            break
    assert seen == expected
    assert [row["ticket"]["number"] for row in fang.get("/inbox", sort="-number")["items"]] == numbers[::-1]


def test_the_other_tabs(office: Office, li: Somebody, fang: Somebody) -> None:
    running = office.ticket(li, "a")
    WORLD.behave["change:b"] = fail
    broken = office.ticket(li, "b", policy="express")
    sign(fang, next(row for row in fang.get("/inbox")["items"] if row["ticket"]["id"] == str(broken.id)))
    office.desk.work()
    over = office.ticket(li, "c")
    fang.post(f"/tickets/{over.id}/cancel", {"reason": "no"})
    stranger = office.person("stranger", "viewer")
    assert li.tab("mine") == [broken.number, running.number]
    assert (li.tab("failed"), fang.tab("failed"), stranger.tab("failed")) == ([broken.number], [broken.number], [])
    assert (li.tab("running"), stranger.tab("running")) == ([running.number], [running.number])
    assert (li.tab("done"), fang.tab("done")) == ([over.number], [])
    (row,) = li.get("/inbox", tab="failed")["items"]
    assert (row["ticket"]["waiting"]["code"], row["ticket"]["progress"]["failed"]) == ("failed", 1)
    assert li.get("/inbox/counts") == {**EMPTY, "mine": 2, "failed": 1, "running": 1, "done": 1}
    assert stranger.get("/inbox/counts") == {**EMPTY, "running": 1}
    elsewhere = office.person("elsewhere", "approver", cluster_id=office.api.cluster("south"))
    with transaction() as session:
        session.execute(text("update ticket set scope_id = :id"), {"id": office.api.cluster("north")})
    assert elsewhere.get("/inbox/counts") == EMPTY


def test_what_a_person_rejected_is_among_his_ended_ones(office: Office, li: Somebody, fang: Somebody) -> None:
    office.ticket(li)
    sign(fang, fang.get("/inbox")["items"][0], decision="reject", comment="wrong list")
    assert fang.get("/inbox/counts") == {**EMPTY, "done": 1}


def test_an_unknown_tab_is_refused(office: Office, li: Somebody) -> None:
    answer = li.client.get(f"{V1}/inbox", params={"tab": "everything"})
    assert (answer.status_code, answer.json()["field"]) == (422, "tab")


@pytest.mark.parametrize("scope", ["tickets.list", "inbox.approve", "inbox.failed", "inbox.counts"])
def test_lists_cost_the_same_however_many_there_are(
    office: Office, li: Somebody, fang: Somebody, engine: Engine, scope: str
) -> None:
    path = {"tickets.list": "/tickets?limit=100", "inbox.counts": "/inbox/counts"}.get(scope, f"/inbox?tab={scope[6:]}")
    for i in range(3):
        office.ticket(li, f"n{i}", f"m{i}")
    office.ticket(li, "n0")  # waits for the lock of another
    WORLD.behave["change:bad"] = fail
    office.ticket(li, "bad", policy="express")
    sign(fang, fang.get("/inbox", sort="-number")["items"][0])
    office.desk.work()
    office.desk.submit(nodes=["late"])  # waits for a worker
    with counted(engine) as seen:
        fang.get(path)
    assert len(seen) <= BUDGETS[scope], "\n".join(seen)
