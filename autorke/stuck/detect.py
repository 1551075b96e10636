"""The judgement: from what a look has seen to what is stuck, by named causes. Pure; docs/stuck.md has the table.

A fact that explains others is told alone: without any worker host it is not said of each that it is silent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from autorke.stuck.facts import Finding, Held, HostFacts, Limits, Observed, OpenGate, People, Ready
from autorke.workflow import signing
from autorke.workflow.signing import Holding, Signer, Subject

MOST_TICKETS = 50
"""That one finding names."""
MOST = 200
"""Findings of one look that are kept; what is cut off comes when others are gone."""


def detect(seen: Observed, limits: Limits) -> list[Finding]:
    """Everything that is stuck, what concerns the whole installation first."""
    found = [
        *_hosts(seen, limits),
        *_overdue(seen),
        *_held(seen, limits),
        *_gates(seen, limits),
        *_awaited(seen, limits),
        *_tickets(seen, limits),
        *_locks(seen, limits),
    ]
    return found[:MOST]


# worker hosts, the broker, and what waits for both ------------------------------------------------------------------


def _hosts(seen: Observed, limits: Limits) -> Iterator[Finding]:
    soonest = seen.now - limits.after
    fresh = [host for host in seen.hosts if host.last_seen >= soonest and not host.stopped]
    late = [one for one in seen.ready if one.since < soonest]
    tickets = tuple(dict.fromkeys(one.ticket_id for one in late))[:MOST_TICKETS]
    usable = [host for host in fresh if not host.drain]
    down = _broker_down(seen, fresh, limits)
    if not fresh:
        yield from _no_host(seen, soonest, tickets)
    else:
        yield from _no_reconciler(fresh, soonest)
        for host in seen.hosts:
            if host.last_seen < soonest and not host.stopped:
                yield Finding("host_silent", host.id, host.last_seen, {"host": host.id})
        if not usable:
            names = ", ".join(host.id for host in fresh)
            yield Finding("hosts_drained", "", None, {"hosts": names}, tickets)
    if down is not None:
        yield Finding("broker_down", "", down, {}, tickets)
    if usable:
        deaf = seen.canary_since if seen.canary_since is not None and seen.canary_since < soonest else None
        yield from _waiting_for_hosts(late, usable, down is not None, deaf)
    for host in fresh:
        yield from _of_host(host, limits)


def _no_host(seen: Observed, soonest: datetime, tickets: tuple[UUID, ...]) -> Iterator[Finding]:
    """One that has said goodbye and is back within the time, as in a restart, is not missed."""
    last = max((host.last_seen for host in seen.hosts), default=None)
    if last is not None and last >= soonest:
        return
    names = ", ".join(host.id for host in seen.hosts[:10]) or "–"
    yield Finding("no_worker_host", "", last, {"hosts": names}, tickets)


def _no_reconciler(fresh: Sequence[HostFacts], soonest: datetime) -> Iterator[Finding]:
    """Hosts report, and yet no pass ends: each fails, or hangs."""
    last = max((host.last_pass for host in fresh if host.last_pass is not None), default=None)
    if last is not None and last < soonest:
        names = ", ".join(host.id for host in fresh)
        yield Finding("no_reconciler", "", last, {"hosts": names})


def _broker_down(seen: Observed, fresh: Sequence[HostFacts], limits: Limits) -> datetime | None:
    """Since when; what worker hosts say counts before what a process says that only serves pages."""
    said = [host.broker_down_since for host in fresh] if fresh else [seen.broker_down_since]
    since = min((moment for moment in said if moment is not None), default=None)
    return since if since is not None and since < seen.now - limits.after / 3 else None


def _waiting_for_hosts(
    late: Sequence[Ready], usable: Sequence[HostFacts], broker_down: bool, deaf_since: datetime | None
) -> Iterator[Finding]:
    carried = {handler for host in usable for handler in host.handlers}
    missing: dict[str, list[Ready]] = {}
    for one in late:
        if one.handler not in carried:
            missing.setdefault(one.handler, []).append(one)
    for handler, waiting in missing.items():
        since = min(one.since for one in waiting)
        yield _of_ready("handler_missing", handler, waiting, since, {"handler": handler})
    rest = [one for one in late if one.handler in carried]
    if broker_down:
        return
    if deaf_since is not None:
        yield _of_ready("hints_not_taken", "", rest, deaf_since, {})
    elif rest:
        yield _of_ready("not_claimed", "", rest, min(one.since for one in rest), {})


def _of_ready(cause: str, subject: str, waiting: Sequence[Ready], since: datetime, evidence: dict[str, str]) -> Finding:
    tickets = tuple(dict.fromkeys(one.ticket_id for one in waiting))
    return Finding(cause, subject, since, {**evidence, "count": len(tickets)}, tickets[:MOST_TICKETS])


def _of_host(host: HostFacts, limits: Limits) -> Iterator[Finding]:
    if host.run_dir_free is not None and host.run_dir_free < limits.run_dir:
        evidence = {"host": host.id, "free_mb": host.run_dir_free // 1_000_000}
        yield Finding("run_dir_full", host.id, None, evidence)
    if host.skew_ms is not None and abs(host.skew_ms) > limits.skew.total_seconds() * 1000:
        yield Finding("clock_skew", host.id, None, {"host": host.id, "seconds": round(host.skew_ms / 1000)})


def _overdue(seen: Observed) -> Iterator[Finding]:
    for source in seen.overdue:
        evidence = {"name": source.name, "source": str(source.source_id)}
        yield Finding("schedule_overdue", str(source.source_id), source.since, evidence)


# attempts -----------------------------------------------------------------------------------------------------------


def _held(seen: Observed, limits: Limits) -> Iterator[Finding]:
    soonest = seen.now - limits.after
    where = {
        attempt: host.id for host in seen.hosts if host.last_seen >= soonest for attempt in host.alive
    }  # a host that is silent now says nothing about processes
    for it in seen.held:
        about = {**it.title, "n": it.n, "host": it.runner_id or "–"}
        here = (it.ticket_id,), it.scope_id
        host = where.get(str(it.attempt_id))
        if it.state == "RUNNING" and it.lease_until is not None and it.lease_until < seen.now:
            yield Finding("runner_silent", str(it.attempt_id), it.lease_until, about, *here)
        elif host is not None and _over_since(it, soonest):
            yield Finding("process_left", str(it.attempt_id), _end(it), {**about, "host": host}, *here)
        elif it.state == "UNKNOWN" and it.lease_until is not None and it.lease_until < seen.now - limits.decision:
            yield Finding("unknown_unresolved", str(it.attempt_id), it.lease_until, about, *here)


def _end(it: Held) -> datetime | None:
    return it.ended_at or it.lease_until


def _over_since(it: Held, soonest: datetime) -> bool:
    """Over for this long: ended, or declared lost; processes of an attempt may need a moment to go."""
    over = it.ended_at is not None or (it.state == "UNKNOWN" and not it.proven)
    end = _end(it)
    return over and end is not None and end < soonest


# gates --------------------------------------------------------------------------------------------------------------


def _gates(seen: Observed, limits: Limits) -> Iterator[Finding]:
    reachable: dict[tuple[object, ...], bool] = {}
    for gate in seen.gates:
        about = {**gate.title, "permission": gate.permission, "quorum": gate.quorum}
        here = (gate.ticket_id,), gate.scope_id
        if gate.expires_at is not None and gate.expires_at < seen.now - limits.after:
            yield Finding("gate_not_expired", str(gate.gate_id), gate.expires_at, about, *here)
            continue
        key = (gate.requester_id, gate.scope_id, gate.permission, gate.quorum, *sorted(gate.decided.items()))
        if key not in reachable:
            reachable[key] = quorum_in_reach(gate, seen.people)
        if not reachable[key]:
            yield Finding("gate_unsignable", str(gate.gate_id), None, about, *here)
        elif gate.opened_at < seen.now - limits.decision:
            yield Finding("approval_overdue", str(gate.gate_id), gate.opened_at, about, *here)


def quorum_in_reach(gate: OpenGate, people: People) -> bool:
    """Are there enough persons, besides those who have signed, whose signatures would count?"""
    decided = {UUID(who): what for who, what in gate.decided.items()}
    subject = Subject(gate.requester_id, gate.scope_id, gate.permission, decided=decided)
    missing = gate.quorum - sum(what == "APPROVE" for what in decided.values())
    found: set[UUID] = set()
    for user_id in people.rights.bindings:
        if len(found) >= missing:
            return True
        if people.rights.may_see(user_id, "ticket:read", gate.scope_id):
            signer = Signer(user_id, cast(Holding, people.rights.may), people.stand_ins.get(user_id, ()))
            answer = signing.may_sign(signer, subject)
            if answer.may_sign:
                found.add(answer.acting_for or user_id)
    return len(found) >= missing


# tickets ------------------------------------------------------------------------------------------------------------


def _awaited(seen: Observed, limits: Limits) -> Iterator[Finding]:
    for it in seen.awaited:
        over = it.deadline is not None and it.deadline < seen.now - limits.after
        if over or it.since < seen.now - limits.callback:
            evidence = {**it.title, "step_id": str(it.step_id)}
            yield Finding("callback_overdue", str(it.step_id), it.since, evidence, (it.ticket_id,), it.scope_id)


def _tickets(seen: Observed, limits: Limits) -> Iterator[Finding]:
    failing = {it.ticket_id for it in seen.failing}
    for it in seen.failing:
        evidence = {"error": it.error, "times": it.times, "what": it.what}
        tickets = (it.ticket_id,) if it.ticket_id is not None else ()
        yield Finding("pass_fails", f"{it.what} {it.item}", it.since, evidence, tickets, it.scope_id)
    for one in seen.unmoved:
        if one.ticket_id not in failing:
            yield Finding("no_progress", str(one.ticket_id), one.since, {}, (one.ticket_id,), one.scope_id)
    for run in seen.mute:
        if run.since < seen.now - limits.silence:
            minutes = int(limits.silence.total_seconds() // 60)
            evidence = {**run.title, "minutes": minutes}
            yield Finding("log_silent", str(run.attempt_id), run.since, evidence, (run.ticket_id,), run.scope_id)


def _locks(seen: Observed, limits: Limits) -> Iterator[Finding]:
    for lock in seen.outlived:
        evidence = {"kind": lock.kind, "key": lock.key, "number": lock.number}
        subject = f"{lock.kind}/{lock.key}"
        yield Finding("lock_outlived", subject, lock.since, evidence, (lock.ticket_id,), lock.scope_id)
    behind: dict[UUID, list[int]] = {}
    for at, it in enumerate(seen.behind):
        if it.since < seen.now - limits.behind:
            behind.setdefault(it.holder_id, []).append(at)
    for holder_id, places in behind.items():
        waiting = [seen.behind[at] for at in places]
        first = min(waiting, key=lambda it: it.since)
        evidence = {"number": first.number, "count": len(waiting), "state": first.state}
        tickets = (holder_id, *(it.ticket_id for it in waiting[: MOST_TICKETS - 1]))
        yield Finding("held_up", str(holder_id), first.since, evidence, tickets, first.scope_id)
