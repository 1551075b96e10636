"""The console in a headless Chromium: 100,000 machines, a ticket of 1,000 nodes × 8 steps, a log of 1,000,000 lines.

The api serves the built console on this machine; sizes are what the browser counted, times are taken inside the page.
Smaller: AUTORKE_BENCH_MACHINES, AUTORKE_BENCH_LOG_LINES.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from autorke.core import events
from autorke.core.settings import get_settings
from autorke.embedded import throwaway
from autorke.web.ui import DIST
from bench import CannotRun, machines
from bench import _console_data as data
from bench import _console_page as watch
from bench import _lighthouse as lighthouse
from tests.databases import Template, text
from tests.story.desk import first_admin
from tests.story.people import Person
from tests.story.stack import Stack, running

LINES = int(os.environ.get("AUTORKE_BENCH_LOG_LINES", "1000000"))
ERROR = LINES * 2 // 3
VISITS = 3
UPDATES = 5
LOOK = "look=%7B%22hidden%22%3A%5B%5D%7D"
"""Every column shown."""
TARGETS = {
    "first_load_gz_kb": 300,
    "interactive_ms": 1200,
    "scroll_frame_p95_ms": 50,
    "filter_to_rows_ms": 300,
    "matrix_render_ms": 1000,
    "matrix_update_ms": 100,
    "log_open_ms": 1000,
    "log_first_error_ms": 300,
    "log_search_ms": 1000,
    "lighthouse_performance_accessibility_best_practices": [95, 100, 95],
}


def run() -> dict[str, Any]:
    """Figures by page, each beside its target; one that cannot be taken says why and leaves the others alone."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise CannotRun("no Chromium: `apt-get install chromium`")
    if not (DIST / "index.html").exists():
        raise CannotRun("the console is not built: ./run ui build")
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
        template = held.enter_context(Template(held.enter_context(throwaway.postgres())))
        url, broker = text(held.enter_context(template.clone())), held.enter_context(throwaway.valkey())
        with machines.configured(url):
            machines.fill()
        stack = held.enter_context(running(url, broker, folder))
        held.enter_context(machines.configured(url))
        held.enter_context(_hints(broker))
        return {**_figures(stack, chromium), "targets": TARGETS}


@contextmanager
def _hints(broker: str) -> Iterator[None]:
    """Let this process wake the api as a runner does."""
    before = os.environ.get("AUTORKE_REDIS_URL")
    os.environ["AUTORKE_REDIS_URL"] = broker
    get_settings.cache_clear()
    events.forget()
    try:
        yield
    finally:
        os.environ.pop("AUTORKE_REDIS_URL") if before is None else os.environ.update(AUTORKE_REDIS_URL=before)
        get_settings.cache_clear()
        events.forget()


def _figures(stack: Stack, chromium: str) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    admin = first_admin(stack)
    ticket = data.ticket(UUID(admin.me["id"]), LINES)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            context = browser.new_context(viewport={"width": 1920, "height": 1000}, locale="en")
            context.set_default_timeout(watch.PATIENCE_MS)
            _sign_in(context, stack, admin)
            pages = f"{stack.url}/machines"
            wires = {name: _try(partial(watch.wire, context, pages, name)) for name in ("gzip", "br")}
            context.add_init_script(watch.START)
            parts: dict[str, Callable[[Any, Stack, tuple[UUID, int]], Any]] = {
                "machines": _machines,
                "ticket": _ticket,
                "matrix": _matrix,
                "log": _log,
                "merged_log": _merged_log,
            }
            found = {name: _try(partial(part, context, stack, ticket)) for name, part in parts.items()}
        finally:
            browser.close()
    return {"first_load": wires, **found, "lighthouse": _lighthouse(chromium, stack, admin, ticket[1])}


def _lighthouse(chromium: str, stack: Stack, admin: Person, number: int) -> dict[str, Any]:
    cookie = "; ".join(f"{one.name}={one.value}" for one in admin.http.cookies.jar)
    pages = {"machines": "/machines", "ticket": f"/tickets/{number}?tab=nodes"}
    try:
        return {name: lighthouse.scores(chromium, stack.url + path, cookie) for name, path in pages.items()}
    except (OSError, subprocess.SubprocessError) as error:
        return {"not_run": f"{type(error).__name__}: {getattr(error, 'stderr', None) or error}"[:400]}


def _try(part: Callable[[], Any]) -> Any:
    from playwright.sync_api import Error

    try:
        return part()
    except Error as error:
        return {"not_run": str(error)[:400]}


def _sign_in(context: Any, stack: Stack, admin: Person) -> None:
    context.add_cookies([{"name": one.name, "value": one.value, "url": stack.url} for one in admin.http.cookies.jar])


def _visits(context: Any, url: str, ready: str) -> dict[str, float]:
    visits = [watch.first_look(context, url, ready) for _ in range(VISITS)]
    return {name: watch.middle([visit[name] for visit in visits]) for name in visits[0]}


def _machines(context: Any, stack: Stack, _: tuple[UUID, int]) -> dict[str, Any]:
    found: dict[str, Any] = {"machines": machines.MACHINES, **_visits(context, f"{stack.url}/machines", watch.ROWS)}
    page = context.new_page()
    page.goto(f"{stack.url}/machines")
    page.wait_for_function(watch.ROWS)
    page.wait_for_timeout(1000)
    times = [watch.quick_search(page, name) for name in ("bm-777", "bm-4242", "bm-9", "bm-31", "bm-500")]
    found |= {"filter_to_rows_ms": watch.middle(times), "filter_to_rows_max_ms": round(max(times), 1)}
    page.goto(f"{stack.url}/machines?{LOOK}")
    page.wait_for_function(watch.ROWS)
    found["rows_loaded"] = watch.load_rows(page, min(5000, machines.MACHINES))
    found["columns"] = page.evaluate("Number(document.querySelector('.grid').getAttribute('aria-colcount'))")
    page.wait_for_timeout(500)
    frames = watch.scroll(page)
    found |= {"scroll_frame_p95_ms": watch.p95(frames), "scroll_frame_max_ms": round(max(frames), 1)}
    page.close()
    return found


def _ticket(context: Any, stack: Stack, ticket: tuple[UUID, int]) -> dict[str, Any]:
    ready = """() => document.querySelector('[data-testid="ticket"]')"""
    return _visits(context, f"{stack.url}/tickets/{ticket[1]}?tab=activity", ready)


def _opened(context: Any, stack: Stack, number: int) -> Any:
    """The ticket's page at a light tab, so that what is opened from there is measured alone."""
    page = context.new_page()
    page.goto(f"{stack.url}/tickets/{number}?tab=activity")
    page.get_by_test_id("ticket").wait_for()
    page.wait_for_timeout(1500)
    return page


GO = "(path) => history.pushState(null, '', path[0])"


def _matrix(context: Any, stack: Stack, ticket: tuple[UUID, int]) -> dict[str, Any]:
    page = _opened(context, stack, ticket[1])
    path = [f"/tickets/{ticket[1]}?tab=nodes"]
    rendered = watch.after(page, GO, "() => document.querySelectorAll('.node-cell').length > 100", path)
    page.wait_for_timeout(4000)  # what the page asks behind its first look
    painted, seen = [], []
    cell = """(name) => [...document.querySelectorAll('.matrix-row')].find((row) => row.textContent.includes(name))
      ?.querySelector('[data-column="s8"] [data-state="SUCCEEDED"]')"""
    for number in range(UPDATES):
        name = data.node(number)
        page.evaluate(f"(name) => {{ bench.at = bench.until(() => ({cell})(name)); }}", name)
        begun = page.evaluate("performance.now()")
        data.finish_one(ticket[0], name)
        at = page.evaluate("bench.at")
        painted.append(at - page.evaluate("bench.heard"))
        seen.append(at - begun)
        page.wait_for_timeout(300)
    page.close()
    return {
        "cells": data.NODES * data.STEPS,
        "matrix_render_ms": round(rendered, 1),
        "matrix_update_ms": watch.middle(painted),
        "update_from_write_ms": watch.middle(seen),
    }


def _log(context: Any, stack: Stack, ticket: tuple[UUID, int]) -> dict[str, Any]:
    page = _opened(context, stack, ticket[1])
    path = [f"/tickets/{ticket[1]}?tab=log&step={data.FIRST_STEP}&node={data.LOG_NODE}"]
    line = '(n) => document.querySelector(`.log-line[data-n="${n}"]`)'
    opened = watch.after(page, GO, "() => document.querySelector('.log-line[data-n]')", path)
    button = page.get_by_role("button", name="First error", exact=True)
    button.wait_for()
    button.evaluate("(button) => { bench.button = button; }")
    jumped = watch.after(page, "() => bench.button.click()", line, ERROR)
    page.wait_for_timeout(500)
    counted = """() => {
      const counter = document.querySelector('[data-testid="log-counter"]');
      return counter && !counter.dataset.busy && counter.textContent.includes("/");
    }"""
    searched = watch.after(page, watch.TYPE % ".log-search input, input.log-search", counted, "needle")
    page.close()
    return {
        "lines": LINES,
        "log_open_ms": round(opened, 1),
        "log_first_error_ms": round(jumped, 1),
        "log_search_ms": round(searched, 1),
    }


def _merged_log(context: Any, stack: Stack, ticket: tuple[UUID, int]) -> dict[str, Any]:
    """From Shift+Enter at the end of the log to its second line, marked: the api looks through all that is between."""
    page = _opened(context, stack, ticket[1])
    page.goto(f"{stack.url}/tickets/{ticket[1]}?tab=log&step={data.FIRST_STEP}")
    page.locator(".log-node").first.wait_for()
    box = page.get_by_label("Search the log")
    box.fill("task 2 checked")
    page.wait_for_timeout(1000)
    box.evaluate("(box) => { bench.box = box; }")
    enter = (
        "() => bench.box.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', shiftKey: true, bubbles: true }))"
    )
    second = """() => document.querySelector('.log-line[data-current][data-n="2"]')"""
    found = watch.after(page, enter, second)
    page.close()
    return {"lines": LINES + 3, "merged_search_of_all_ms": round(found, 1)}
