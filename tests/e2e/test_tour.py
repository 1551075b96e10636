"""The tour of `docs/tour.md`, walked: one ticket from the machine page to the overview, with a machine that breaks.

With AUTORKE_SCREENSHOTS it also takes the pictures of the tour (`./run tour`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from autorke.embedded import throwaway
from autorke.sim import process as sim_process
from autorke.sim.process import SimHandle
from tests.databases import Template, text
from tests.e2e.conftest import Visit
from tests.e2e.deciding import LONG, confirm, primary, sign_until, ticket_in
from tests.e2e.visitor import Visitor
from tests.story.desk import connect, first_admin, hire
from tests.story.people import Person
from tests.story.stack import Stack, running
from tests.terminal import needs_terminal

pytestmark = [needs_terminal, pytest.mark.timeout(1200)]
LOCALES = Path(__file__).parents[2] / "frontend" / "src" / "locales"
MACHINES = {"en": ("free-001", "free-002"), "zh-CN": ("free-003", "free-004")}


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimHandle]:
    """A simulation of its own, since the tour uses up every free machine; so is all below."""
    with sim_process.start("small", tmp_path_factory.mktemp("tour-sim")) as handle:
        yield handle


@pytest.fixture(scope="module")
def stack(embedded_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("tour")
    with throwaway.valkey() as broker, embedded_template.clone() as url, running(text(url), broker, directory) as stack:
        yield stack


@pytest.fixture(scope="module")
def cluster(stack: Stack, sim: SimHandle) -> dict[str, Any]:
    admin: Person = first_admin(stack)
    for role in ("requester", "approver"):
        hire(admin, stack, role, role)
    return connect(admin, sim)


class Texts:
    """What the console says, by the keys of its catalogues."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, key: str, **values: Any) -> str:
        catalogue, _, name = key.partition(":")
        found: str = json.loads((LOCALES / self.language / f"{catalogue}.json").read_text())[name]
        for placeholder, value in values.items():
            found = found.replace(f"{{{{{placeholder}}}}}", str(value))
        return found

    def begins(self, key: str) -> re.Pattern[str]:
        """The text up to its first placeholder."""
        return re.compile("^" + re.escape(self(key).split("{{")[0].rstrip()))


def _find_machines(visitor: Visitor, t: Texts, names: tuple[str, ...]) -> None:
    page = visitor.page
    visitor.sign_in("requester", path="/machines")
    grid = page.get_by_role("grid")
    page.get_by_role("button", name=t.begins("machines:state.free")).first.click()
    for name in names:
        grid.get_by_role("row", name=re.compile(name)).get_by_role("checkbox").check()
    bulk = page.get_by_role("region", name=t("machines:bulk.label"))
    add = bulk.get_by_role("button", name=t("machines:action.add_workers"), exact=True)
    expect(add).not_to_have_attribute("aria-disabled", "true")
    visitor.picture(f"1-machines-{t.language}")
    add.click()


def _wizard(visitor: Visitor, t: Texts) -> None:
    """From a cluster to a submitted ticket."""
    page = visitor.page
    forward = page.get_by_role("button", name=t("add-workers:next"), exact=True)
    page.get_by_role("radio", name=re.compile("alpha")).check()
    forward.click()
    forward.click()
    forward.click()
    page.get_by_role("button", name=t("add-workers:checks.run")).click()
    expect(page.get_by_text(t.begins("add-workers:checks.allGood"))).to_be_visible(timeout=LONG)
    visitor.picture(f"2-checks-{t.language}")
    forward.click()
    submit = page.get_by_role("button", name=t.begins("add-workers:preview.submit"))
    expect(submit).to_be_visible(timeout=LONG)
    visitor.picture(f"3-preview-{t.language}")
    submit.click()
    expect(page).to_have_url(re.compile(r"/tickets/\d+"), timeout=LONG)


def _fail_and_retry(asks: Visitor, decides: Visitor, t: Texts, sim: SimHandle, bad: str) -> None:
    """A machine breaks at the join; it fails alone, is mended, and only that one runs again."""
    fault = sim.fault("docker:create:kubelet", "fail", host=bad, status=500, text="no space left on device")
    try:
        sign_until(decides.page, "ATTENTION")
    finally:
        sim.lift(fault)
    page = asks.page
    expect(ticket_in(page, "ATTENTION")).to_be_visible(timeout=LONG)
    page.get_by_role("tab", name=t("tickets:tab.nodes"), exact=True).click()
    expect(page.locator('.node-cell[data-state="FAILED"]').first).to_be_visible(timeout=LONG)
    asks.picture(f"6-failed-{t.language}")
    page.get_by_role("tab", name=t("tickets:tab.log"), exact=True).click()
    expect(page.locator(".log-line").first).to_be_visible(timeout=LONG)
    asks.picture(f"7-log-{t.language}")
    expect(primary(page)).to_have_text(t.begins("tickets:primary.retry"))
    primary(page).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(bad)
    dialog.get_by_role("button", name=t("tickets:action.retry"), exact=True).click()
    expect(dialog).to_be_hidden()


def _what_it_left(visitor: Visitor, t: Texts, cluster: dict[str, Any]) -> None:
    page = visitor.page
    visitor.go(f"/clusters/{cluster['id']}?tab=config")
    expect(page.get_by_role("tabpanel").get_by_role("row").nth(2)).to_be_visible()
    expect(page.locator(".cm-content").first).to_be_visible()
    expect(page.locator(".ant-spin-spinning")).to_have_count(0)
    visitor.picture(f"9-revisions-{t.language}")
    visitor.go("/overview")
    expect(page.locator("figure svg").first).to_be_visible()
    visitor.picture(f"10-overview-{t.language}")


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_tour(visit: Visit, cluster: dict[str, Any], sim: SimHandle, language: str) -> None:
    t, names = Texts(language), MACHINES[language]
    asks, decides = visit(language=language, height=720), visit(language=language, height=720)
    _find_machines(asks, t, names)
    _wizard(asks, t)

    path = asks.page.url.removeprefix(asks.url).split("?")[0]
    decides.sign_in("approver", path=path)
    expect(primary(decides.page)).not_to_have_attribute("aria-disabled", "true", timeout=LONG)
    decides.picture(f"4-plan-{language}")
    primary(decides.page).click()
    decides.page.get_by_test_id("decision-comment").fill("the right machines")
    decides.picture(f"5-decision-{language}")
    confirm(decides.page)

    _fail_and_retry(asks, decides, t, sim, names[1])
    expect(ticket_in(decides.page, "ATTENTION")).to_have_count(0, timeout=LONG)
    sign_until(decides.page, "SUCCEEDED")
    expect(ticket_in(asks.page, "SUCCEEDED")).to_be_visible(timeout=LONG)
    asks.page.get_by_role("tab", name=t("tickets:tab.nodes"), exact=True).click()
    expect(asks.page.locator('.node-cell[data-state="SUCCEEDED"]').first).to_be_visible()
    asks.picture(f"8-matrix-{language}")
    _what_it_left(asks, t, cluster)
