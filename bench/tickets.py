"""Many tickets at once: 100 of seven empty steps with all 14 gates signed by a script, and 500 that wait for locks.

Real Postgres, broker, launcher and a Celery worker of two. Every step is planned and run by a runner of its own, so a
ticket of seven steps is 14 processes. Durable writes are off (a throw-away server).

`engine_s` is the wall clock from the first submit to the end of the last ticket, nothing taken off it: the signing
script looks at all open gates and signs whatever it finds, with as many hands as the api has; the steps are empty.
`cpu_ms_per_attempt` says where it goes; `here` are submits and decisions, as the api makes them, and the script.
"""

from __future__ import annotations

import os
import statistics
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.workflow import commands
from autorke.workflow.gates import Decision
from autorke.workflow.models import Attempt, Event, Gate, StepRow, Ticket
from autorke.workflow.states import TERMINAL_TICKET
from bench import _engine_host
from bench._engine import host, wait
from bench._processes import cpu_seconds

TICKETS = int(os.environ.get("AUTORKE_BENCH_SIGNED", "100"))
QUEUED = int(os.environ.get("AUTORKE_BENCH_QUEUED", "500"))
LOCKS = 10
HANDS = 4
PATIENCE = 180.0

Open = dict[UUID, dict[UUID, str]]
"""Gates to sign by ticket, each with the hash of what is signed."""


def run() -> dict[str, Any]:
    with host() as journal:
        wait(lambda: _submit("bench_seven", "warm", "", journal), PATIENCE)
        _sign_all(1)
        return {**_signed(journal), **_queued(journal)}


def _submit(flow: str, name: str, lock: str, journal: str) -> UUID:
    with transaction() as session:
        request = _engine_host.BenchIn(journal=journal, name=name, lock=lock)
        return commands.submit(session, flow, request, new_id())[0].id


def _signed(journal: str) -> dict[str, Any]:
    began, burnt = time.monotonic(), cpu_seconds()
    with ThreadPoolExecutor(HANDS) as pool:
        list(pool.map(lambda n: _submit("bench_seven", f"s{n}", "", journal), range(TICKETS)))
    submitted = time.monotonic() - began
    gates = _sign_all(TICKETS + 1)
    seconds = time.monotonic() - began
    attempts = TICKETS * 14
    each = {kind: (now - burnt[kind]) / attempts * 1000 for kind, now in cpu_seconds().items()}
    return {
        "signed_tickets": TICKETS,
        "gates": gates,
        "submit_s": round(submitted, 2),
        "engine_s": round(seconds, 2),
        "attempts_per_s": round(attempts / seconds, 1),
        "cpu_ms_per_attempt": {kind: round(ms, 1) for kind, ms in each.items()},
    }


def _sign_all(ended: int) -> int:
    """Sign whatever opens until so many tickets have ended; how many gates were signed."""
    deadline, signed = time.monotonic() + PATIENCE, 0
    with ThreadPoolExecutor(HANDS) as pool:
        while _ended() < ended:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{_ended()} of {ended} tickets ended within {PATIENCE:g} s")
            found = _open_gates()
            signed += sum(pool.map(lambda one: _sign(*one), found.items()))
            if not found:
                time.sleep(0.01)
    return signed


def _ended() -> int:
    with transaction() as session:
        return session.scalars(select(func.count()).where(Ticket.state.in_(TERMINAL_TICKET))).one()


def _open_gates() -> Open:
    query = select(StepRow.ticket_id, Gate.id, Gate.subject_hash).join(StepRow, StepRow.id == Gate.step_id)
    found: Open = defaultdict(dict)
    with transaction() as session:
        for ticket, gate, subject in session.execute(query.where(Gate.state == "OPEN")):
            found[ticket][gate] = subject
    return found


def _sign(ticket: UUID, gates: dict[UUID, str]) -> int:
    with transaction() as session:
        commands.decide(session, ticket, gates, new_id(), Decision(True, next(iter(gates.values()))))
    return len(gates)


def _queued(journal: str) -> dict[str, Any]:
    """QUEUED tickets of one step over LOCKS locks. Pick-up: from the end of the lock's last holder until the runner of
    the next ticket begins its plan."""
    before = _ended()
    began = time.monotonic()
    locks = [f"lock-{n % LOCKS}" for n in range(QUEUED)]
    tickets = [_submit("bench", f"q{n}", lock, journal) for n, lock in enumerate(locks)]
    submitted = time.monotonic() - began
    _sign_all(before + QUEUED)
    seconds = time.monotonic() - began
    by_lock: dict[str, list[UUID]] = defaultdict(list)
    for ticket, lock in zip(tickets, locks, strict=True):
        by_lock[lock].append(ticket)
    pick_ups, overtaken = _pick_ups(list(by_lock.values()))
    cuts = statistics.quantiles(pick_ups, n=100)
    return {
        "queued_tickets": QUEUED,
        "locks": LOCKS,
        "queued_submit_s": round(submitted, 1),
        "queued_all_done_s": round(seconds, 1),
        "pick_up_p50_ms": round(cuts[49] * 1000),
        "pick_up_p95_ms": round(cuts[94] * 1000),
        "pick_up_max_ms": round(max(pick_ups) * 1000),
        "overtaken": overtaken,
        "never_picked_up": QUEUED - _begun(tickets),
    }


def _pick_ups(queues: list[list[UUID]]) -> tuple[list[float], int]:
    """(seconds by ticket, tickets that began before one that stood before them), queues in order of submit."""
    first = func.min(Attempt.intent_at).label("begun")
    query = select(Ticket.id, Ticket.ended_at, first).join(StepRow, StepRow.ticket_id == Ticket.id)
    query = query.join(Attempt, Attempt.step_id == StepRow.id).group_by(Ticket.id)
    with transaction() as session:
        rows = {row.id: (row.begun, row.ended_at) for row in session.execute(query)}
    waits, overtaken = [], 0
    for queue in queues:
        for earlier, later in pairwise(queue):
            wait_s = (rows[later][0] - rows[earlier][1]).total_seconds()
            overtaken += wait_s < 0
            waits.append(wait_s)
    return waits, overtaken


def _begun(tickets: list[UUID]) -> int:
    query = select(func.count(Event.ticket_id.distinct())).where(Event.kind == "attempt.started")
    with transaction() as session:
        return session.scalars(query.where(Event.ticket_id.in_(tickets))).one()
