"""Worker hosts, the broker and schedules: what is missing is named once, and repaired where a button can."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from autorke.cmdb.models import CmdbSource
from autorke.core.db import db_now, transaction
from autorke.core.settings import Settings
from autorke.stuck import watch
from autorke.stuck.hosts import HostWatch, Means, canary_taken, say_goodbye, skew_between
from autorke.stuck.models import HostReport, Look, Stuck
from autorke.stuck.watch import Watcher
from autorke.stuck.words import CAUSES
from autorke.worker import process
from autorke.workflow.models import Runner
from tests.api import counted
from tests.stuck.eye import Eye, age, run
from tests.workflow.vanish import begin_and_vanish

BUDGETS: dict[str, int] = json.loads((Path(__file__).parents[1] / "query_counts.json").read_text())
NOW = Settings(stuck_every=timedelta(minutes=5), stuck_after=timedelta(0))


def never(*_: Any) -> Any:
    raise AssertionError("not asked for")


def of_host(name: str = "here", **means: Any) -> HostWatch:
    """The watch of this machine, with these means."""
    kept: dict[str, Any] = {
        "marked": set,
        "lives": lambda _attempt: False,
        "end": never,
        "launch": never,
        "canary": int,
    }
    return HostWatch(NOW, name, process.boot_id(), Means(**{**kept, **means}))


def test_without_any_worker_host_that_is_told_and_nothing_else(eye: Eye) -> None:
    ticket = eye.ticket()
    eye.approve(ticket)
    age()
    eye.host("here", ago=3600)
    eye.host("there", ago=7200)
    found = eye.sees()
    assert list(found) == ["no_worker_host"]
    item = found["no_worker_host"]
    assert [one["id"] for one in item["tickets"]] == [str(ticket)]
    assert "here, there" in item["title"]["en"]
    assert (item["everybody"], item["mine"]) == (True, True)
    eye.repair(item, status=403, by=eye.approver)
    assert eye.repair(item)["repair_by"] == str(eye.admin.id)
    assert eye.repair(item, status=409)["code"] == "repair-asked"
    assert eye.sees()["no_worker_host"]["repair_at"] is not None, "the stand-in lasts until a host is back"
    eye.host("here")
    assert list(eye.sees()) == ["host_silent", "not_claimed"], "now each fact is told for itself"


def test_a_host_that_stops_on_purpose_is_not_missed_and_one_that_is_gone_is_forgotten(eye: Eye) -> None:
    eye.host("old", ago=3600)
    item = eye.sees()["host_silent"]
    eye.repair(item)
    with transaction() as session:
        assert session.get(Runner, "old") is None
    assert eye.sees() == {}
    eye.host("resting", ago=3600)
    say_goodbye("resting")
    assert eye.sees() == {}
    say_goodbye("here")
    assert eye.sees() == {}, "a restart takes a moment"


def test_a_host_with_an_attempt_that_may_live_is_not_forgotten(eye: Eye) -> None:
    desk, ticket = eye.office.desk, eye.ticket()
    desk.approvers = [eye.approver.id]
    desk.until(ticket, "change", "READY")
    begin_and_vanish(desk, ["a"])
    eye.host("here", ago=3600)
    eye.host("other")
    found = eye.sees()
    assert list(found) == ["host_silent", "runner_silent"]
    assert eye.repair(found["host_silent"], status=409)["code"] == "host-still-needed"


def test_passes_that_never_end_are_told_although_the_host_reports(eye: Eye) -> None:
    with transaction() as session:
        before = db_now(session) - timedelta(minutes=5)
    eye.host(last_pass=before)
    assert list(eye.sees()) == ["no_reconciler"]
    eye.host()
    assert eye.sees() == {}


def test_drained_hosts_claim_again(eye: Eye) -> None:
    eye.host(drain=True)
    item = eye.sees()["hosts_drained"]
    assert eye.office.api.anonymous.get("/api/v1/health").json()["stuck"] == 1
    eye.repair(item)
    assert eye.sees() == {}
    assert eye.office.api.anonymous.get("/api/v1/health").json()["stuck"] == 0


def test_a_full_host_is_drained_until_there_is_room(eye: Eye) -> None:
    eye.host(run_dir_free=5_000_000)
    item = eye.sees()["run_dir_full"]
    assert "5 MB" in item["title"]["en"]
    eye.repair(item)
    with transaction() as session:
        assert session.get_one(Runner, "here").drain
    assert set(eye.sees()) == {"run_dir_full", "hosts_drained"}, "it says what the drain means where there is no other"
    with transaction() as session:
        session.get_one(HostReport, "here").run_dir_free = 10**9
    eye.sees()
    assert eye.sees() == {}
    with transaction() as session:
        assert not session.get_one(Runner, "here").drain


def test_a_clock_that_is_off_is_told_and_left_to_a_person(eye: Eye) -> None:
    eye.host(skew_ms=-600_000)
    item = eye.sees()["clock_skew"]
    assert "-600 s" in item["title"]["en"]
    assert eye.repair(item, status=409)["code"] == "no-repair"
    eye.host()
    assert eye.sees() == {}


def test_a_flow_that_no_host_carries_parks_its_tickets(eye: Eye) -> None:
    ticket = eye.ticket()
    eye.approve(ticket)
    age()
    eye.host()
    with transaction() as session:
        session.get_one(Runner, "here").handlers = ["another.step@1"]
    item = eye.sees()["handler_missing"]
    assert "toy.configure@" in item["title"]["en"]
    assert [one["id"] for one in item["tickets"]] == [str(ticket)]
    eye.host("new")
    assert "handler_missing" not in eye.sees()


def test_a_schedule_that_is_late_is_told(eye: Eye) -> None:
    with transaction() as session:
        session.add(CmdbSource(name="main", config={}, next_due_at=db_now(session)))
    assert eye.sees() == {}
    run("update cmdb_source set next_due_at = now() - interval '1 minute'")
    item = eye.sees()["schedule_overdue"]
    assert '"main"' in item["title"]["en"]
    eye.repair(item, status=403, by=eye.requester)
    eye.repair(item)
    run("update cmdb_source set next_due_at = now() + interval '1 minute'")
    assert eye.sees() == {}


def test_starts_are_claimed_directly_only_while_that_is_asked_for(eye: Eye) -> None:
    ticket = eye.ticket()
    eye.approve(ticket)
    age()
    taken: list[str] = []
    host = of_host(launch=taken.append)
    host.after_pass()
    eye.host()
    item = eye.sees()["not_claimed"]
    host.after_pass()
    assert taken == []
    eye.repair(item)
    host.after_pass()
    assert taken == [str(attempt) for attempt in eye.office.desk.ready()]
    eye.office.desk.work()
    assert eye.sees() == {}
    host.after_pass()
    assert len(taken) == 1


def test_celery_workers_that_take_no_canary_are_told_before_anything_waits(eye: Eye) -> None:
    sent: list[int] = []
    means = Means(set, lambda _attempt: False, never, never, lambda: sent.append(1))
    host = HostWatch(Settings(stuck_after=timedelta(minutes=30)), "here", process.boot_id(), means)
    host.after_pass()
    host.after_pass()
    assert sent == [1], "not with every pass"
    assert eye.sees() == {}, "it may be on its way"
    run("update stuck_look set at = at - interval '31 seconds' where id = 3")
    item = eye.sees()["hints_not_taken"]
    assert item["tickets"] == []
    canary_taken("worker-1")
    assert eye.sees() == {}


def test_a_process_that_outlives_its_attempt_is_found_and_ended(eye: Eye) -> None:
    desk, ticket = eye.office.desk, eye.ticket()
    desk.approvers = [eye.approver.id]
    desk.until(ticket, "change", "READY")
    held = begin_and_vanish(desk, ["a"])
    tool = subprocess.Popen(["sleep", "60"], env={**os.environ, process.MARKER: str(held.attempt_id)})
    try:
        host = of_host(marked=process.marked, lives=process.lives, end=process.end)
        eye.repair(eye.sees()["runner_silent"])
        age()
        host.after_pass()
        eye.host(alive=[str(held.attempt_id)])
        item = eye.sees()["process_left"]
        assert tool.poll() is None
        eye.repair(item)
        host.after_pass()
        assert tool.wait(60) == -9
        host.after_pass()
        with transaction() as session:
            assert str(held.attempt_id) not in session.get_one(HostReport, "here").alive
        assert "process_left" not in eye.sees()
    finally:
        tool.kill()
        tool.wait(60)


def test_a_host_reports_what_it_is_and_whether_the_broker_answers(eye: Eye, configured_redis: str) -> None:
    host = of_host("worker-1")
    host.after_pass()
    with transaction() as session:
        report = session.get_one(HostReport, "worker-1")
        assert abs(report.skew_ms) < 1000, "one machine, one clock, however long the answer took"
        assert report.run_dir_free > 0
        assert report.broker_down_since is None


@pytest.mark.parametrize(
    ("told", "skew"), [(100.0, 0), (103.5, 0), (104.0, 0), (99.5, 0.5), (97.0, 3.0), (104.5, -0.5), (700.0, -596.0)]
)
def test_what_the_wait_for_an_answer_explains_is_no_skew(told: float, skew: float) -> None:
    assert skew_between(100.0, told, 104.0) == skew


def test_one_look_at_a_time_and_not_before_its_time(eye: Eye) -> None:
    first, second = Watcher(NOW, "one"), Watcher(NOW, "two")
    assert first.turn()
    assert not second.turn()
    run("update stuck_look set at = at - interval '5 minutes' where id = 1")
    assert second.turn()
    with transaction() as session:
        assert session.get_one(Look, Look.LOOK).by == "two"
    run("update stuck_look set at = at - interval '5 minutes' where id = 1")
    assert not Watcher(Settings(stuck_every=timedelta(0)), "off").turn()
    assert not Watcher(Settings(), "just begun").turn()


def test_what_is_gone_stays_in_the_records_for_a_while(eye: Eye) -> None:
    eye.host(skew_ms=60_000)
    eye.sees()
    eye.host()
    eye.sees()
    with transaction() as session:
        assert session.execute(select(Stuck.cause).where(Stuck.gone_at.is_not(None))).scalars().all() == ["clock_skew"]
    run("update stuck set gone_at = gone_at - interval '31 days'")
    eye.host(skew_ms=60_000)
    eye.sees()
    eye.host()
    eye.sees()
    with transaction() as session:
        assert len(session.execute(select(Stuck)).scalars().all()) == 1


def test_looking_and_reading_have_their_budgets(eye: Eye, engine: Any) -> None:
    for ticket in [eye.ticket(node) for node in "abcd"][:3]:
        eye.approve(ticket)
    age()
    eye.host()
    with counted(engine) as statements, transaction() as session:
        watch.look(session, eye.limits)
    assert len(statements) <= BUDGETS["stuck.look"], "\n".join(statements)
    with counted(engine) as statements:
        (item,) = eye.admin.get("/stuck")["items"]
    assert len(item["tickets"]) == 3
    assert len(statements) <= BUDGETS["stuck.list"], "\n".join(statements)


def test_every_cause_says_what_it_is_and_what_to_do_in_both_languages() -> None:
    for name, cause in CAUSES.items():
        texts = [cause.title, cause.remedy, *([cause.repair.label, cause.repair.effect] if cause.repair else [])]
        assert all(it.zh and it.en for it in texts), name
        assert cause.repair or cause.go or name == "clock_skew", name
