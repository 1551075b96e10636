"""The ticket page, clicked by two people at two browsers: the main job with a failure and a retry, a plan that changes
while it is read, a lost runner, and somebody who may only look."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from autorke.core import db
from autorke.sim.process import SimHandle
from autorke.workflow import lifecycle
from autorke.workflow.journal import lock_ticket
from autorke.workflow.models import Attempt, StepRow
from tests.e2e.conftest import Visit
from tests.e2e.visitor import Visitor
from tests.story.desk import hire
from tests.story.people import Person, explain, states, until, walk
from tests.story.stack import Stack
from tests.terminal import needs_terminal

pytestmark = [needs_terminal, pytest.mark.timeout(600, func_only=True)]
LONG = 90_000
"""Patience in ms with what a runner does."""
PLAIN = {"docker": False, "kernel": False, "gpu": False}


@dataclass
class Desk:
    """Who opens tickets here, for machines that no test has touched: a failed change leaves its traces."""

    requester: Person
    cluster: dict[str, Any]
    fresh: list[str]

    def submit(self, count: int) -> dict[str, Any]:
        """A new ticket; `names` are its machines."""
        names = [self.fresh.pop() for _ in range(count)]
        found = self.requester.post("/machines/find", {"keys": names})["matches"]
        request = {
            "cluster_id": self.cluster["id"],
            "machines": [{"machine_id": one["machine"]["id"]} for one in found],
            "labels": {"pool": "blue"},
            "initialise": PLAIN,
            "batches": {"canary": 0},
        }
        made: dict[str, Any] = self.requester.post("/tickets", {"flow": "add_workers", "request": request})
        return {**made, "names": names}


@pytest.fixture(scope="module")
def desk(people: dict[str, Person], cluster: dict[str, Any], sim: SimHandle) -> Desk:
    """The first free machines are those that other tests name."""
    return Desk(people["requester"], cluster, sim.free_machines()[4:])


@pytest.fixture(autouse=True)
def nothing_left(people: dict[str, Person]) -> Iterator[None]:
    """A ticket that a failing test leaves would keep the cluster's lock from the tests after it."""
    yield
    requester = people["requester"]
    for ticket in requester.get("/tickets?filter=ended_at:null:true")["items"]:
        if ticket["state"] == "ATTENTION":
            requester.http.post(f"/tickets/{ticket['id']}/close", json={"reason": "made by a test"})
        requester.http.post(f"/tickets/{ticket['id']}/cancel", json={"reason": "made by a test"})


@pytest.fixture(scope="module")
def second(admin: Person, stack: Stack) -> Person:
    """Another approver."""
    return hire(admin, stack, "second", "approver")


def primary(page: Page) -> Locator:
    return page.locator(".page-header-actions .ant-btn-primary")


def cell(page: Page, name: str, step: str) -> Locator:
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=re.compile(name)))
    return row.locator(f'.matrix-cell[data-column="{step}"]')


def reason_of(button: Locator) -> str:
    """Why a button cannot be used, as a screen reader is told."""
    expect(button).to_have_attribute("aria-disabled", "true")
    named = button.get_attribute("aria-describedby")
    return button.page.locator(f'[id="{named}"]').inner_text()


def sign(page: Page, comment: str) -> None:
    """Whatever is open now, read in the panel and approved."""
    primary(page).click()
    page.get_by_test_id("decision-comment").fill(comment)
    page.get_by_test_id("approve").click()
    expect(page.get_by_test_id("decision")).to_be_hidden()


def sign_until(page: Page, state: str) -> None:
    """Sign gate after gate as they open, until the ticket is in a state."""
    ready = page.locator(".page-header-actions .ant-btn-primary:not([aria-disabled])")
    ended = page.locator(f'[data-testid="ticket"][data-state="{state}"]')
    for _ in range(20):
        expect(ready.or_(ended).first).to_be_visible(timeout=LONG)
        if ended.is_visible():
            return
        sign(page, "read, all as planned")
    raise AssertionError(f"never {state}")


def test_two_people_lead_a_ticket_through_a_failure(visit: Visit, desk: Desk, sim: SimHandle) -> None:
    ticket = desk.submit(2)
    good, bad = ticket["names"]
    asks, decides = visit(), visit(language="en", width=1920, theme="dark")
    asks.sign_in("requester", path=f"/tickets/{ticket['number']}")
    decides.sign_in("approver", path="/tickets")
    decides.check_accessible()
    decides.page.get_by_role("link", name=f"#{ticket['number']}", exact=True).click()

    # four eyes: the requester sees the same button, and why it is not his
    expect(primary(asks.page)).to_have_text(re.compile("审核：配置"), timeout=LONG)
    assert "申请人" in reason_of(primary(asks.page))

    # confirming a step and releasing the next is one decision
    expect(primary(decides.page)).to_have_text("Review: Configure", timeout=LONG)
    expect(decides.page.get_by_text("+- address").first).to_be_visible()
    primary(decides.page).click()
    expect(decides.page.get_by_test_id("decision")).to_be_focused()
    decides.check_accessible()
    decides.page.get_by_test_id("decision-comment").fill("the right machines")
    decides.page.get_by_test_id("approve").click()
    expect(primary(decides.page)).to_have_text("Confirm and release next step", timeout=LONG)
    sign(decides.page, "confirmed and released")
    decides.page.get_by_role("tab", name="Approvals").click()
    expect(decides.page.get_by_role("cell", name="confirmed and released")).to_have_count(2)
    decides.check_accessible()

    # the second machine fails half-way; both see it without doing anything
    sim.fault("docker:create:kube-proxy", "fail", host=bad, status=500, text="no space left on device")
    try:
        sign_until(decides.page, "ATTENTION")
        failure = asks.page.get_by_role("region", name="失败原因")
        expect(failure).to_contain_text("no space left on device", timeout=LONG)
        expect(failure).to_contain_text(bad)
        expect(failure.get_by_role("button", name="复制失败 IP（1）")).to_be_visible()
    finally:
        sim.lift()

    retry_one_cell(asks, bad)

    # the retry is a plan of its own, for one machine only
    expect(primary(decides.page)).to_have_text("Review: Join", timeout=LONG)
    decides.page.get_by_role("tab", name="Plan and diff").click()
    expect(decides.page.get_by_role("heading", name="Machines (1)")).to_be_visible()
    decides.page.get_by_label("Compare with another round").click()
    decides.page.get_by_title("Compare with round 1").click()
    expect(decides.page.get_by_text(re.compile(r"Round 1 → round 2: \d+ differences"))).to_be_visible()
    decides.check_accessible()
    sign_until(decides.page, "SUCCEEDED")
    expect(asks.page.locator('[data-testid="ticket"][data-state="SUCCEEDED"]')).to_be_visible(timeout=LONG)
    expect(cell(asks.page, good, "join")).to_contain_text("完成")
    expect(cell(asks.page, bad, "join")).to_contain_text("2 次")
    decides.page.get_by_role("tab", name="Activity").click()
    expect(decides.page.get_by_text(re.compile(r"\d+ events, gapless, the chain of hashes holds"))).to_be_visible()
    decides.page.get_by_text("Only what people did").click()
    expect(decides.page.get_by_text("the right machines", exact=True)).to_be_visible()
    expect(decides.page.get_by_text(re.compile("system events"))).to_have_count(0)
    decides.check_accessible()


def retry_one_cell(asks: Visitor, bad: str) -> None:
    """From the matrix: the cell says why, the choice retries exactly what is open."""
    page = asks.page
    page.get_by_role("tab", name="节点").click()
    expect(cell(page, bad, "join")).to_contain_text("失败")
    asks.check_accessible()
    asks.picture("ticket-failed")
    cell(page, bad, "join").click()
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text("no space left on device")
    asks.check_accessible()
    drawer.get_by_role("button", name=re.compile("关闭|Close")).click()
    expect(drawer).to_be_hidden()
    page.get_by_role("button", name="选 1：“加入集群”中未完成的节点").click()
    bar = page.get_by_role("toolbar", name="已选节点")
    expect(bar).to_contain_text("已选 1 台")
    bar.get_by_role("button", name="重试（1）").click()
    dialog = page.get_by_role("dialog", name="重试“加入集群”？")
    expect(dialog).to_contain_text(bad)
    asks.check_accessible()
    dialog.get_by_role("button", name="重试", exact=True).click()
    expect(dialog).to_be_hidden()


def test_a_plan_that_changes_while_it_is_read_is_reviewed_again(
    visit: Visit, people: dict[str, Person], second: Person, desk: Desk, sim: SimHandle
) -> None:
    """Somebody else signs, the machine has changed meanwhile: what was on the screen is not what would be signed."""
    ticket = desk.submit(1)
    (name,) = ticket["names"]
    before = walk(people["approver"], ticket["id"], stop_at=only_the_join)
    assert only_the_join(before), explain(people["approver"], before)
    visitor = visit(language="en")
    page = visitor.page
    visitor.sign_in("approver", path=f"/tickets/{ticket['number']}")
    expect(primary(page)).to_have_text("Review: Join", timeout=LONG)
    primary(page).click()
    page.get_by_test_id("decision-comment").fill("looks good")
    was = page.get_by_test_id("subject-hash").inner_text()
    sim.patch_host(name, facts={"kernel": "6.1.0-99-amd64"})
    second.sign(ticket["id"])
    again = page.get_by_test_id("re-review")
    expect(again).to_have_text(re.compile(r"Re-review \d+ changes"), timeout=LONG)
    expect(page.get_by_test_id("approve")).to_have_count(0)
    assert "again" in reason_of(page.get_by_test_id("reject"))
    expect(page.get_by_test_id("decision")).to_contain_text(f"facts of {name}")
    visitor.check_accessible()
    visitor.picture("ticket-re-review")
    again.click()
    expect(page.get_by_test_id("approve")).to_be_visible()
    assert page.get_by_test_id("subject-hash").inner_text() != was
    expect(page.get_by_test_id("decision-comment")).to_have_value("looks good")
    page.get_by_test_id("decision-comment").fill("the kernel is not the one we tested")
    page.get_by_test_id("reject").click()
    expect(page.get_by_role("region", name="What went wrong")).to_contain_text("not the one we tested", timeout=LONG)
    cancel(page)


def only_the_join(ticket: dict[str, Any]) -> bool:
    """Everything before is confirmed: nothing is open but the plan of the join."""
    found = states(ticket)
    return found["join"] == "WAIT_PRE_GATE" and found["initialise"] == "DONE"


def cancel(page: Page) -> None:
    """By the menu; the dialog says what it will do now."""
    page.get_by_test_id("more-actions").click()
    page.get_by_role("menuitem", name="Cancel ticket").click()
    dialog = page.get_by_role("dialog", name="Cancel the ticket?")
    expect(dialog.locator(".action-effect")).not_to_be_empty()
    dialog.get_by_role("textbox").fill("made by a test")
    dialog.get_by_role("button", name="Cancel ticket").click()
    expect(page.locator('[data-testid="ticket"][data-state="CANCELLED"]')).to_be_visible(timeout=LONG)


@pytest.fixture
def waiting(people: dict[str, Person], desk: Desk) -> dict[str, Any]:
    """A ticket at its first gate."""
    ticket = desk.submit(1)
    until(lambda: people["requester"].open_gates(ticket["id"]), 90, "the first gate")
    return ticket


def test_who_may_only_look_sees_everything_and_is_told_why_nothing_may_be_done(
    visit: Visit, people: dict[str, Person], waiting: dict[str, Any]
) -> None:
    visitor = visit(language="en")
    page = visitor.page
    visitor.sign_in("viewer", path=f"/tickets/{waiting['number']}")
    expect(page.get_by_text("+- address").first).to_be_visible()
    assert reason_of(primary(page)) != ""
    assert reason_of(page.get_by_role("button", name="Pause")) != ""
    page.get_by_test_id("more-actions").click()
    for item in page.get_by_role("menuitem").all():
        expect(item.locator("small")).not_to_be_empty()
    visitor.check_accessible()
    page.get_by_role("menuitem", name="Cancel ticket").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Cancel ticket")).to_be_hidden()
    dialog.get_by_role("button", name="Close", exact=True).last.click()
    for tab in ("Checks", "Nodes", "Approvals", "Activity"):
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("tabpanel")).to_be_visible()
    page.get_by_role("tab", name="Checks").click()
    page.get_by_role("grid", name="Nodes and checks").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Check result")).to_be_visible()
    visitor.check_accessible()


# --- a thousand nodes ------------------------------------------------------------------------------------------------
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


# --- a runner that is silent -----------------------------------------------------------------------------------------
def node_states(person: Person, ticket_id: str, step: str) -> list[str]:
    nodes = person.get(f"/tickets/{ticket_id}/matrix")["nodes"]
    return [cell["state"] for node in nodes for cell in node["results"] if cell["step"] == step]


@contextmanager
def silent_runner(stack: Stack, ticket_id: str) -> Iterator[None]:
    """The runner is stopped, not dead: nothing can prove its end. The engine gives it up, as after a long silence."""
    engine = db.make_engine(stack.environ["AUTORKE_DATABASE_URL"])
    try:
        with Session(engine) as session, session.begin():
            ticket = lock_ticket(session, UUID(ticket_id))
            query = select(Attempt).join(StepRow, StepRow.id == Attempt.step_id)
            running = query.where(StepRow.ticket_id == ticket.id, Attempt.purpose == "RUN", Attempt.state == "RUNNING")
            attempt = session.execute(running).scalar_one()
            assert attempt.pid is not None
            pid = attempt.pid
            os.kill(pid, signal.SIGSTOP)
            lifecycle.lost(session, ticket, attempt, None)
    finally:
        engine.dispose()
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_lost_runner_takes_two_people_where_its_death_is_not_proven(
    visit: Visit, people: dict[str, Person], second: Person, desk: Desk, sim: SimHandle, stack: Stack
) -> None:
    ticket = desk.submit(1)
    (name,) = ticket["names"]
    before = walk(people["approver"], ticket["id"], stop_at=only_the_join)
    assert only_the_join(before), explain(people["approver"], before)
    sim.fault("docker:create:kubelet", "hang", host=name)
    try:
        people["approver"].sign(ticket["id"])
        until(lambda: node_states(people["approver"], ticket["id"], "join") == ["RUNNING"], 90, "the join runs")
        with silent_runner(stack, ticket["id"]):
            first, other = visit(language="en"), visit()
            resolve_first(first, ticket, name)
            other.sign_in(second.name, path=f"/tickets/{ticket['number']}")
            panel = other.page.get_by_role("region", name=re.compile("结果未知"))
            expect(panel).to_contain_text("须由另一个人确认")
            panel.get_by_role("radio", name="未完成").check()
            panel.get_by_role("checkbox").check()
            panel.get_by_role("textbox").fill("确认执行器已被终止")
            panel.get_by_role("button", name="提交判定").click()
            expect(other.page.get_by_role("region", name="失败原因")).to_be_visible(timeout=LONG)
    finally:
        sim.lift()


def resolve_first(first: Visitor, ticket: dict[str, Any], name: str) -> None:
    page = first.page
    first.sign_in("approver", path=f"/tickets/{ticket['number']}")
    panel = page.get_by_role("region", name=re.compile("Result unknown"))
    expect(panel).to_contain_text("None: it may still be at work")
    expect(panel).to_contain_text(name)
    send = panel.get_by_role("button", name="Submit for a second person")
    assert "verdict" in reason_of(send)
    panel.get_by_role("radio", name="Not done").check()
    panel.get_by_role("textbox").fill("no process of it on the host")
    assert "responsibility" in reason_of(send)
    panel.get_by_role("checkbox").check()
    first.check_accessible()
    first.picture("ticket-unknown")
    send.click()
    expect(panel).to_contain_text("another one must confirm", timeout=LONG)
    send = panel.get_by_role("button", name="Submit verdicts")
    assert "another person" in reason_of(send)
