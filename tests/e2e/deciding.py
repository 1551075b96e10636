"""Gates signed on the ticket page as an approver does it: read the panel, comment, approve, until the ticket stands."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, TimeoutError, expect

LONG = 180_000
"""Patience in ms with what a runner does."""
_NEXT = '[data-testid="approve"], [data-testid="re-review"]'
_GONE = 'body:not(:has([data-testid="decision"]))'
MOMENT = 5_000
"""Patience in ms with a button that may be replaced by another one before it is clicked."""


def primary(page: Page) -> Locator:
    """The one action that the ticket waits for."""
    return page.locator(".page-header-actions .ant-btn-primary")


def ticket_in(page: Page, state: str) -> Locator:
    return page.locator(f'[data-testid="ticket"][data-state="{state}"]')


def sign(page: Page, comment: str) -> None:
    """Whatever is open now, read in the panel and approved; what opens meanwhile is read again and signed with it."""
    primary(page).click()
    page.get_by_test_id("decision-comment").fill(comment)
    confirm(page)


def confirm(page: Page) -> None:
    """The panel as it stands is approved, after another look where something has changed under it."""
    approve, again = page.get_by_test_id("approve"), page.get_by_test_id("re-review")
    for _ in range(20):
        expect(page.locator(f"{_NEXT}, {_GONE}").first).to_be_visible()
        if page.locator(_GONE).count() > 0:
            return
        try:
            if again.is_visible():
                again.click(timeout=MOMENT)
                continue
            approve.click(timeout=MOMENT)
        except TimeoutError:  # it has become the other one at this moment
            continue
        expect(page.locator(f'{_GONE}, [data-testid="re-review"]').first).to_be_visible()
    raise AssertionError("it changed twenty times while it was read")


def sign_until(page: Page, state: str) -> None:
    """Sign gate after gate as they open, until the ticket is in a state."""
    ready = page.locator(".page-header-actions .ant-btn-primary:not([aria-disabled])")
    ended = ticket_in(page, state)
    for _ in range(20):
        expect(ready.or_(ended).first).to_be_visible(timeout=LONG)
        if ended.is_visible():
            return
        sign(page, "read, all as planned")
    raise AssertionError(f"never {state}")
