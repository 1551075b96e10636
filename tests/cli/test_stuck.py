"""What is stuck, on the command line."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from autorke.core.db import db_now, transaction
from autorke.core.settings import Settings
from autorke.stuck.facts import Limits
from autorke.stuck.models import HostReport
from autorke.stuck.watch import look
from autorke.workflow.models import Runner
from tests.cli.site import Person, Site


@pytest.fixture
def drained(site: Site) -> None:
    """The only worker host claims nothing."""
    with transaction() as session:
        now = db_now(session)
        session.add(Runner(id="h1", host="h1", boot_id="b", version="1", handlers=[], last_seen=now, drain=True))
        session.add(HostReport(id="h1", last_pass=now, skew_ms=0, run_dir_free=10**9, alive=[]))
    seen()


def seen() -> None:
    with transaction() as session:
        session.execute(text("update runner set last_seen = clock_timestamp()"))
        session.execute(text("update host_report set last_pass = clock_timestamp()"))
        look(session, Limits.of(Settings()))


def test_what_is_stuck_is_listed_and_repaired_after_a_question(
    site: Site, drained: None, requester: Person, admin: Person
) -> None:
    assert drained is None
    told = requester.ok("stuck", "list", lang="zh_CN.UTF-8")
    assert "所有执行主机都已停止领取" in told.stdout.replace("\n", "")
    words = ("stuck", "repair", "hosts_drained", "--reason", "the maintenance is over")
    assert requester.run(*words, "--yes").exit_code == 3
    assert admin.run(*words, text="n\n").exit_code == 1
    assert admin.run("stuck", "repair", "no_progress", "-r", "x", "--yes").exit_code == 4
    done = admin.ok(*words, text="y\n")
    assert "claim what is ready again" in done.stderr
    seen()
    assert admin.json("stuck", "list")["items"] == []
    assert "Nothing is stuck" in admin.ok("stuck", "list").stderr
    assert admin.run(*words, "--yes").exit_code == 4


def test_of_several_one_is_named_by_its_ticket(site: Site, requester: Person, admin: Person) -> None:
    for node in "ab":
        site.toy(requester, nodes=[node])
    site.work()
    with transaction() as session:
        session.execute(text("delete from gate"))
        session.execute(text("update ticket set updated_at = updated_at - interval '1 hour'"))
        look(session, Limits.of(Settings()))
    words = ("stuck", "repair", "no_progress", "-r", "restored", "--yes")
    assert "--ticket" in admin.run(*words).stderr
    assert admin.json(*words, "--ticket", "2")["tickets"][0]["number"] == 2
