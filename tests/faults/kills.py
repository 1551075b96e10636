"""T3: random kills on the live stack. One round is one fault that struck something; the tools' journals are the truth.

Beside it, on the same broker and with the same tool, the naive way: a Celery task with late acknowledgement that runs
the tool itself and is delivered again when its worker is lost.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from autorke.worker.process import pid_start
from tests.faults import naive, place, servers
from tests.faults.crowd import Crowd, judge, median
from tests.faults.live import Live, stack, two_people, until
from tests.orphans import ours

LEASE = 3.0
NAIVE_FROM = 40
"""Fewer rounds say nothing about the baseline."""
RUNNERS = text(
    "select id::text, pid, pid_start, purpose from step_attempt"
    " where state in ('CLAIMED', 'RUNNING') and pid is not null"
)
WEIGHTS = {
    "runner": 46,
    "freeze": 10,
    "tool": 10,
    "pool process": 12,
    "reconciler": 6,
    "celery": 4,
    "launcher": 4,
    "broker": 4,
    "database": 2,
    "api": 2,
}
"""How often each is tried; what takes seconds to start again is killed less often than what is forked."""


def run(seed: int, rounds: int) -> dict[str, Any]:
    with place.seeded(seed) as dice, servers.database() as database, servers.broker() as broker:
        with servers.configured(database) as engine, stack(database, broker) as live:
            crowd = Crowd(live, *two_people(live), engine, dice, width=14)
            storm = Storm(crowd, database, broker)
            storm.blow(rounds)
            storm.calm()
            figures = {"faults": dict(storm.struck), **judge(crowd), "restarts": live.restarts}
            figures["median_s_from_kill_to_attention"] = median(storm.to_attention())
            assert until(lambda: not live.orphans(), 120, "no orphan is left") is True
        if rounds >= NAIVE_FROM:
            figures["naive_redelivery"] = naive.run(dice, broker, rounds // 4)
    return figures


class Storm:
    """Chooses what to strike, strikes it, and lets people go on between the strikes."""

    def __init__(self, crowd: Crowd, database: servers.Server, broker: servers.Server) -> None:
        self.crowd = crowd
        self.live: Live = crowd.live
        self.dice: random.Random = crowd.dice
        self.database, self.broker = database, broker
        self.struck: Counter[str] = Counter()
        self.frozen: list[tuple[float, int]] = []
        self.killed: dict[str, float] = {}
        self.ways: dict[str, Callable[[], bool]] = {
            "runner": self._runner,
            "freeze": self._freeze,
            "tool": self._tool,
            "pool process": lambda: self._child("celery", leaders=False),
            "reconciler": lambda: self._child("launcher", leaders=False),
            "celery": lambda: self._whole("celery"),
            "launcher": lambda: self._whole("launcher"),
            "api": self._api,
            "broker": self._broker,
            "database": self._database,
        }

    def blow(self, rounds: int) -> None:
        names, weights = list(WEIGHTS), list(WEIGHTS.values())
        while self.struck.total() < rounds:
            self._look()
            way = self.dice.choices(names, weights)[0]
            if self.ways[way]():
                self.struck[way] += 1
            time.sleep(self.dice.uniform(0, 0.3))

    def calm(self) -> None:
        """No more faults: what is open comes to its end."""
        self.crowd.finish(self._look)

    def _look(self) -> None:
        self.live.keep()
        for at, pid in self.frozen[:]:
            if time.monotonic() > at:
                _signal(pid, signal.SIGCONT)
                self.frozen.remove((at, pid))
        self.crowd.work()

    def _one_runner(self) -> tuple[str, int, str] | None:
        try:
            with self.crowd.engine.connect() as connection:
                rows = connection.execute(RUNNERS).all()
        except SQLAlchemyError:
            return None
        alive = [(row.id, row.pid, row.purpose) for row in rows if pid_start(row.pid) == row.pid_start]
        return self.dice.choice(alive) if alive else None

    def _runner(self) -> bool:
        found = self._one_runner()
        if found is None or not _signal(found[1], signal.SIGKILL):
            return False
        if found[2] == "RUN":
            self.killed.setdefault(found[0], time.time())
        return True

    def _freeze(self) -> bool:
        """SIGSTOP for up to three leases: it wakes up with a claim that may be another's by then."""
        found = self._one_runner()
        if found is None or not _signal(found[1], signal.SIGSTOP):
            return False
        self.frozen.append((time.monotonic() + self.dice.uniform(0.5, 3) * LEASE, found[1]))
        return True

    def _tool(self) -> bool:
        tools = [pid for pid in ours(str(self.live.place)) if b"tool.py" in _words(pid)]
        return bool(tools) and _signal(self.dice.choice(tools), signal.SIGKILL)

    def _child(self, what: str, *, leaders: bool) -> bool:
        parent = self.live.processes[f"{what}-{self.dice.choice(list(self.live.per_host))}"].pid
        found = [pid for pid in servers.children(parent) if servers.leads_session(pid) == leaders]
        return bool(found) and _signal(self.dice.choice(found), signal.SIGKILL)

    def _whole(self, what: str) -> bool:
        name = self.dice.choice([name for name in self.live.names if name.partition("-")[0] == what])
        return _signal(self.live.processes[name].pid, signal.SIGKILL)

    def _api(self) -> bool:
        """Who asks before it is started again gets no answer: `requests_not_carried_out` must know of it."""
        if not self._whole("api"):
            return False
        self.live.processes["api"].wait(60)
        before = self.crowd.unanswered()
        self.crowd.submit()
        assert self.crowd.unanswered() > before, "a dead api has answered, or nobody counts what is not answered"
        return True

    def _broker(self) -> bool:
        self.broker.stop(signal.SIGKILL)  # it keeps nothing on disk: all hints are gone
        self.broker.start()
        return True

    def _database(self) -> bool:
        self.database.stop(signal.SIGQUIT)
        self.database.start()
        return True

    def to_attention(self) -> list[float]:
        """Seconds from the kill of a runner to its ticket's call for a person."""
        query = text("select a.id::text, extract(epoch from e.at) from step_attempt a join step s on s.id = a.step_id"
                     " join event e on e.ticket_id = s.ticket_id and e.kind = 'attempt.unknown'"
                     " and (e.body->>'n')::int = a.n")  # fmt: skip
        with self.crowd.engine.connect() as connection:
            at = {row[0]: float(row[1]) for row in connection.execute(query)}
        return [at[attempt] - killed for attempt, killed in self.killed.items() if attempt in at]


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _words(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
