"""A ticket with long logs for the browser tests of its log tab, and where to find it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page

from tests.e2e.desk import end_all
from tests.story.people import Person, until
from tests.story.stack import Stack

LINES = int(os.environ.get("AUTORKE_E2E_LOG_LINES", "30000"))
ERROR = LINES * 2 // 3


def say(stack: Stack, ticket: dict[str, Any], node: str, lines: int, *, close: bool = False) -> None:
    """More lines of a node's log, stored by another process as a runner would."""
    command = [
        sys.executable,
        "-m",
        "tests.e2e.long_log",
        ticket["id"],
        node,
        str(lines),
        *(["close"] if close else []),
    ]
    subprocess.run(command, env=stack.environ, check=True, timeout=300)


@contextmanager
def waiting(person: Person, cluster: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """A ticket for this machine that waits for its first approval."""
    machine = person.get(f"/machines?filter=hostname:eq:{name}")["items"][0]
    request = {"cluster_id": cluster["id"], "machines": [{"machine_id": machine["id"]}]}
    made = person.post("/tickets", {"flow": "add_workers", "request": request})
    try:
        until(lambda: bool(person.open_gates(made["id"])), 180, "the first gate")
        yield made
    finally:
        end_all(person)


def address(ticket: dict[str, Any], **search: Any) -> str:
    return f"/tickets/{ticket['number']}?" + "&".join(
        f"{key}={value}" for key, value in {"tab": "log", **search}.items()
    )


def row(page: Page, n: int) -> Any:
    return page.locator(f'.log-line[data-n="{n}"]')
