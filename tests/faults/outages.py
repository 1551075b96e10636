"""T6: PostgreSQL is restarted, cuts connections off, meets deadlocks and sessions that hang with a ticket's lock.

One round is one such trouble while tickets run; none may be doubled, lost, or left standing (P1-P10).
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from typing import Any

import psycopg

from tests.faults import place, servers
from tests.faults.crowd import Crowd, judge
from tests.faults.live import stack, two_people

KINDS = ("crash", "restart", "cut off", "deadlock", "hang")
HANG_S = 2.5
CUT_OFF = (
    "select count(pg_terminate_backend(pid)) from pg_stat_activity"
    " where datname = current_database() and pid <> pg_backend_pid() and random() < 0.5"
)


def run(seed: int, rounds: int) -> dict[str, Any]:
    with (
        place.seeded(seed) as dice,
        servers.database() as database,
        servers.broker() as broker,
        servers.configured(database) as engine,
        stack(database, broker) as live,
    ):
        crowd = Crowd(live, *two_people(live), engine, dice, width=8, longest=800)
        trouble = Trouble(crowd, database)
        for number in range(rounds):
            trouble.strike(KINDS[number % len(KINDS)])
        crowd.finish(lambda: crowd.work_for(0.3))
        return {"troubles": dict(trouble.struck), "deadlocks_met": trouble.deadlocks, **judge(crowd)}


class Trouble:
    def __init__(self, crowd: Crowd, database: servers.Server) -> None:
        self.crowd, self.database = crowd, database
        self.dice: random.Random = crowd.dice
        self.struck: Counter[str] = Counter()
        self.deadlocks = 0

    def strike(self, kind: str) -> None:
        self.crowd.work_for(self.dice.uniform(1, 3))
        getattr(self, f"_{kind.replace(' ', '_')}")()
        self.struck[kind] += 1

    def _crash(self) -> None:
        self.database.stop(signal.SIGQUIT)
        self.database.start()

    def _restart(self) -> None:
        self.database.stop(signal.SIGINT)
        time.sleep(self.dice.uniform(0, 2))
        self.database.start()

    def _session(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.database.url.replace("+psycopg", "", 1), connect_timeout=5)

    def _cut_off(self) -> None:
        with self._session() as session:
            session.execute(CUT_OFF)

    def _two(self) -> list[str]:
        return self.dice.sample(sorted(self.crowd.open), 2) if len(self.crowd.open) > 1 else []

    def _deadlock(self) -> None:
        """Take two tickets in the opposite order of two transactions of ours: the server ends one of them."""
        two = self._two()
        if not two:
            return
        lock = "select 1 from ticket where id = %s for update"
        with self._session() as one, self._session() as other:
            for session in (one, other):
                session.execute("set deadlock_timeout = '100ms'")
                session.execute("set lock_timeout = '2s'")
            one.execute(lock, (two[0],))
            other.execute(lock, (two[1],))
            self.crowd.work_for(0.5)
            try:
                with other.pipeline():
                    other.execute(lock, (two[0],))
                    one.execute(lock, (two[1],))
            except psycopg.errors.DeadlockDetected:
                self.deadlocks += 1
            except psycopg.Error as error:  # a server that is being restarted, or whoever else was the victim
                self.struck[type(error).__name__] += 1
            one.rollback()
            other.rollback()

    def _hang(self) -> None:
        """Somebody's session sits in its transaction with the locks of two tickets."""
        two = self._two()
        with self._session() as session:
            session.execute("select 1 from ticket where id = any(%s::uuid[]) for update", (two,))
            self.crowd.work_for(HANG_S)
