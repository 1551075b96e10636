"""Signing in, being signed out in the middle of something, and one's own account, by clicking."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Visit
from tests.story.people import PASSWORD, Person, until

LOOKS = [("zh-CN", "light", 1280), ("en", "dark", 1920)]
WORDS: dict[str, dict[str, Any]] = {
    "zh-CN": {"profile": "个人资料", "wrong": "登录 AutoRke", "name": "显示名", "save": "保存", "ended": "登录已过期"},
    "en": {"profile": "Profile", "wrong": "Sign in to AutoRke", "name": "Display name", "save": "Save",
           "ended": "Your session has ended"},
}  # fmt: skip


@pytest.mark.parametrize(("language", "theme", "width"), LOOKS)
def test_sign_in_in_both_languages_and_themes(
    visit: Visit, people: dict[str, Person], language: str, theme: str, width: int
) -> None:
    visitor = visit(language=language, theme=theme, width=width)
    words, page = WORDS[language], visitor.page
    visitor.go("/profile?tab=x")
    expect(page).to_have_url(re.compile(r"/login\?return_to="))
    expect(page.locator("html")).to_have_attribute("lang", language)
    visitor.check_accessible()
    visitor.picture(f"login-{language}-{theme}")
    visitor.fill_in("viewer", "not the password")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("heading", name=words["wrong"])).to_be_visible()
    visitor.fill_in(None, PASSWORD)
    expect(page.get_by_role("heading", name=words["profile"], level=1)).to_be_visible()
    expect(page).to_have_url(re.compile(r"/profile\?tab=x$"))
    visitor.check_accessible()
    visitor.picture(f"profile-{language}-{theme}")


def test_an_ended_session_loses_nothing_that_was_typed(visit: Visit, people: dict[str, Person]) -> None:
    visitor = visit()
    page = visitor.page
    visitor.sign_in("requester", path="/profile")
    name = page.get_by_label("显示名")
    name.fill("李 雷")
    visitor.context.clear_cookies(name="autorke_session")
    page.get_by_role("button", name="保存", exact=True).click()
    dialog = page.get_by_role("dialog", name="登录已过期")
    expect(dialog).to_be_visible()
    visitor.check_accessible()
    visitor.fill_in(None, PASSWORD)
    expect(dialog).to_be_hidden()
    expect(name).to_have_value("李 雷")
    page.get_by_role("button", name="保存", exact=True).click()
    expect(page.get_by_test_id("user-menu")).to_contain_text("李 雷")
    assert people["requester"].get("/me")["display_name"] == "李 雷"


def test_a_token_is_shown_once_and_can_be_revoked(visit: Visit, people: dict[str, Person]) -> None:
    visitor = visit(language="en")
    page = visitor.page
    visitor.sign_in("auditor", path="/profile/tokens")
    visitor.check_accessible()
    page.get_by_role("button", name="New token").click()
    page.get_by_label("Name", exact=True).fill("ci")
    visitor.check_accessible()
    page.get_by_role("dialog").get_by_role("button", name="New token").click()
    shown = page.get_by_test_id("token-text")
    expect(shown).to_have_text(re.compile(r"\S{20}"))
    secret = shown.inner_text()
    page.get_by_role("button", name="Done", exact=True).click()
    expect(shown).to_have_count(0)
    row = page.get_by_role("row", name=re.compile("ci"))
    expect(row).to_be_visible()
    assert secret not in page.content()
    row.get_by_role("button", name="Revoke the token ci").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke", exact=True).click()
    expect(row).to_be_hidden()


def test_language_and_theme_are_kept_and_sign_out_ends_it(visit: Visit, people: dict[str, Person]) -> None:
    visitor = visit()
    page = visitor.page
    visitor.sign_in("approver", path="/profile")
    page.get_by_role("button", name="语言").click()
    page.get_by_role("menuitem", name="English").click()
    expect(page.get_by_role("heading", name="Profile", level=1)).to_be_visible()
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("menuitem", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.get_by_role("heading", name="Profile", level=1)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    until(lambda: people["approver"].get("/me")["locale"] == "en", 60, "mails come in that language too")
    page.get_by_test_id("user-menu").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to AutoRke")).to_be_visible()
    visitor.page.goto(visitor.url + "/profile")
    expect(page).to_have_url(re.compile("/login"))


def test_by_keyboard_alone(visit: Visit, people: dict[str, Person]) -> None:
    """The first stop of Tab skips the navigation; the focus is always to be seen."""
    visitor = visit(language="en")
    page = visitor.page
    page.goto(visitor.url + "/login?return_to=%2Fprofile")
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type("viewer")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Profile", level=1)).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Profile", level=1)).to_be_visible()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the main content")
    expect(skip).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_what_is_not_there_says_so_in_the_frame(visit: Visit, people: dict[str, Person]) -> None:
    visitor = visit(language="en")
    visitor.sign_in("viewer", path="/profile")
    visitor.page.goto(visitor.url + "/no/such/page")
    expect(visitor.page.get_by_text("There is no such page")).to_be_visible()
