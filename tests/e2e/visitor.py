"""Somebody at a browser: signs in, walks through pages, and notices what a person would not."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, expect

from tests.story.people import PASSWORD

AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# A refusal that the test provokes is told by the browser as well; what the page makes of it is what counts.
EXPECTED = "Failed to load resource"
PATIENCE = 60_000.0
"""In ms, with whatever a page does; a machine that is busy with something else is slow, and no finding."""
AT_REST = """() => !document.querySelector('.ant-spin-spinning, [aria-busy="true"]')
  && document.getAnimations().every((one) => one.playState !== 'running'
    || one.effect.getComputedTiming().endTime === Infinity)"""

expect.set_options(timeout=PATIENCE)

TEXTS = {
    "zh-CN": {"name": "用户名", "password": "密码", "sign in": "登录"},
    "en": {"name": "User name", "password": "Password", "sign in": "Sign in"},
}


@dataclass
class Visitor:
    """One browser context. `troubles` must be empty at the end of a test."""

    context: BrowserContext
    page: Page
    url: str
    language: str
    troubles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.set_default_timeout(PATIENCE)
        self.page.on("pageerror", lambda error: self.troubles.append(f"page error: {error}"))
        self.page.on("console", self._listen)

    def _listen(self, message: Any) -> None:
        if message.type in ("error", "warning") and EXPECTED not in message.text:
            self.troubles.append(f"{message.type}: {message.text}")

    def go(self, path: str) -> None:
        """Open a path of the console and wait until its page is there."""
        self.page.goto(self.url + path)
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()

    def fill_in(self, name: str | None, password: str) -> None:
        """The sign-in form, wherever it is."""
        texts = TEXTS[self.language]
        if name is not None:
            self.page.get_by_label(texts["name"], exact=True).fill(name)
        self.page.get_by_label(texts["password"], exact=True).fill(password)
        self.page.get_by_role("button", name=texts["sign in"], exact=True).click()

    def sign_in(self, name: str, password: str = PASSWORD, path: str = "/") -> None:
        """Open a path as somebody who has to sign in first."""
        self.page.goto(self.url + path)
        self.fill_in(name, password)
        expect(self.page.get_by_role("banner")).to_be_visible()
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()

    def rest(self) -> None:
        """Wait until nothing is being fetched or moves: what lies under a spinner is paler than it will be."""
        self.page.wait_for_function(AT_REST)

    def check_accessible(self) -> None:
        """0 violations of WCAG 2.2 AA and of axe's best practices, on what is shown now, contrast included."""
        self.rest()
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES)[
            "violations"
        ]
        told = [
            f"{one['id']}: {one['help']}: {[(node['html'][:300], node['failureSummary']) for node in one['nodes'][:5]]}"
            for one in found
        ]
        assert not told, "\n".join(told)

    def picture(self, name: str) -> None:
        """A screenshot for people, when AUTORKE_SCREENSHOTS names a directory."""
        directory = os.environ.get("AUTORKE_SCREENSHOTS")
        if directory:
            self.rest()
            Path(directory).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(directory) / f"{name}.png")
