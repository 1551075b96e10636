"""From a person's approval to the runner that executes the step: real Postgres, broker, Celery worker and launcher.

The clock starts before the approval's transaction and stops in the step's own function, in the runner process. Beside
it, in the same run: Celery alone on the same worker, and Procrastinate on the same database, each from the call to the
first line of an empty task.
Durable writes are off (a throw-away server): add one fsync per commit for a production disk.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from autorke.core import queue
from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.workflow import commands
from autorke.workflow.gates import Decision
from autorke.workflow.models import Attempt, Gate, StepRow
from bench import _engine_host, _procrastinate
from bench._engine import host, wait

TICKETS = int(os.environ.get("AUTORKE_BENCH_TICKETS", "200"))
WARM_UP = 5


def run() -> dict[str, Any]:
    """Figures in milliseconds; `ratio_p50` = engine's p50 over Celery's."""
    with host() as journal:
        tickets = [_submit(journal, f"t{number}") for number in range(TICKETS + WARM_UP)]
        waits = [_approve(ticket, name, journal) for name, ticket in tickets][WARM_UP:]
        intents = _approve_to_intent([ticket for _, ticket in tickets[WARM_UP:]])
        bare = [_bare(f"b{number}", journal, partial(_celery, journal)) for number in range(TICKETS + WARM_UP)][
            WARM_UP:
        ]
        with _procrastinate.running(journal) as defer:
            jobs = [_bare(f"p{number}", journal, defer) for number in range(TICKETS + WARM_UP)][WARM_UP:]
    engine, celery = _figures("approve_to_execution", waits), _figures("celery_call_to_start", bare)
    others = _figures("procrastinate_defer_to_start", jobs)
    ours = engine["approve_to_execution_p50_ms"]
    return {
        "tickets": TICKETS,
        **engine,
        **_figures("approve_to_intent", intents),
        **celery,
        **others,
        "ratio_p50": round(ours / celery["celery_call_to_start_p50_ms"], 1),
        "ratio_p50_to_procrastinate": round(ours / others["procrastinate_defer_to_start_p50_ms"], 1),
    }


def _figures(name: str, seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return {
        f"{name}_p50_ms": round(cuts[49] * 1000, 1),
        f"{name}_p99_ms": round(cuts[98] * 1000, 1),
        f"{name}_max_ms": round(max(seconds) * 1000, 1),
    }


def _submit(journal: str, name: str) -> tuple[str, UUID]:
    with transaction() as session:
        request = _engine_host.BenchIn(journal=journal, name=name)
        ticket, _ = commands.submit(session, "bench", request, new_id())
        return name, ticket.id


def _gate(ticket: UUID) -> Any:
    query = select(Gate.id, Gate.subject_hash).join(StepRow, StepRow.id == Gate.step_id)
    with transaction() as session:
        return session.execute(query.where(StepRow.ticket_id == ticket, Gate.state == "OPEN")).first()


def _approve(ticket: UUID, name: str, journal: str) -> float:
    """Seconds from the call of `decide` to the step's function."""
    gate, subject = wait(lambda: _gate(ticket))
    begun = time.time()
    with transaction() as session:
        commands.decide(session, ticket, {gate: subject}, new_id(), Decision(True, subject))
    at: float = wait(lambda: _noted(journal, name))
    return at - begun


def _bare(name: str, journal: str, call: Callable[[str], object]) -> float:
    """Seconds from the call to the first line of an empty task, which notes its time."""
    begun = time.time()
    call(name)
    at: float = wait(lambda: _noted(journal, name))
    return at - begun


def _celery(journal: str, name: str) -> None:
    queue.app.send_task(_engine_host.BARE, args=[journal, name], ignore_result=True)


def _noted(journal: str, name: str) -> float | None:
    if not Path(journal).exists():
        return None
    for line in reversed(Path(journal).read_text().splitlines()):
        if line.split()[0] == name:
            return float(line.split()[1])
    return None


def _approve_to_intent(tickets: list[UUID]) -> list[float]:
    """By the database's clock: from the READY attempt of the approval to the committed write-ahead intent."""
    query = select(Attempt.intent_at, Attempt.ready_at).join(StepRow, StepRow.id == Attempt.step_id)
    with transaction() as session:
        rows = session.execute(query.where(StepRow.ticket_id.in_(tickets), Attempt.purpose == "RUN")).all()
    return [(row.intent_at - row.ready_at).total_seconds() for row in rows]
