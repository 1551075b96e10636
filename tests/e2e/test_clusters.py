"""The cluster pages and the overview, clicked."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.conftest import Visit
from tests.story.people import Person

LOOKS = [("zh-CN", "light", 1280), ("en", "dark", 1920)]
TABS = 6
"""For somebody who may read the configuration."""


@pytest.mark.parametrize(("language", "theme", "width"), LOOKS)
def test_a_cluster_tab_by_tab(
    visit: Visit, people: dict[str, Person], cluster: dict[str, Any], language: str, theme: str, width: int
) -> None:
    visitor = visit(language=language, theme=theme, width=width)
    page = visitor.page
    visitor.sign_in("requester", path="/clusters")
    expect(page.get_by_role("link", name="alpha")).to_be_visible()
    visitor.check_accessible()
    page.get_by_role("link", name="alpha").click()
    expect(page.get_by_role("heading", name="alpha", level=1)).to_be_visible()
    visitor.check_accessible()
    visitor.picture(f"cluster-{language}-{theme}")
    tabs = page.get_by_role("tab")
    expect(tabs).to_have_count(TABS)
    for tab in tabs.all():
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
        expect(page.get_by_role("tabpanel").locator("> *").first).to_be_visible()
        visitor.check_accessible()


def test_the_picture_of_a_cluster_says_the_same_as_its_table(
    visit: Visit, people: dict[str, Person], cluster: dict[str, Any]
) -> None:
    nodes = len(people["viewer"].get(f"/clusters/{cluster['id']}/nodes?limit=200")["items"])  # tickets may have added
    visitor = visit(language="en")
    page = visitor.page
    visitor.sign_in("viewer", path=f"/clusters/{cluster['id']}?tab=topology")
    expect(page.get_by_role("group", name=f"Picture of {nodes} nodes")).to_be_visible()
    expect(page.get_by_text("alpha-m001")).to_be_visible()
    visitor.picture("topology")
    page.get_by_role("button", name="As a table").click()
    expect(page.get_by_role("cell", name="alpha-w002")).to_be_visible()
    visitor.check_accessible()


@pytest.mark.parametrize(("language", "theme", "width"), LOOKS)
def test_the_overview(
    visit: Visit, people: dict[str, Person], beta: dict[str, Any], language: str, theme: str, width: int
) -> None:
    """With two clusters, one below the other."""
    visitor = visit(language=language, theme=theme, width=width)
    visitor.sign_in("viewer", path="/overview")
    expect(visitor.page.locator("figure svg").first).to_be_visible()
    for name in ("alpha", "beta"):
        expect(visitor.page.get_by_role("link", name=name, exact=True)).to_be_visible()
    visitor.check_accessible()
    visitor.picture(f"overview-{language}-{theme}")


def test_the_overview_of_a_new_installation_says_where_to_begin(visit: Visit, people: dict[str, Person]) -> None:
    """Low, so that there is much to scroll and hardly anything to focus."""
    visitor = visit(language="en", height=400)

    def empty(route: Route) -> None:
        route.fulfill(json={**route.fetch().json(), "clusters": [], "versions": [], "cmdb": []})

    visitor.page.route("**/api/v1/overview?*", empty)
    visitor.sign_in("viewer", path="/overview")
    expect(visitor.page.get_by_text("No source yet")).to_be_visible()
    visitor.check_accessible()
    visitor.picture("overview-empty")
    visitor.page.get_by_role("link", name="Import a running one").click()
    expect(visitor.page.get_by_role("heading", name="Clusters", level=1)).to_be_visible()
