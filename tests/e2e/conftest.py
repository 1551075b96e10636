"""One product and one browser for all tests of this package; each test gets people of its own at that browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from autorke.embedded import throwaway
from autorke.sim import process as sim_process
from autorke.sim.process import SimHandle
from autorke.web.ui import DIST
from tests.databases import Template, text
from tests.e2e.deciding import LONG
from tests.e2e.desk import Desk
from tests.e2e.visitor import AXE, Visitor
from tests.story.desk import attach, connect, first_admin, hire
from tests.story.people import Person, until
from tests.story.stack import Stack, running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ROLES = ("viewer", "requester", "approver", "auditor")

Visit = Callable[..., Visitor]

FLEET = """
seed: 7
timing: {join_seconds: 0.1, ready_seconds: 0.1, lost_seconds: 1.0, pull_seconds: 0.01}
clusters:
  - {name: alpha, version: v1.20.15-rancher2-1, masters: 1, workers: 2, kind: small}
  - {name: beta, version: v1.20.15-rancher2-1, masters: 1, workers: 1, kind: small}
machines:
  - {prefix: free, count: 12, kind: small}
cmdb: {page_size: 3}
"""
"""The preset `small` with more free machines: those that tickets have made nodes of do not come back."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """The first test here also waits for a product, a simulation and a browser that begin at once."""
    if item.get_closest_marker("timeout") is None:
        item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="package")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimHandle]:
    fleet = tmp_path_factory.mktemp("fleet") / "fleet.yml"
    fleet.write_text(FLEET)
    with sim_process.start(fleet, tmp_path_factory.mktemp("sim")) as handle:
        yield handle


@pytest.fixture(scope="package")
def stack(embedded_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A broker of its own: the shared one is emptied for other tests."""
    directory = tmp_path_factory.mktemp("stack")
    looking = {"AUTORKE_STUCK_EVERY": "PT1S"}
    with (
        throwaway.valkey() as broker,
        embedded_template.clone() as url,
        running(text(url), broker, directory, **looking) as stack,
    ):
        yield stack


@pytest.fixture(scope="package")
def admin(stack: Stack) -> Person:
    return first_admin(stack)


@pytest.fixture(scope="package")
def people(admin: Person, stack: Stack) -> dict[str, Person]:
    """One person per role, named after it, with the password `PASSWORD`."""
    return {role: hire(admin, stack, role, role) for role in ROLES}


@pytest.fixture(scope="package")
def cluster(admin: Person, sim: SimHandle) -> dict[str, Any]:
    """The simulator's machines and its cluster, connected."""
    found: dict[str, Any] = connect(admin, sim)
    return found


@pytest.fixture(scope="package")
def beta(admin: Person, cluster: dict[str, Any], sim: SimHandle) -> dict[str, Any]:
    """A second cluster, whose lock is another one."""
    return attach(admin, sim, "beta")


@pytest.fixture(scope="package")
def _desk(people: dict[str, Person], cluster: dict[str, Any], sim: SimHandle) -> Desk:
    """The first free machines are those that other tests name."""
    return Desk(people["requester"], cluster, sim.free_machines()[4:])


@pytest.fixture
def desk(_desk: Desk) -> Iterator[Desk]:
    yield _desk
    _desk.leave_nothing()


@pytest.fixture
def waiting(desk: Desk) -> dict[str, Any]:
    """A ticket at its first gate."""
    ticket = desk.submit(1)
    until(lambda: desk.requester.open_gates(ticket["id"]), 180, "the first gate")
    return ticket


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip(
            "NO BROWSER: the console is not tested. Install chromium and fonts-wqy-microhei (`./run test` does)"
        )
    if not (DIST / "index.html").exists() or not AXE.exists():
        pytest.skip("NOT BUILT: the console is not tested. Run `./run ui build`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=LONG)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, stack: Stack) -> Iterator[Visit]:
    """`visit(language="en", theme="dark", width=1920)` → a Visitor with an empty browser of their own."""
    visitors: list[Visitor] = []

    def come(language: str = "zh-CN", theme: Any = "light", width: int = 1280, height: int = 800) -> Visitor:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, locale=language, reduced_motion="reduce"
        )
        visitor = Visitor(context, context.new_page(), stack.url, language)
        visitors.append(visitor)
        return visitor

    yield come
    troubles = [trouble for visitor in visitors for trouble in visitor.troubles]
    for visitor in visitors:
        visitor.context.close()
    assert not troubles, "\n".join(troubles)
