"""From the injection of a cause to the moment at which it is told by its name, and from its repair to its end.

Default settings: what machines do is stuck after 30 s, a look is taken every 5 s. `told_s`: an open page has
heard of it; `visible_s`: the cause is in `GET /api/v1/stuck`; `gone_s`: from the repair, or from the end of the
cause, until it is not. `AUTORKE_STUCK=host_silent,broker_down` chooses some. A cause whose limit is a matter of hours
is brought about by dating its rows back.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from autorke.worker import process
from bench._stuck_site import Site, change, row, site, wait

TARGET_S = 60.0
LOOK_S = 1.0
"""From a look's commit until this bench has read its result, at most: what was told before is of something else."""
Case = Callable[[Site], Iterator[None]]
"""Prepares, yields with the cause brought about, and is resumed once it is visible: to repair it and end it."""


def run() -> dict[str, Any]:
    """Seconds by cause; `late` names those over the target."""
    wanted = [name for name in os.environ.get("AUTORKE_STUCK", "").split(",") if name] or list(CASES)
    with site() as there:
        causes = {name: _measure(there, name) for name in wanted}
    visible = [it["visible_s"] for it in causes.values()]
    late = [name for name, it in causes.items() if it["visible_s"] > TARGET_S]
    return {"target_s": TARGET_S, "worst_visible_s": max(visible), "late": late, "causes": causes}


def _measure(there: Site, name: str) -> dict[str, float]:
    sys.stderr.write(f"stuck: {name}\n")
    with contextmanager(CASES[name])(there):
        begun = time.monotonic()
        wait(lambda: name in there.stuck())
        visible = time.monotonic() - begun
        told = wait(lambda: [moment for moment in there.told if moment >= begun + visible - LOOK_S])[0] - begun
        repaired = time.monotonic()
    wait(lambda: name not in there.stuck())
    gone = time.monotonic() - repaired
    wait(lambda: not there.stuck())
    return {"told_s": round(told, 1), "visible_s": round(visible, 1), "gone_s": round(gone, 1)}


def _no_worker_host(there: Site) -> Iterator[None]:
    there.kill("launcher")
    yield
    there.start("launcher")


def _host_silent(there: Site) -> Iterator[None]:
    there.start("launcher", "second")
    wait(lambda: row("select 1 from host_report where id = 'second'"))
    there.kill("second")
    yield
    there.repair("host_silent")


def _no_reconciler(there: Site) -> Iterator[None]:
    """Somebody keeps a table locked that every pass writes."""
    url = make_url(there.environ["AUTORKE_DATABASE_URL"]).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False)) as link:
        link.execute("lock table outbox in access exclusive mode")
        yield


def _hints_not_taken(there: Site) -> Iterator[None]:
    there.kill("worker")
    yield
    there.repair("hints_not_taken")
    there.start("worker")


def _broker_down(there: Site) -> Iterator[None]:
    there.broker.stop()
    yield
    there.repair("broker_down")
    there.broker.start()


def _hosts_drained(there: Site) -> Iterator[None]:
    change("update runner set drain = true")
    yield
    there.repair("hosts_drained")


def _schedule_overdue(there: Site) -> Iterator[None]:
    schedules = there.schedules()
    os.kill(schedules, signal.SIGSTOP)
    try:
        config = '{"source": {"kind": "csv", "path": "none.csv"}, "mapping": {}}'
        change(
            "insert into cmdb_source (id, version, name, config, enabled, interval_seconds, max_vanished_percent,"
            " machine_ssh_user) values (gen_random_uuid(), 1, 'bench', cast(:c as jsonb), true, 3600, 20, 'root')",
            c=config,
        )
        yield
        there.repair("schedule_overdue")
        wait(lambda: "schedule_overdue" not in there.stuck())
    finally:
        os.kill(schedules, signal.SIGCONT)
        change("delete from cmdb_source")


def _runner_silent(there: Site) -> Iterator[None]:
    ticket = there.submit("runner-silent", seconds=600)
    there.sign(ticket)
    _attempt, pid = there.runner(ticket)
    os.kill(pid, signal.SIGSTOP)
    yield
    there.repair("runner_silent")
    os.kill(pid, signal.SIGKILL)


def _process_left(there: Site) -> Iterator[None]:
    """A tool that has left its runner's session, of a run that has ended a minute ago."""
    ticket = there.submit("process-left")
    there.sign(ticket)
    attempt = wait(lambda: _ended_run(ticket))
    change("update step_attempt set ended_at = ended_at - interval '1 minute' where id = :a", a=attempt)
    tool = subprocess.Popen(["sleep", "600"], env={**os.environ, process.MARKER: str(attempt)}, start_new_session=True)
    yield
    there.repair("process_left")
    tool.wait(60)


def _ended_run(ticket: Any) -> Any:
    found = row(
        "select a.id from step_attempt a join step s on s.id = a.step_id"
        " where s.ticket_id = :t and a.purpose = 'RUN' and a.state = 'SUCCEEDED'",
        t=ticket,
    )
    return found[0] if found else None


def _no_progress(there: Site) -> Iterator[None]:
    """An attempt is lost, as with a backup that was restored; nobody waits for anything."""
    ticket = there.submit("no-progress")
    change("delete from gate where step_id in (select id from step where ticket_id = :t)", t=ticket)
    yield
    there.repair("no_progress")
    there.sign(ticket)


def _pass_fails(there: Site) -> Iterator[None]:
    """A step that begins anew and has forgotten how many attempts it had: each pass violates a constraint."""
    ticket = there.submit("pass-fails")
    change("delete from gate where step_id in (select id from step where ticket_id = :t)", t=ticket)
    change("update step set state = 'PENDING', current_n = 0 where ticket_id = :t", t=ticket)
    yield
    there.repair("pass_fails")
    change("update step set current_n = 1 where ticket_id = :t", t=ticket)
    there.admin.post(f"/tickets/{ticket}/cancel", {"reason": "bench"})


def _gate_unsignable(there: Site) -> Iterator[None]:
    """The only admin leaves the right to approve behind: he may still read."""
    there.submit("gate-unsignable")
    change("update role_binding set role = 'auditor'")
    yield
    change("update role_binding set role = 'admin'")


def _approval_overdue(there: Site) -> Iterator[None]:
    ticket = there.submit("approval-overdue")
    change("update gate set opened_at = opened_at - interval '25 hours' where state = 'OPEN'")
    yield
    there.sign(ticket)
    change("update gate set opened_at = clock_timestamp() where state = 'OPEN'")


def _log_silent(there: Site) -> Iterator[None]:
    ticket = there.submit("log-silent", seconds=60)
    there.sign(ticket)
    attempt, _pid = there.runner(ticket)
    wait(lambda: row("select 1 from log_chunk where ticket_id = :t", t=ticket))
    change("update log_chunk set at = at - interval '11 minutes' where ticket_id = :t", t=ticket)
    change("update step_attempt set started_at = started_at - interval '11 minutes' where id = :a", a=attempt)
    yield
    there.repair("log_silent")


def _lock_outlived(there: Site) -> Iterator[None]:
    ticket = there.submit("lock-outlived")
    there.sign(ticket)
    wait(lambda: row("select 1 from ticket where id = :t and ended_at is not null", t=ticket))
    change("insert into resource_lock (kind, key, ticket_id, fence) values ('ippool', 'bench', :t, 1)", t=ticket)
    yield
    there.repair("lock_outlived")


def _held_up(there: Site) -> Iterator[None]:
    first = there.submit("held-up")
    change("update ticket set pause_requested_at = now(), state = 'PAUSED' where id = :t", t=first)
    second = there.queue("held-up")
    change(
        "update ticket set updated_at = updated_at - interval '2 hours', created_at = created_at - interval '2 hours'"
    )
    yield
    there.repair("held_up")
    for ticket in (first, second):
        there.sign(ticket)


CASES: dict[str, Case] = {
    "hosts_drained": _hosts_drained,
    "gate_unsignable": _gate_unsignable,
    "approval_overdue": _approval_overdue,
    "lock_outlived": _lock_outlived,
    "held_up": _held_up,
    "pass_fails": _pass_fails,
    "log_silent": _log_silent,
    "process_left": _process_left,
    "no_progress": _no_progress,
    "runner_silent": _runner_silent,
    "schedule_overdue": _schedule_overdue,
    "broker_down": _broker_down,
    "hints_not_taken": _hints_not_taken,
    "no_reconciler": _no_reconciler,
    "host_silent": _host_silent,
    "no_worker_host": _no_worker_host,
}
