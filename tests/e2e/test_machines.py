"""The machine page, clicked: filters in the address, choices, views, the drawer, what may not be done and why."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from autorke.sim.process import SimHandle
from tests.e2e.conftest import Visit
from tests.story.people import Person

pytestmark = pytest.mark.usefixtures("cluster")


@pytest.mark.parametrize(("language", "theme", "width"), [("zh-CN", "light", 1280), ("en", "dark", 1920)])
def test_the_fleet_in_both_languages_and_themes(
    visit: Visit, people: dict[str, Person], language: str, theme: str, width: int
) -> None:
    visitor = visit(language=language, theme=theme, width=width)
    visitor.sign_in("requester", path="/machines")
    grid = visitor.page.get_by_role("grid")
    expect(grid.get_by_role("row", name=re.compile("free-001"))).to_be_visible()
    visitor.check_accessible()
    visitor.picture(f"machines-{language}-{theme}")


def test_filters_choices_and_views_can_be_shared(visit: Visit, people: dict[str, Person]) -> None:
    visitor = visit(language="en")
    page = visitor.page
    visitor.sign_in("requester", path="/machines")
    page.get_by_role("button", name=re.compile("^free")).first.click()
    expect(page).to_have_url(re.compile("state"))
    grid = page.get_by_role("grid")
    expect(grid.get_by_role("row", name=re.compile("alpha-m001"))).to_have_count(0)
    expect(grid.get_by_role("row", name=re.compile("free-001"))).to_be_visible()

    grid.get_by_role("row", name=re.compile("free-001")).get_by_role("checkbox").check()
    bulk = page.get_by_role("region", name="Operations on the chosen machines")
    expect(bulk.get_by_text("1 chosen")).to_be_visible()
    expect(bulk.get_by_role("button", name="Add to cluster")).not_to_have_attribute("aria-disabled", "true")
    remove = bulk.get_by_role("button", name="Remove")
    expect(remove).to_have_attribute("aria-disabled", "true")
    bulk.get_by_role("button", name=re.compile("Choose all")).click()
    expect(bulk.get_by_text(re.compile(r"^([2-9]|\d\d+) chosen"))).to_be_visible()
    visitor.check_accessible()

    page.get_by_role("button", name="Views", exact=True).click()
    page.get_by_label("Name of the view").fill("Free machines")
    page.get_by_role("button", name="Keep what is shown").click()
    kept = page.get_by_role("button", name="Free machines", exact=True)
    expect(kept).to_be_visible()
    visitor.go("/machines")
    expect(grid.get_by_role("row", name=re.compile("alpha-m001"))).to_be_visible()
    page.get_by_role("button", name="Views", exact=True).click()
    kept.click()
    expect(grid.get_by_role("row", name=re.compile("alpha-m001"))).to_have_count(0)


def test_a_row_opens_in_a_drawer_that_has_an_address(visit: Visit, people: dict[str, Person], sim: SimHandle) -> None:
    visitor = visit(language="en")
    page = visitor.page
    visitor.sign_in("viewer", path="/machines")
    page.get_by_role("grid").get_by_text("alpha-w001", exact=True).click()
    drawer = page.get_by_role("dialog", name="alpha-w001")
    expect(drawer.get_by_text("Serial number")).to_be_visible()
    expect(page).to_have_url(re.compile("machine="))
    visitor.check_accessible()
    for tab in ("Kubernetes", "Tickets", "CMDB diff", "History"):
        drawer.get_by_role("tab", name=re.compile(tab)).click()
        expect(drawer.get_by_role("tabpanel")).to_be_visible()
    page.reload()
    expect(drawer).to_be_visible()


def test_a_pasted_list_says_what_was_not_found(visit: Visit, people: dict[str, Person]) -> None:
    visitor = visit(language="en")
    page = visitor.page
    visitor.sign_in("requester", path="/machines")
    page.get_by_role("button", name="Paste a list").click()
    dialog = page.get_by_role("dialog", name="Find machines by a list")
    dialog.get_by_role("textbox").fill("free-001\nfree-002, nowhere\nfree-001")
    dialog.get_by_role("button", name=re.compile("^Find")).click()
    expect(dialog.get_by_text("2 machines found")).to_be_visible()
    expect(dialog.get_by_text("1 not found")).to_be_visible()
    expect(dialog.get_by_text("1 pasted twice")).to_be_visible()
    visitor.check_accessible()
    dialog.get_by_role("button", name="Choose these 2").click()
    expect(page.get_by_text("2 chosen")).to_be_visible()


def test_hostile_data_is_text(visit: Visit, people: dict[str, Person], admin: Person) -> None:
    """Script, right-to-left text and very long words come from a CMDB: they are shown, never run."""
    hostile: dict[str, Any] = {
        "hostname": "hostile-1", "address": "127.99.0.1", "sn": "HOSTILE1",
        "purpose": "<img src=x onerror=alert(1)>", "owner": "مرحبا " + "x" * 240,
    }  # fmt: skip
    made = admin.post("/machines", hostile)
    try:
        visitor = visit(language="en")
        page = visitor.page
        page.on("dialog", lambda dialog: visitor.troubles.append(f"a script ran: {dialog.message}"))
        visitor.sign_in("viewer", path=f"/machines?machine={made['id']}")
        drawer = page.get_by_role("dialog", name="hostile-1")
        expect(drawer.get_by_text("<img src=x onerror=alert(1)>")).to_be_visible()
    finally:
        admin.post(f"/machines/{made['id']}/state", {"state": "retired", "reason": "made by a test"})
