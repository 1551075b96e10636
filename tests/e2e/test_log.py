"""The log of a ticket, clicked: long ones open at once, are searched and followed, and no line hides."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Visit
from tests.e2e.log_desk import ERROR, LINES, address, row, say, waiting
from tests.story.people import Person
from tests.story.stack import Stack


@pytest.fixture(scope="module")
def ticket(people: dict[str, Person], cluster: dict[str, Any], stack: Stack) -> Iterator[dict[str, Any]]:
    """One of whose nodes has said a lot."""
    with waiting(people["requester"], cluster, "free-001") as made:
        say(stack, made, "long", LINES, close=True)
        yield made


def test_a_long_log_opens_at_once_and_is_searched(
    visit: Visit, people: dict[str, Person], ticket: dict[str, Any]
) -> None:
    visitor = visit(language="en")
    page = visitor.page
    visitor.sign_in("viewer", path=f"/tickets/{ticket['number']}?tab=activity")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/lines?" in request.url else None)
    begun = time.monotonic()
    page.goto(visitor.url + address(ticket, step="configure", node="long"))
    expect(row(page, 1)).to_contain_text("task 1 checked")
    opened = time.monotonic() - begun
    assert len(asked) <= 3, asked
    expect(page.get_by_text(re.compile(rf"^{LINES:,} lines"))).to_be_visible()
    visitor.check_accessible()

    begun = time.monotonic()
    page.get_by_role("button", name="First error", exact=True).click()
    expect(row(page, ERROR)).to_contain_text(f"<script>alert({ERROR})</script>")
    jumped = time.monotonic() - begun
    print(f"page with {LINES} lines opened in {opened:.2f} s, first error after {jumped:.3f} s")  # noqa: T201
    expect(row(page, ERROR)).to_contain_text("ERROR")
    expect(page).to_have_url(re.compile(rf"line={ERROR}"))
    visitor.picture("log-error")

    page.keyboard.press("/")
    expect(page.get_by_label("Search the log")).to_be_focused()
    page.keyboard.type("NEEDLE")
    counter = page.get_by_test_id("log-counter")
    expect(counter).to_have_text(re.compile(rf"^0/{LINES // 1000:,}$"))
    page.keyboard.press("Enter")
    after = ERROR // 1000 * 1000 + 1007 if ERROR % 1000 >= 7 else ERROR // 1000 * 1000 + 7
    expect(row(page, after).locator("mark")).to_have_text("needle")
    expect(counter).to_have_text(re.compile(rf"^{after // 1000 + 1:,}/"))
    page.keyboard.press("Escape")
    expect(page.get_by_label("Search the log")).not_to_be_focused()
    page.keyboard.press("N")
    expect(row(page, after - 1000).locator("mark")).to_be_visible()
    page.keyboard.press("G")
    expect(row(page, LINES)).to_contain_text("FAILED")
    page.keyboard.press("g")
    expect(row(page, 1)).to_be_visible()
    page.get_by_label("Search the log").fill("task 4321 checked")
    page.get_by_label("Search the log").press("Enter")  # before the search has even begun
    expect(row(page, 4321).locator("mark")).to_be_visible()
    visitor.check_accessible()
    assert len(asked) < 30, "the log was fetched, not windows of it"


def test_a_link_leads_to_its_line_and_levels_leave_the_rest_out(
    visit: Visit, people: dict[str, Person], ticket: dict[str, Any]
) -> None:
    visitor = visit(theme="dark", width=1920)
    page = visitor.page
    middle = LINES // 2
    visitor.sign_in("viewer", path=address(ticket, step="configure", node="long", attempt=1, line=middle))
    marked = page.locator(".log-line[data-current]")
    expect(marked).to_have_attribute("data-n", str(middle))
    expect(marked).to_contain_text(f"task {middle} checked")
    page.get_by_role("combobox", name="级别").click()
    page.get_by_title("仅错误").click()
    expect(page.locator(".log-line")).to_have_count(2)
    expect(row(page, LINES)).to_contain_text("错误")
    visitor.check_accessible()
    visitor.picture("log-level")
    with page.expect_download() as download:
        page.get_by_role("link", name="下载日志").click()
    text = download.value.path().read_text()
    assert text.count("\n") == LINES
    assert f"task {middle} checked" in text.splitlines()[middle - 1]


def test_new_lines_come_by_themselves_and_wait_for_who_reads_elsewhere(
    visit: Visit, people: dict[str, Person], ticket: dict[str, Any], stack: Stack
) -> None:
    say(stack, ticket, "live", 3000)
    visitor = visit(language="en")
    page = visitor.page
    visitor.sign_in("viewer", path=address(ticket, step="configure", node="live"))
    expect(row(page, 3000)).to_be_visible()
    expect(page.get_by_role("checkbox", name="Follow")).to_be_checked()
    expect(page.get_by_test_id("connection")).to_have_text("Live")
    say(stack, ticket, "live", 700)
    expect(row(page, 3700)).to_contain_text("FAILED")
    page.get_by_role("group", name="Lines of the log").focus()
    page.keyboard.press("g")
    expect(row(page, 1)).to_be_visible()
    say(stack, ticket, "live", 50)
    fresh = page.get_by_test_id("new-lines")
    expect(fresh).to_contain_text("50 new lines")
    expect(row(page, 1)).to_be_visible()
    fresh.click()
    expect(row(page, 3750)).to_contain_text("FAILED")
    expect(page.locator(".log-line").filter(has_text="loading")).to_have_count(0)


def test_all_nodes_by_time_and_from_there_to_one(
    visit: Visit, people: dict[str, Person], ticket: dict[str, Any]
) -> None:
    visitor = visit(language="en")
    page = visitor.page
    visitor.sign_in("viewer", path=address(ticket, step="configure"))
    expect(page.locator(".log-node").first).to_be_visible()
    visitor.check_accessible()
    visitor.picture("log-merged")
    page.get_by_role("button", name="First error", exact=True).click()
    expect(page).to_have_url(re.compile(r"node=l"))
    expect(page.locator(".log-line[data-current]")).to_contain_text("FAILED")
