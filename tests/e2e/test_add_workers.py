"""The add-workers wizard, clicked: a draft that survives, checks that name what is wrong, one submit."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, expect

from autorke.sim.process import SimHandle
from tests.e2e.conftest import Visit
from tests.e2e.deciding import LONG
from tests.e2e.desk import end_all
from tests.story.people import Person


def forward(page: Page) -> None:
    page.get_by_role("button", name="Next", exact=True).click()


def choose(page: Page, keys: str) -> None:
    page.get_by_label("Paste addresses, host names, serial numbers or networks").fill(keys)
    page.get_by_role("button", name="Find and add").click()


def test_from_nothing_to_a_ticket(visit: Visit, people: dict[str, Person], cluster: dict[str, Any]) -> None:
    visitor = visit(language="en")
    page = visitor.page
    visitor.sign_in("requester", path="/add-workers")
    expect(page.get_by_role("button", name="Next", exact=True)).to_have_attribute("aria-disabled", "true")
    page.get_by_role("radio", name=re.compile("alpha")).check()
    visitor.check_accessible()
    forward(page)

    choose(page, "free-003 nowhere")
    expect(page.get_by_text("1 not found")).to_be_visible()
    expect(page.get_by_text("Chosen: 1 of at most 200")).to_be_visible()
    visitor.check_accessible()
    page.reload()  # the draft outlives it
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    page.get_by_role("button", name="Add a label").click()
    page.get_by_label("Key of label 1").fill("-bad")
    expect(page.get_by_role("alert").filter(has_text="-bad")).to_be_visible()
    page.get_by_label("Key of label 1").fill("pool")
    page.get_by_label("Value of label 1").fill("batch")
    expect(page.get_by_role("alert")).to_have_count(0)
    visitor.check_accessible()
    forward(page)

    page.get_by_role("button", name="Run the checks").click()
    expect(page.get_by_text(re.compile("Nothing failed"))).to_be_visible(timeout=LONG)
    visitor.check_accessible()
    visitor.picture("wizard-checks")
    forward(page)

    expect(page.get_by_text("alpha: +1 worker")).to_be_visible()
    expect(page.get_by_role("heading", name="Steps and gates")).to_be_visible()
    visitor.check_accessible()
    visitor.picture("wizard-preview")
    page.get_by_role("button", name=re.compile("Submit the ticket")).click()
    expect(page).to_have_url(re.compile(r"/tickets/\d+"), timeout=LONG)
    end_all(people["requester"])


def test_checks_name_the_machine_and_the_remedy(
    visit: Visit, people: dict[str, Person], cluster: dict[str, Any], sim: SimHandle
) -> None:
    sim.break_("free-004", "ssh-refused")
    try:
        visitor = visit(language="en")
        page = visitor.page
        visitor.sign_in("requester", path=f"/add-workers?cluster={cluster['id']}")
        page.get_by_role("button", name="2. Machines").or_(page.get_by_role("button", name="Machines")).first.click()
        choose(page, "free-004")
        expect(page.get_by_text("Chosen: 1 of at most 200")).to_be_visible()
        forward(page)
        forward(page)
        page.get_by_role("button", name="Run the checks").click()
        failures = page.get_by_role("region", name=re.compile("Failed"))
        expect(failures.get_by_text("free-004", exact=True)).to_be_visible(timeout=LONG)
        visitor.check_accessible()
        sim.mend("free-004")
        page.get_by_role("button", name=re.compile("failed again")).click()
        expect(page.get_by_text(re.compile("Nothing failed"))).to_be_visible(timeout=LONG)
    finally:
        sim.mend("free-004")


def test_a_viewer_is_told_that_he_may_not(visit: Visit, people: dict[str, Person], cluster: dict[str, Any]) -> None:
    visitor = visit(language="en")
    visitor.sign_in("viewer", path=f"/add-workers?cluster={cluster['id']}")
    visitor.page.get_by_role("button", name="Machines").first.click()
    expect(visitor.page.get_by_role("button", name="Next", exact=True)).to_have_attribute("aria-disabled", "true")
