"""The inbox, clicked: what waits for whom, decided together with one comment, and never by who asked for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Visit
from tests.e2e.deciding import LONG
from tests.e2e.desk import end_all
from tests.story.people import Person, until

Ticket = dict[str, Any]


def ask(person: Person, cluster: Ticket, name: str) -> Ticket:
    machine = person.get(f"/machines?filter=hostname:eq:{name}")["items"][0]
    request = {"cluster_id": cluster["id"], "machines": [{"machine_id": machine["id"]}]}
    made: Ticket = person.post("/tickets", {"flow": "add_workers", "request": request})
    return made


def numbered(ticket: Ticket) -> re.Pattern[str]:
    """Its number and no longer one that begins like it."""
    return re.compile(rf"#{ticket['number']}\b")


@pytest.fixture
def tickets(people: dict[str, Person], cluster: Ticket) -> Iterator[list[Ticket]]:
    """Two tickets: the first waits for its approval, the other for the cluster that the first one holds."""
    person = people["requester"]
    made = [ask(person, cluster, "free-001")]
    until(lambda: bool(person.open_gates(made[0]["id"])), 180, "the first gate")
    made.append(ask(person, cluster, "free-002"))
    yield made
    end_all(person)


@pytest.fixture
def ready(people: dict[str, Person], cluster: Ticket, beta: Ticket) -> Iterator[list[Ticket]]:
    """Two tickets on two clusters, each at its first gate."""
    person = people["requester"]
    made = [ask(person, cluster, "free-001"), ask(person, beta, "free-002")]
    until(lambda: all(person.open_gates(ticket["id"]) for ticket in made), 180, "both first gates")
    yield made
    end_all(person)


def test_several_tickets_are_approved_with_one_dialog(
    visit: Visit, people: dict[str, Person], ready: list[Ticket]
) -> None:
    visitor = visit(language="en", theme="dark")
    page = visitor.page
    visitor.sign_in("approver", path="/inbox")
    for ticket in ready:
        page.get_by_role("row", name=numbered(ticket)).get_by_role("checkbox").check()
    page.get_by_role("button", name=re.compile(r"^Approve")).click()
    dialog = page.get_by_role("dialog", name=re.compile("Approve"))
    for ticket in ready:
        expect(dialog).to_contain_text(f"#{ticket['number']}")
    page.get_by_test_id("inbox-comment").fill("both read")
    page.get_by_test_id("inbox-decide").click()
    expect(dialog.locator("[data-outcome=done]")).to_have_count(2)
    visitor.check_accessible()
    visitor.picture("inbox-bulk")
    for ticket in ready:
        found = people["approver"].get(f"/tickets/{ticket['id']}/approvals")
        assert [(one["decision"], one["comment"]) for one in found] == [("APPROVE", "both read")]


def test_keys_a_comment_and_four_eyes(visit: Visit, people: dict[str, Person], tickets: list[Ticket]) -> None:
    first = tickets[0]
    asking = visit(language="en", theme="dark", width=1920)
    asking.sign_in("requester", path="/inbox")
    expect(asking.page.get_by_text("Nothing waits for your approval")).to_be_visible()
    asking.page.get_by_role("tab", name=re.compile("I requested")).click()
    expect(asking.page.get_by_role("row", name=numbered(first))).to_be_visible()
    asking.check_accessible()
    asking.picture("inbox-mine")

    visitor = visit(language="en")
    page = visitor.page
    visitor.sign_in("approver", path="/inbox")
    row = page.get_by_role("row", name=numbered(first))
    expect(row).to_be_visible()
    expect(row).to_contain_text("before")
    visitor.check_accessible()
    visitor.picture("inbox-approve")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    visitor.check_accessible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)

    row.focus()
    page.keyboard.press("Space")
    expect(row.get_by_role("checkbox")).to_be_checked()
    page.keyboard.press("r")
    dialog = page.get_by_role("dialog", name=re.compile("Reject"))
    expect(dialog).to_contain_text(f"#{first['number']}")
    page.get_by_test_id("inbox-decide").click()
    expect(dialog.get_by_role("alert")).to_have_text("A rejection needs a reason")
    visitor.check_accessible()
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("a")
    dialog = page.get_by_role("dialog", name=re.compile("Approve"))
    expect(page.get_by_test_id("inbox-comment")).to_be_focused()
    page.keyboard.type("looked at it")
    visitor.picture("inbox-dialog")
    page.get_by_test_id("inbox-decide").click()
    expect(dialog.locator("[data-outcome=done]")).to_have_count(1)
    visitor.check_accessible()
    dialog.get_by_role("button", name="Done").last.click()
    approvals = people["approver"].get(f"/tickets/{first['id']}/approvals")
    assert [(one["decision"], one["comment"]) for one in approvals] == [("APPROVE", "looked at it")]


def test_the_result_of_each_is_told_in_the_dialog(
    visit: Visit, people: dict[str, Person], tickets: list[Ticket]
) -> None:
    visitor = visit()
    page = visitor.page
    first, second = (ticket["number"] for ticket in tickets)
    visitor.sign_in("approver", path="/inbox")
    expect(page.get_by_role("row", name=numbered(tickets[0]))).to_be_visible()
    page.get_by_role("checkbox", name="全选").check()
    page.get_by_role("button", name=re.compile(r"^驳回")).click()
    dialog = page.get_by_role("dialog")
    page.get_by_test_id("inbox-comment").fill("不在变更窗口")
    # Meanwhile it is taken back: the decision on it is refused, and the dialog says why.
    people["requester"].post(f"/tickets/{tickets[0]['id']}/cancel", {"reason": "changed my mind"})
    until(lambda: people["requester"].ticket(tickets[0]["id"])["ended_at"] is not None, 120, "the end")
    page.get_by_test_id("inbox-decide").click()
    expect(dialog.locator("[data-outcome=refused]")).to_contain_text(f"#{first}")
    visitor.check_accessible()
    visitor.picture("inbox-results")
    dialog.get_by_role("button", name="完成").last.click()
    # Now the other one has the cluster and waits for him: it appears by itself, and its rejection ends it.
    row = page.get_by_role("row", name=numbered(tickets[1]))
    expect(row).to_be_visible(timeout=LONG)
    expect(dialog).to_have_count(0)
    row.focus()
    expect(row).to_be_focused()
    page.keyboard.press("r")
    page.get_by_test_id("inbox-comment").fill("节点选错")
    page.get_by_test_id("inbox-decide").click()
    expect(dialog.locator("[data-outcome=done]")).to_contain_text(f"#{second}")
