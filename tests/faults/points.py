"""T2: the process dies, freezes, fails, or never hears the answer, at each commit and each driver call of a ticket.

A first ticket without any fault counts the points of its flow. Then one ticket for each point and each mode; all are
driven to their end. One round is one such ticket; fewer rounds take a sample of all cases.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from autorke.core.db import get_engine, new_session, transaction
from autorke.core.ids import new_id
from autorke.core.settings import get_settings
from autorke.worker import process
from autorke.workflow import gates, journal, outbox
from tests.faults import failpoints, place
from tests.faults.actors import Actors
from tests.faults.failpoints import COUNTER, MODES, Point
from tests.faults.field import FieldIn
from tests.worker.ground import everybody

LEASE = 1.0
REQUESTER, APPROVER = new_id(), new_id()
_caught: list[bool] = []


def run(seed: int, rounds: int) -> dict[str, Any]:
    """Every case there is when `rounds` allow it; `AUTORKE_FAILPOINT=series:n:mode` is one case by hand."""
    with place.seeded(seed) as dice, place.database(), _setting() as folder:
        Field(folder, 0).play(None)
        counted = dict(COUNTER.counts)
        cases = all_cases(counted, dice)
        figures: dict[str, Any] = {"points": counted, "cases_there_are": len(cases)}
        played: Counter[str] = Counter()
        for number, point in enumerate(cases[:rounds], 1):
            played.update(tally(Field(folder, number).play(point), point))
        return {**figures, **played}


def all_cases(counted: dict[str, int], dice: random.Random) -> list[Point]:
    by_hand = os.environ.get("AUTORKE_FAILPOINT")
    if by_hand:
        return [Point.parse(by_hand)]
    cases = [Point(s, n, mode) for s, count in counted.items() for n in range(1, count + 1) for mode in MODES]
    dice.shuffle(cases)
    return cases


def tally(people: int, point: Point) -> Counter[str]:
    """What one case adds to the figures; a point that its ticket did not come to is not `met`."""
    met = int(COUNTER.met)
    return Counter({"played": 1, "met": met, f"met_{point.mode}": met, "needed_a_person": int(people > 0)})


@contextmanager
def _setting() -> Iterator[Path]:
    """Short leases, everybody may sign, commits and driver calls are points."""
    with tempfile.TemporaryDirectory(prefix="arke-", dir="/dev/shm") as folder, pytest.MonkeyPatch.context() as env:
        env.setenv("AUTORKE_LEASE", f"PT{LEASE}S")
        env.setenv("AUTORKE_HEARTBEAT", "PT0.2S")
        env.setenv("AUTORKE_HINT_RESEND", "PT0.5S")
        env.delenv(process.MARKER, raising=False)
        get_settings.cache_clear()
        gates.configure_directory(everybody)
        outbox._transport.clear()
        catch_once()
        try:
            yield Path(folder)
        finally:
            COUNTER.arm(None)
    get_settings.cache_clear()


def catch_once() -> None:
    """Commits of the engine that is configured now, and driver calls, are points from here on."""
    failpoints.catch(get_engine())
    if not _caught:
        failpoints.catch_drivers()
        _caught.append(True)


class Field:
    """One ticket of the field flow for two machines, and its journal."""

    def __init__(self, folder: Path, number: int) -> None:
        self.journal = folder / f"journal-{number}"
        form = FieldIn(journal=str(self.journal), nodes=[f"a{number}", f"b{number}"], ms=100)
        self.actors = Actors("field", form, REQUESTER, APPROVER, self.done, LEASE)

    def said(self) -> list[list[str]]:
        return [line.split() for line in self.journal.read_text().splitlines()] if self.journal.exists() else []

    def done(self, _ticket: UUID, node: str) -> bool:
        return any(line[0] == "END" and line[2] == node for line in self.said())

    def play(self, point: Point | None) -> int:
        """Drive it to its end with this fault, and judge; how often a person was needed."""
        COUNTER.arm(point)
        try:
            state = self.actors.to_the_end()
            self._settle()
            assert state == "SUCCEEDED", state
            self._judge()
        except AssertionError as violation:
            self.actors.abandon()
            raise AssertionError(f"AUTORKE_FAILPOINT={point}: {violation}") from violation
        return self.actors.person

    def _settle(self) -> None:
        """Tools whose runner died run to their end by themselves."""
        deadline = time.monotonic() + 120
        with transaction() as session:
            ids = session.execute(text("select id::text from step_attempt")).scalars().all()
        while any(process.tools_of(attempt) for attempt in ids[-12:]):
            assert time.monotonic() < deadline, "a tool is left"
            time.sleep(0.02)

    def _judge(self) -> None:
        said, ticket = self.said(), self.actors.ticket
        assert ticket is not None
        starts = Counter((line[3], line[2]) for line in said if line[0] == "START")
        assert all(count == 1 for count in starts.values()), f"P1: {starts}"
        assert not [line for line in said if line[0] == "OVERLAP"], "P2: two tools at a machine"
        with new_session() as session:
            assert journal.verify_chain(session, ticket), "P4"
            retried = session.execute(
                text("select extract(epoch from at) from event where ticket_id = :id and kind = 'step.retry'"),
                {"id": ticket},
            ).scalars().all()  # fmt: skip
            unsigned = session.execute(text(UNSIGNED), {"id": ticket}).scalars().all()
            held = session.execute(text("select count(*) from resource_lock where ticket_id = :id"), {"id": ticket})
            assert held.scalar_one() == 0, "a lock is left"
        assert not unsigned, f"P3: runs without a signature before them: {unsigned}"
        _no_repeat_without_a_person(said, [float(at) for at in retried])


UNSIGNED = """
select a.n from step_attempt a join step s on s.id = a.step_id
 where s.ticket_id = :id and a.purpose = 'RUN' and a.intent_at is not null and s.pre_gate
   and not exists (select 1 from gate g join approval p on p.gate_id = g.id
                    where g.step_id = s.id and g.phase = 'PRE' and p.decision = 'APPROVE' and p.at < a.intent_at
                      and p.subject_hash = g.subject_hash)
"""


def _no_repeat_without_a_person(said: list[list[str]], retried: list[float]) -> None:
    by_node: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for what, _ticket, node, _attempt, _pid, at in said:
        by_node[node].append((what, float(at)))
    for node, story in by_node.items():
        ended = False
        begun: float | None = None
        for what, at in story:
            if what == "START":
                assert not ended, f"P10: {node} again after its end"
                assert begun is None or any(begun < retry < at for retry in retried), f"P8: {node} without a person"
                begun = at
            ended = ended or what == "END"
