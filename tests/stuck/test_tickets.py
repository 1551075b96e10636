"""Tickets that stand still: each cause is brought about, found by its name, repaired by its repair, and gone."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from autorke.core.db import transaction
from autorke.core.settings import get_settings
from autorke.stuck.hosts import note_failure
from autorke.stuck.models import Stuck
from autorke.stuck.watch import look
from autorke.users.models import AuditEntry
from autorke.worker import process
from autorke.workflow import commands
from autorke.workflow.journal import verify_chain
from autorke.workflow.models import Ticket
from autorke.workflow.reconcile import Host, reconcile
from tests.stuck.eye import Eye, age, run
from tests.workflow.conftest import USER
from tests.workflow.test_lock_release import outlive
from tests.workflow.toy import WORLD, fail
from tests.workflow.vanish import begin_and_vanish

NOTHING_RUNS_TWICE = [("configure", "*")]


def test_nothing_is_stuck_while_all_goes_its_way(eye: Eye) -> None:
    ticket = eye.ticket()
    assert eye.sees() == {}
    eye.approve(ticket)
    eye.office.desk.work()
    queued = eye.ticket("a")
    assert eye.office.desk.state(queued) == "QUEUED"
    age(timedelta(minutes=30))
    eye.host()
    assert eye.sees() == {}, "a gate that waits for a person, and a ticket behind it, are no fault"
    with transaction() as session:
        assert session.execute(select(Stuck)).scalars().all() == []


def test_a_lost_start_is_planned_anew_and_never_run_without_a_signature(eye: Eye) -> None:
    """A database that was restored or mended by hand has lost an attempt; the step still says that it is to begin."""
    ticket = eye.ticket()
    eye.approve(ticket)
    run("delete from step_attempt where state = 'READY'")
    assert eye.sees() == {}, "not yet: it may be on its way"
    age()
    eye.host()
    found = eye.sees()
    assert list(found) == ["no_progress"]
    item = found["no_progress"]
    assert [one["id"] for one in item["tickets"]] == [str(ticket)]
    assert (item["everybody"], item["repair"]["allowed"]) == (False, True)
    eye.repair(item)
    assert eye.office.desk.steps(ticket)["configure"] == "PLANNING"
    assert eye.sees() == {}
    eye.repair(item, status=409)
    eye.office.desk.work()
    assert WORLD.journal == [], "the approval of the old plan starts nothing"
    eye.approve(ticket)
    eye.office.desk.work()
    assert WORLD.journal == NOTHING_RUNS_TWICE
    told = [event for event in eye.office.desk.events(ticket) if event.kind == "stuck.repair"]
    assert [(one.actor_id, one.body["cause"]) for one in told] == [(str(eye.admin.id), "no_progress")]
    with transaction() as session:
        assert verify_chain(session, ticket)
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "stuck.repair")).one()
        assert (entry.actor_name, entry.detail["reason"]) == ("ann", "a test")


def test_a_run_whose_end_its_step_has_missed_is_a_persons_matter(eye: Eye) -> None:
    desk, ticket = eye.office.desk, eye.ticket()
    desk.approvers = [eye.approver.id]
    desk.until(ticket, "change", "READY")
    begin_and_vanish(desk, ["a"])
    run("update step_attempt set state = 'FAILED', ended_at = clock_timestamp() where state = 'RUNNING'")
    age()
    eye.host()
    eye.repair(eye.sees()["no_progress"])
    assert desk.steps(ticket)["change"] == "UNKNOWN", "a node was under way: only a person knows"
    assert ("change", "a") not in WORLD.journal


def test_a_queued_ticket_with_free_locks_is_let_go(eye: Eye) -> None:
    first = eye.ticket()
    second = eye.ticket("a")
    run("delete from resource_lock", "update ticket set state = 'FAILED', ended_at = now() where id = :id", id=first)
    age()
    eye.host()
    item = eye.sees()["no_progress"]
    assert [one["id"] for one in item["tickets"]] == [str(second)]
    eye.repair(item)
    assert eye.office.desk.state(second) == "ACTIVE"
    assert eye.sees() == {}


def test_a_silent_runner_is_declared_lost_by_a_person_before_its_time(eye: Eye) -> None:
    desk, ticket = eye.office.desk, eye.ticket()
    desk.approvers = [eye.approver.id]
    desk.until(ticket, "change", "READY")
    begin_and_vanish(desk, ["a"])
    found = eye.sees()
    assert list(found) == ["runner_silent"]
    eye.repair(found["runner_silent"], status=403, by=eye.requester)
    eye.repair(found["runner_silent"], by=eye.approver)
    assert desk.state(ticket) == "ATTENTION"
    assert desk.steps(ticket)["change"] == "UNKNOWN"
    assert eye.sees() == {}
    age(timedelta(days=2))
    eye.host()
    overdue = eye.sees()["unknown_unresolved"]
    assert (overdue["repair"], overdue["go"]) == (None, "ticket")
    eye.repair(overdue, status=409)
    unknown = desk.attempts(ticket, "change")[0]
    with transaction() as session:
        verdict = {"a": True}
        commands.resolve(session, ticket, unknown.id, eye.approver.id, verdict, "looked", override=True)
        commands.resolve(session, ticket, unknown.id, eye.admin.id, verdict, "looked too", override=True)
    assert "unknown_unresolved" not in eye.sees()


def test_a_gate_that_nobody_can_sign_is_told_until_somebody_can(eye: Eye) -> None:
    ticket = eye.ticket()
    eye.admin.client.patch(f"/api/v1/users/{eye.approver.id}", json={"disabled": True})
    assert eye.sees() == {}, "the admin may sign too"
    run("delete from role_binding where user_id = :id", id=eye.admin.id)
    boss = eye.office.person("zoe", "auditor")
    with transaction() as session:
        look(session, eye.limits)
    (item,) = boss.get("/stuck")["items"]
    assert (item["cause"], item["go"], item["mine"]) == ("gate_unsignable", "users", False)
    assert "ticket:approve" in item["title"]["en"]
    (mine,) = eye.requester.get("/stuck")["items"]
    assert mine["mine"], "who asked for it is told"
    detail = eye.requester.get(f"/tickets/{ticket}")
    assert detail["waiting"] == {"code": "stuck", **item["title"]}
    eye.office.person("bo", "approver")
    assert eye.requester.get("/stuck")["items"] != []
    with transaction() as session:
        look(session, eye.limits)
    assert eye.requester.get("/stuck")["items"] == []


def test_a_gate_that_waits_long_is_overdue_and_one_past_its_time_is_expired(eye: Eye) -> None:
    ticket = eye.ticket()
    age(timedelta(hours=30))
    eye.host()
    found = eye.sees()
    assert list(found) == ["approval_overdue"]
    assert found["approval_overdue"]["go"] == "ticket"
    age(timedelta(hours=60))
    eye.host()
    found = eye.sees()
    assert list(found) == ["gate_not_expired"]
    eye.repair(found["gate_not_expired"], by=eye.requester)
    assert eye.office.desk.state(ticket) == "EXPIRED"
    assert eye.sees() == {}


def test_an_outside_system_that_does_not_answer_is_waited_for_no_longer(eye: Eye) -> None:
    desk, ticket = eye.office.desk, eye.ticket(flat=True)
    desk.approvers = [eye.approver.id]
    desk.until(ticket, "notice", "WAIT_CALLBACK")
    assert eye.sees() == {}
    age(timedelta(hours=5))
    eye.host()
    item = eye.sees()["callback_overdue"]
    eye.repair(item)
    assert desk.steps(ticket)["notice"] == "FAILED"
    assert eye.sees() == {}
    assert WORLD.journal.count(("notice", "*")) == 1, "nothing is sent again without a retry"


def test_a_ticket_on_which_every_pass_fails_is_named_and_set_aside(eye: Eye) -> None:
    """A bug in one ticket, here a state that no release knows: the others go on."""
    host = Host("here", process.boot_id(), process.death_of, note_failure)
    ticket, other = eye.ticket(), eye.ticket("x")
    run("update step set state = 'NO_SUCH_STATE' where ord = 0 and ticket_id = :id", id=ticket)
    for _ in range(2):
        assert reconcile(get_settings(), host)["failed"] == 1
    assert eye.sees() == {}
    eye.approve(other)
    reconcile(get_settings(), host)
    item = eye.sees()["pass_fails"]
    assert "ValueError" in item["title"]["en"]
    assert [one["id"] for one in item["tickets"]] == [str(ticket)]
    assert eye.repair(item, status=409)["code"] == "no-repair", "it cannot even be paused"
    run("update step set state = 'WAIT_PRE_GATE' where ord = 0 and ticket_id = :id", id=ticket)
    eye.repair(item)
    assert eye.office.desk.state(ticket) == "PAUSED"
    eye.office.desk.work()
    assert eye.office.desk.steps(other)["configure"] == "WAIT_POST_GATE"
    run("update pass_failure set last_at = last_at - interval '1 minute'")
    assert eye.sees() == {}


def test_a_lock_that_outlived_its_ticket_is_released(eye: Eye) -> None:
    ended = eye.ticket(policy="express")
    eye.office.desk.approvers = [eye.approver.id]
    assert eye.office.desk.finish(ended) == "SUCCEEDED"
    outlive(ended)
    item = eye.sees()["lock_outlived"]
    eye.repair(item, status=403, by=eye.approver)
    eye.repair(item)
    assert eye.sees() == {}


def test_who_waits_behind_a_paused_ticket_is_told_so(eye: Eye) -> None:
    first = eye.ticket()
    eye.requester.post(f"/tickets/{first}/pause")
    second = eye.ticket("a")
    age(timedelta(hours=2))
    eye.host()
    item = eye.sees()["held_up"]
    assert [one["id"] for one in item["tickets"]] == [str(first), str(second)]
    eye.repair(item, by=eye.requester)
    assert eye.office.desk.state(first) == "ACTIVE"
    assert eye.sees() == {}
    WORLD.behave["configure:*"] = fail
    eye.approve(first)
    eye.office.desk.work()
    age(timedelta(hours=2))
    eye.host()
    item = eye.sees()["held_up"]
    assert (item["repair"], item["go"]) == (None, "ticket"), "a failed step wants a decision, not a button"


def test_a_run_that_logs_nothing_is_stopped_at_its_next_safe_point(eye: Eye) -> None:
    desk, ticket = eye.office.desk, eye.ticket()
    desk.approvers = [eye.approver.id]
    desk.until(ticket, "change", "READY")
    begin_and_vanish(desk, ["a"])
    age()
    run("update step_attempt set lease_until = now() + interval '1 minute' where state = 'RUNNING'")
    eye.host()
    item = eye.sees()["log_silent"]
    eye.repair(item)
    with transaction() as session:
        assert session.get_one(Ticket, ticket).pause_requested_at is not None


def test_what_a_person_may_not_see_is_not_told(eye: Eye) -> None:
    north = eye.office.api.cluster("north")
    ticket = eye.ticket(scope=north)
    with transaction() as session:
        commands.pause(session, ticket, USER, paused=True)
    eye.ticket("a", scope=north)
    age(timedelta(hours=2))
    eye.host()
    assert "held_up" in eye.sees()
    south = eye.office.api.cluster("south")
    stranger = eye.office.person("sam", "approver", cluster_id=south)
    assert stranger.get("/stuck")["items"] == []
    eye.repair(eye.sees()["held_up"], status=404, by=stranger)
    viewer = eye.office.person("vic", "viewer", cluster_id=north)
    (item,) = viewer.get("/stuck")["items"]
    assert (item["mine"], item["repair"]["allowed"]) == (False, False)
    assert item["repair"]["reason"]["en"] == "You lack the permission: ticket:operate"
