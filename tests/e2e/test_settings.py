"""The settings, clicked by an admin; and what somebody else sees of them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Visit
from tests.story.desk import hire
from tests.story.people import Person

SECTIONS = ("users", "credentials", "cmdb", "gates", "engine", "audit")


@pytest.fixture(scope="module")
def boss(admin: Person, stack: Any) -> str:
    """An admin with the password that all people of these tests have."""
    hire(admin, stack, "boss", "admin")
    return "boss"


@pytest.mark.parametrize(("language", "theme", "width"), [("zh-CN", "light", 1280), ("en", "dark", 1920)])
def test_every_section(visit: Visit, boss: str, cluster: dict[str, Any], language: str, theme: str, width: int) -> None:
    visitor = visit(language=language, theme=theme, width=width)
    visitor.sign_in(boss, path="/settings")
    for section in SECTIONS:
        visitor.go(f"/settings/{section}")
        visitor.rest()
        expect(visitor.page.get_by_role("main").get_by_role("alert")).to_have_count(0)
        visitor.check_accessible()
        visitor.picture(f"settings-{section}-{language}-{theme}")


def test_a_new_person_gets_a_role_on_one_cluster(visit: Visit, boss: str, cluster: dict[str, Any]) -> None:
    visitor = visit(language="en")
    page = visitor.page
    visitor.sign_in(boss, path="/settings/users")
    page.get_by_role("button", name="New person").click()
    dialog = page.get_by_role("dialog", name="New person")
    dialog.get_by_label("User name").fill("han.meimei")
    dialog.get_by_label("Display name").fill("韩梅梅")
    dialog.get_by_label("First password").fill("a long pass phrase")
    visitor.check_accessible()
    dialog.get_by_role("button", name="New person").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("row", name=re.compile("han.meimei")).get_by_role("button", name="Roles").click()
    roles = page.get_by_role("dialog", name="Roles of 韩梅梅")
    roles.get_by_label("Role", exact=True).click()
    page.get_by_title("Approver", exact=True).click()
    roles.get_by_label("Where").click()
    page.get_by_title("alpha", exact=True).click()
    roles.get_by_role("button", name="Give").click()
    expect(roles.get_by_role("cell", name="alpha", exact=True)).to_be_visible()
    visitor.check_accessible()


def test_a_secret_goes_in_and_never_comes_out(visit: Visit, boss: str) -> None:
    visitor = visit(language="en")
    page = visitor.page
    visitor.sign_in(boss, path="/settings/credentials")
    page.get_by_role("button", name="New credential").click()
    dialog = page.get_by_role("dialog", name="New credential")
    dialog.get_by_label("Name", exact=True).fill("registry login")
    dialog.get_by_label("Kind").click()
    page.get_by_title("Token", exact=True).click()
    dialog.get_by_label("Token", exact=True).fill("s3cret-of-the-test")
    visitor.check_accessible()
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name=re.compile("registry login"))).to_be_visible()
    expect(dialog).to_have_count(0)
    assert "s3cret-of-the-test" not in page.content()


def test_the_mapping_of_a_cmdb_is_tried_before_it_is_kept(visit: Visit, boss: str, cluster: dict[str, Any]) -> None:
    visitor = visit(language="en")
    page = visitor.page
    visitor.sign_in(boss, path="/settings/cmdb")
    page.get_by_role("button", name="Configure").first.click()
    drawer = page.get_by_role("dialog", name="Configure")
    drawer.get_by_role("button", name="Test the connection and preview").click()
    expect(drawer.get_by_text(re.compile("The CMDB answers"))).to_be_visible()
    visitor.check_accessible()


def test_stop_all_shows_a_banner_to_everybody(
    visit: Visit, boss: str, people: dict[str, Person], admin: Person
) -> None:
    visitor = visit(language="en")
    page = visitor.page
    visitor.sign_in(boss, path="/settings/engine")
    page.get_by_label("Reason").fill("network maintenance")
    page.get_by_role("button", name="Stop everything").click()
    try:
        expect(page.get_by_text("Everything is stopped: no new step will start.")).to_be_visible()
        other = visit(language="en")
        other.sign_in("viewer", path="/machines")
        expect(other.page.get_by_text(re.compile("network maintenance"))).to_be_visible()
        other.check_accessible()
    finally:
        admin.call("PUT", "/engine", json={"halted": False, "reason": "the test is over"})


def test_whoever_may_read_nothing_of_it_sees_no_settings(visit: Visit, people: dict[str, Person]) -> None:
    visitor = visit(language="en")
    visitor.sign_in("viewer", path="/machines")
    expect(visitor.page.get_by_role("navigation").get_by_role("link", name="Settings")).to_have_count(0)
