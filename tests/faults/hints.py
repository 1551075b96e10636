"""T4: hints are lost, doubled, late and shuffled; each attempt starts once, and what was never hinted starts too.

One round is one attempt's hint, sent 0, 1, 5 or 50 times among all others by several senders at once. What got none is
left to the reconciler (P1, P12).
"""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text

from autorke.core.db import transaction
from autorke.workflow import outbox
from autorke.workflow.attempts import Claim
from autorke.workflow.models import Attempt, Event
from tests.faults import place
from tests.workflow.conftest import Desk
from tests.workflow.toy import WORLD

TIMES = (0, 1, 5, 50)
SENDERS = 8
WAVE = 100
"""Tickets that wait for their hints at the same time; each has two attempts: planning and running."""


def run(seed: int, rounds: int) -> dict[str, Any]:
    figures: Counter[str] = Counter()
    with place.seeded(seed) as dice:
        while figures["attempts"] < rounds:
            with place.desk(pool_size=SENDERS) as desk:
                _wave(desk, dice, min(WAVE, (rounds - figures["attempts"] + 1) // 2), figures)
    return dict(figures)


def _wave(desk: Desk, dice: random.Random, tickets: int, figures: Counter[str]) -> None:
    """Tickets with one changing step's gate (express): configure is planned and run, then the change is planned."""
    ids = [desk.submit(nodes=[f"m{number}"], policy="standard") for number in range(tickets)]
    for _stage in ("plan", "run"):
        _storm(desk, dice, figures)
    starts = Counter(entry for entry in WORLD.journal if entry[0] == "configure")
    assert starts[("configure", "*")] == tickets, starts
    with transaction() as session:
        started = select(Event.ticket_id, func.count()).where(Event.kind == "attempt.started")
        per_ticket = dict(session.execute(started.group_by(Event.ticket_id)).all())
    assert per_ticket == dict.fromkeys(ids, 2), per_ticket


def _storm(desk: Desk, dice: random.Random, figures: Counter[str]) -> None:
    """Every waiting attempt's hint 0, 1, 5 or 50 times, then the reconciler's; run what was claimed."""
    waiting = desk.ready()
    times = {attempt: dice.choice(TIMES) for attempt in waiting}
    sent = [attempt for attempt, count in times.items() for _ in range(count)]
    late = dice.sample(sent, len(sent) // 10)
    dice.shuffle(sent)
    claims = _deliver(desk, sent)
    assert Counter(claim.attempt_id for claim in claims) == Counter({a: 1 for a, count in times.items() if count})
    again: list[UUID] = []

    def hear(_topic: str, key: str) -> bool:
        again.append(UUID(key))
        return True

    outbox.configure_transport(hear)
    with transaction() as session:
        session.execute(text("update step_attempt set ready_at = ready_at - interval '10 s'"))
    desk.reconcile()
    outbox._transport.clear()
    assert set(again) == {a for a, count in times.items() if not count}
    claims += _deliver(desk, again + late)
    assert {claim.attempt_id for claim in claims} == set(waiting)
    figures.update(attempts=len(waiting), hints=len(sent) + len(late) + len(again), claims=len(claims))
    figures.update(never_hinted=len(again))
    for claim in claims:
        desk.run(claim)
    assert _deliver(desk, late + sent[:50]) == []  # hints of what has ended
    with transaction() as session:
        assert session.execute(select(func.max(Attempt.token)).where(Attempt.id.in_(waiting))).scalar_one() == 1


def _deliver(desk: Desk, hints: list[UUID]) -> list[Claim]:
    with ThreadPoolExecutor(SENDERS) as pool:
        return [claim for claim in pool.map(desk.claim, hints) if claim is not None]
