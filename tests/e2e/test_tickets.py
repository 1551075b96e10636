"""The ticket page, clicked by two people at two browsers: the main job with a failure and a retry, a plan that changes
while it is read, a lost runner, and somebody who may only look."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
from tests.e2e.deciding import LONG, primary, sign, sign_until
from tests.e2e.desk import Desk
from tests.e2e.visitor import Visitor
from tests.story.desk import hire
from tests.story.people import Person, explain, states, until, walk
from tests.story.stack import Stack
from tests.terminal import needs_terminal

pytestmark = [needs_terminal, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def second(admin: Person, stack: Stack) -> Person:
    """Another approver."""
    return hire(admin, stack, "second", "approver")


def cell(page: Page, name: str, step: str) -> Locator:
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=re.compile(name)))
    return row.locator(f'.matrix-cell[data-column="{step}"]')


def expect_refused(button: Locator, because: str = r"\w") -> None:
    """It cannot be used, and a screen reader is told why."""
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description(re.compile(because))


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
    expect_refused(primary(asks.page), "申请人")

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
    subject = page.get_by_test_id("subject-hash")
    was = subject.inner_text()
    sim.patch_host(name, facts={"kernel": "6.1.0-99-amd64"})
    second.sign(ticket["id"])
    again = page.get_by_test_id("re-review")
    expect(again).to_have_text(re.compile(r"Re-review \d+ changes"), timeout=LONG)
    expect(page.get_by_test_id("approve")).to_have_count(0)
    expect_refused(page.get_by_test_id("reject"), "again")
    expect(page.get_by_test_id("decision")).to_contain_text(f"facts of {name}")
    visitor.check_accessible()
    visitor.picture("ticket-re-review")
    again.click()
    expect(page.get_by_test_id("approve")).to_be_visible()
    expect(subject).not_to_have_text(was)
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


def test_who_may_only_look_sees_everything_and_is_told_why_nothing_may_be_done(
    visit: Visit, people: dict[str, Person], waiting: dict[str, Any]
) -> None:
    visitor = visit(language="en")
    page = visitor.page
    visitor.sign_in("viewer", path=f"/tickets/{waiting['number']}")
    expect(page.get_by_text("+- address").first).to_be_visible()
    expect_refused(primary(page))
    expect_refused(page.get_by_role("button", name="Pause"))
    page.get_by_test_id("more-actions").click()
    items = page.get_by_role("menuitem")
    expect(items.last).to_be_visible()
    for item in items.all():
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
    checks = page.get_by_role("grid", name="Nodes and checks")
    expect(checks.get_by_role("rowheader").first).to_be_visible()
    checks.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Check result")).to_be_visible()
    visitor.check_accessible()


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
            # Held first: a runner that is stopped in the middle of its heartbeat would keep the row for ever.
            attempt = session.execute(running.with_for_update(key_share=True, of=Attempt)).scalar_one()
            assert attempt.pid is not None
            pid = attempt.pid
            os.kill(pid, signal.SIGSTOP)
            lifecycle.lost(session, ticket, attempt, None)
    finally:
        engine.dispose()
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
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
        until(lambda: node_states(people["approver"], ticket["id"], "join") == ["RUNNING"], 180, "the join runs")
        with silent_runner(stack, ticket["id"]):
            first, other = visit(language="en"), visit()
            resolve_first(first, ticket, name)
            other.sign_in(second.name, path=f"/tickets/{ticket['number']}")
            panel = other.page.get_by_role("region", name=re.compile("结果未知"))
            expect(panel).to_contain_text("须由另一个人确认", timeout=LONG)
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
    expect_refused(send, "verdict")
    panel.get_by_role("radio", name="Not done").check()
    panel.get_by_role("textbox").fill("no process of it on the host")
    expect_refused(send, "responsibility")
    panel.get_by_role("checkbox").check()
    first.check_accessible()
    first.picture("ticket-unknown")
    send.click()
    expect(panel).to_contain_text("another one must confirm", timeout=LONG)
    send = panel.get_by_role("button", name="Submit verdicts")
    expect_refused(send, "another person")
