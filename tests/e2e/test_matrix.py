"""The node × step matrix of a large ticket: a thousand nodes walked by keyboard, filtered and chosen."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Visit
from tests.story.people import Person
from tests.terminal import needs_terminal

pytestmark = [needs_terminal, pytest.mark.timeout(900)]
NODES, STEPS = 1000, 8


def large(detail: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The ticket with a thousand nodes in eight steps, one in nine of which failed in the last one."""
    model = next(step for step in detail["steps"] if step["unit"] == "NODE")
    keys = [f"s{number}" for number in range(STEPS)]
    steps = [
        {**model, "key": key, "title": {"zh": f"步骤 {key}", "en": f"Step {key}"}, "state": "DONE", "skip_reason": None,
         "unit": "NODE"}
        for key in keys
    ]  # fmt: skip
    steps[-1]["state"] = "PARTIAL"

    def result(node: int, step: str, state: str) -> dict[str, Any]:
        times = {"started_at": "2026-11-25T21:00:00Z", "ended_at": "2026-11-25T21:00:09Z"}
        about = {"node_id": f"n{node}", "step": step, "attempt_n": 2, "state": state, "batch_no": 0}
        return {**about, **times, "summary": "disk full" if state == "FAILED" else "ok", "error": None}

    nodes = [
        {
            "node_id": f"n{number}",
            "name": f"node-{number:04d}",
            "address": f"10.0.{number // 250}.{number % 250}",
            "excluded_at": None,
            "excluded_reason": None,
            "results": [
                result(number, key, "FAILED" if key == keys[-1] and number % 9 == 0 else "SUCCEEDED") for key in keys
            ],
        }
        for number in range(NODES)
    ]
    return {**detail, "state": "ATTENTION", "steps": steps}, {"at": "2026-11-25T21:00:00Z", "nodes": nodes}


def test_a_thousand_nodes_are_walked_filtered_and_chosen(
    visit: Visit, people: dict[str, Person], waiting: dict[str, Any]
) -> None:
    detail, matrix = large(people["approver"].ticket(waiting["id"]))
    detail["actions"]["retry"] |= {"allowed": True, "reason": None}
    visitor = visit(language="en", width=1920)
    page = visitor.page
    path = f"**/api/v1/tickets/{waiting['id']}"
    page.route(path, lambda route: route.fulfill(json=detail))
    page.route(f"{path}/matrix", lambda route: route.fulfill(body=json.dumps(matrix), content_type="application/json"))
    visitor.sign_in("approver", path=f"/tickets/{waiting['number']}?tab=nodes")
    grid = page.get_by_role("grid", name="Nodes and steps")
    expect(grid).to_have_attribute("aria-rowcount", str(NODES + 1))
    assert page.locator(".matrix-row").count() < 60
    expect(page.get_by_role("region", name="What went wrong")).to_contain_text("112× disk full")
    visitor.check_accessible()
    visitor.picture("ticket-thousand-nodes")
    grid.focus()
    page.keyboard.press("Control+End")
    expect(page.get_by_role("rowheader", name=re.compile("node-0999"))).to_be_visible()
    assert page.locator(".matrix-row").count() < 60
    page.keyboard.press("Control+a")
    bar = page.get_by_role("toolbar", name="Chosen nodes")
    expect(bar).to_contain_text("1000 chosen")
    expect(bar.get_by_role("button", name="Retry (112)")).to_be_visible()
    visitor.check_accessible()
    page.keyboard.press("Escape")
    expect(bar).to_be_hidden()
    page.get_by_role("button", name=re.compile("^Failed")).click()
    expect(grid).to_have_attribute("aria-rowcount", "113")
    page.get_by_role("textbox", name="Host name or IP").fill("node-0018 10.0.0.27")
    expect(grid).to_have_attribute("aria-rowcount", "3")
    expect(page).to_have_url(re.compile("state=FAILED"))
