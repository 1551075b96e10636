"""Causes of single tickets. Where a limit is a matter of hours or minutes (`AUTORKE_STUCK_DECISION`, `_BEHIND`,
`_CALLBACK`, `_SILENCE`) the thing is brought about, and then its row says that it was that long ago.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

from autorke.worker import process
from autorke.workflow import callbacks
from bench._stuck_site import Case, Site, change, must, row, wait


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


def _unknown_unresolved(there: Site) -> Iterator[None]:
    """A runner is killed, its death is proven, the probe has looked; that was a day ago. Then one person decides."""
    ticket = there.submit("unknown", seconds=600)
    there.sign(ticket)
    attempt, pid = there.runner(ticket)
    os.kill(pid, signal.SIGKILL)
    wait(lambda: row(_PROBED, a=attempt))
    change("update step_attempt set lease_until = lease_until - interval '24 hours' where id = :a", a=attempt)
    yield
    verdict = {"verdicts": {"unknown": False}, "reason": "bench"}
    there.admin.post(f"/tickets/{ticket}/attempts/{attempt}/resolution", verdict)
    wait(lambda: "unknown_unresolved" not in there.stuck())
    there.admin.post(f"/tickets/{ticket}/close", {"reason": "bench"})


_PROBED = """
select 1 from step_attempt p join step_attempt a on p.parent_id = a.id
 where a.id = :a and a.death_proof is not null and p.purpose = 'PROBE' and p.state = 'SUCCEEDED'
"""


def _gate_not_expired(there: Site) -> Iterator[None]:
    """A gate's three days are over while nobody runs the reconciler; the api expires it on demand."""
    ticket = there.submit("gate-not-expired")
    there.kill("launcher")
    change(
        "update gate set expires_at = clock_timestamp() where step_id in (select id from step where ticket_id = :t)",
        t=ticket,
    )
    yield
    there.repair("gate_not_expired")
    must(there.state(ticket) == "EXPIRED", "the gate and its ticket have expired")
    there.start("launcher")


def _callback_overdue(there: Site) -> Iterator[None]:
    """An outside system was asked four hours ago. Waited for no longer, its late answer is recorded and not applied; a
    retry asks again, and the answer to that counts."""
    ticket = there.submit("callback-overdue", flow="ground-call")
    there.sign(ticket)
    wait(lambda: row(_WAITS, t=ticket))
    change(
        "update step_attempt set ended_at = ended_at - interval '4 hours' where purpose = 'RUN'"
        " and step_id in (select id from step where ticket_id = :t)",
        t=ticket,
    )
    yield
    there.repair("callback_overdue")
    must(not _answer(there, _asked(there)[0]), "a late answer is not applied")
    there.admin.post(f"/tickets/{ticket}/retry", {"step": "ask"})
    there.sign(ticket)
    wait(lambda: row(_WAITS, t=ticket))
    must(_answer(there, _asked(there)[1]), "the answer to the second question is applied")
    there.end(ticket)


_WAITS = "select 1 from step where ticket_id = :t and state = 'WAIT_CALLBACK'"


def _asked(there: Site) -> list[list[str]]:
    """Address and key of every question, as the outside system was given them."""
    lines = (there.place / "journal").read_text().splitlines()
    return [line.split()[1:] for line in lines if line.startswith("ASKED ")]


def _answer(there: Site, asked: list[str]) -> bool:
    """The outside system calls back; was it applied?"""
    (token, secret), body, stamp = asked, json.dumps({"order": 7}).encode(), str(int(time.time()))
    signed = {"X-AutoRke-Timestamp": stamp, "X-AutoRke-Signature": callbacks.sign(secret, stamp, body)}
    answer = there.admin.call("POST", f"/callbacks/{token}", content=body, headers=signed)
    return bool(answer["applied"])


CASES: dict[str, Case] = {
    "gate_unsignable": _gate_unsignable,
    "approval_overdue": _approval_overdue,
    "gate_not_expired": _gate_not_expired,
    "callback_overdue": _callback_overdue,
    "lock_outlived": _lock_outlived,
    "held_up": _held_up,
    "pass_fails": _pass_fails,
    "log_silent": _log_silent,
    "process_left": _process_left,
    "no_progress": _no_progress,
    "runner_silent": _runner_silent,
    "unknown_unresolved": _unknown_unresolved,
}
