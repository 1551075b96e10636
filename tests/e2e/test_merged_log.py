"""The log of all nodes of a step, clicked: what is not loaded is found as well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Visit
from tests.e2e.log_desk import ERROR, LINES, address, row, say, waiting
from tests.e2e.visitor import Visitor
from tests.story.people import Person
from tests.story.stack import Stack


@pytest.fixture(scope="module")
def ticket(people: dict[str, Person], cluster: dict[str, Any], stack: Stack) -> Iterator[dict[str, Any]]:
    """One of whose nodes has said a lot, and another a little behind it; nobody says more."""
    with waiting(people["requester"], cluster, "free-001") as made:
        say(stack, made, "long", LINES, close=True)
        say(stack, made, "short", 3, close=True)
        yield made


@pytest.fixture
def visitor(visit: Visit, ticket: dict[str, Any]) -> Visitor:
    """Somebody who looks at the log of all nodes, from its beginning."""
    visitor = visit(language="en")
    visitor.sign_in("viewer", path=address(ticket, step="configure"))
    expect(visitor.page.locator(".log-node").first).to_be_visible()
    return visitor


def test_a_search_over_all_nodes_finds_what_was_not_loaded(visitor: Visitor) -> None:
    page = visitor.page
    far, near = LINES - 1234, LINES // 4
    counter = page.get_by_test_id("log-counter")
    for n in (far, near, far):
        page.get_by_label("Search the log").fill(f"task {n} checked")
        expect(counter).to_have_text("None here yet: Enter searches on")
        page.get_by_label("Search the log").press("Enter")
        expect(page.locator(".log-line[data-current] mark")).to_have_text(f"task {n} checked")
        expect(page.locator(".log-line[data-current]")).to_have_attribute("data-n", str(n))
        expect(page.locator(".log-line[data-current]")).to_be_in_viewport()
    visitor.check_accessible()
    visitor.picture("log-merged-search")
    page.get_by_label("Search the log").fill("never said")
    page.get_by_label("Search the log").press("Enter")
    expect(counter).to_have_text("No match")
    expect(page.locator(".log-line").first).to_be_visible()


def test_the_first_error_of_all_nodes_is_found_though_it_was_not_loaded(visitor: Visitor) -> None:
    page = visitor.page
    searches: list[str] = []
    page.on("request", lambda request: searches.append(request.url) if "level=" in request.url else None)
    page.keyboard.press("n")  # nothing is looked for yet, so this is no search
    page.get_by_role("combobox", name="Level").click()
    page.get_by_title("Errors only").click()
    page.get_by_role("button", name="Search further").click()
    expect(row(page, ERROR)).to_contain_text("ERROR")
    expect(row(page, ERROR)).to_be_in_viewport()
    assert searches
    assert all("level=error" in url for url in searches), searches
    visitor.check_accessible()
