"""What is stuck, on every page and on its ticket's: told without a reload, repaired by a button, gone afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from autorke.core import db
from tests.e2e.conftest import Visit
from tests.e2e.desk import end_all
from tests.story.desk import hire
from tests.story.people import Person, until
from tests.story.stack import Stack

SOON = 180_000
"""Patience in ms: a process that has just begun does not judge for half a minute."""


@pytest.fixture(scope="module")
def boss(admin: Person, stack: Stack) -> Person:
    """An admin with the password that all people of these tests have."""
    return hire(admin, stack, "keeper", "admin")


def change(stack: Stack, statement: str, **values: Any) -> int:
    """What no button of the console does; how many rows it has changed."""
    engine = db.make_engine(stack.environ["AUTORKE_DATABASE_URL"])
    with engine.begin() as connection:
        changed = connection.execute(text(statement), values).rowcount
    engine.dispose()
    return changed


@pytest.fixture
def drained(stack: Stack) -> Iterator[None]:
    until(lambda: change(stack, "update runner set drain = true"), 120, "a worker host has said that it is there")
    yield
    change(stack, "update runner set drain = false")


def banner(page: Page, name: str = "Stuck") -> Any:
    return page.get_by_role("region", name=re.compile(f"^{name}"))


def test_drained_hosts_are_told_to_all_and_repaired_by_an_admin(
    visit: Visit, boss: Person, people: dict[str, Person], drained: None
) -> None:
    looks = visit()
    looks.sign_in("viewer", path="/machines")
    expect(banner(looks.page, "卡住")).to_contain_text("所有执行主机都已停止领取", timeout=SOON)
    expect(banner(looks.page, "卡住").get_by_role("button")).to_have_attribute("aria-disabled", "true")
    looks.check_accessible()
    looks.picture("stuck-viewer")

    mends = visit(language="en", theme="dark", width=1920)
    mends.sign_in("keeper", path="/machines")
    shown = banner(mends.page)
    expect(shown).to_contain_text("Every worker host is drained")
    mends.picture("stuck-banner")
    mends.check_accessible()
    shown.get_by_role("button", name="Let them claim again").click()
    dialog = mends.page.get_by_role("dialog", name="Let them claim again")
    dialog.get_by_label("Reason").fill("the maintenance is over")
    mends.check_accessible()
    mends.picture("stuck-repair")
    dialog.get_by_role("button", name="Let them claim again").click()
    expect(dialog).to_be_hidden()
    expect(shown).to_be_hidden()
    expect(banner(looks.page, "卡住")).to_be_hidden()
    entries = boss.get("/audit?filter=action:eq:stuck.repair")["items"]
    assert entries[0]["detail"]["reason"] == "the maintenance is over"


def test_a_ticket_says_why_it_is_stuck_where_it_says_what_it_waits_for(
    visit: Visit, boss: Person, people: dict[str, Person], cluster: dict[str, Any], stack: Stack
) -> None:
    asks = people["requester"]
    machine = asks.get("/machines?filter=hostname:eq:free-003")["items"][0]
    request = {"cluster_id": cluster["id"], "machines": [{"machine_id": machine["id"]}]}
    ticket = asks.post("/tickets", {"flow": "add_workers", "request": request})
    try:
        until(lambda: asks.open_gates(ticket["id"]), 180, "the first gate")
        visitor = visit(language="en")
        visitor.sign_in("requester", path=f"/tickets/{ticket['number']}")
        expect(visitor.page.locator(".rail-cause").first).to_contain_text("Waits for approval")
        change(stack, "update gate set opened_at = opened_at - interval '30 hours' where state = 'OPEN'")
        why = banner(visitor.page, "Why this ticket is stuck")
        expect(banner(visitor.page)).to_have_count(0)
        expect(why).to_contain_text('The gate of "Configure" has waited long', timeout=SOON)
        expect(visitor.page.locator(".rail-cause").first).to_contain_text("has waited long")
        visitor.check_accessible()
        visitor.picture("stuck-ticket")
        dark = visit(theme="dark", width=1920)
        dark.sign_in("approver", path=f"/tickets/{ticket['number']}")
        expect(banner(dark.page, "此工单卡住的原因")).to_contain_text("审核等待已久", timeout=SOON)
        dark.check_accessible()
        dark.picture("stuck-ticket-dark")
        dark.go("/inbox")
        expect(banner(dark.page, "卡住").get_by_role("link", name=f"打开工单 #{ticket['number']}")).to_be_visible()
        dark.check_accessible()
        dark.picture("stuck-inbox-dark")
    finally:
        end_all(asks)
    expect(banner(visitor.page, "Why this ticket is stuck")).to_be_hidden()
