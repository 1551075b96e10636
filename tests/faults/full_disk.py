"""T6, full disk: no space where PostgreSQL keeps its tables, its log of changes (WAL), or where runs keep their files.

One round is one disk that is full for some seconds while tickets run, and then is not. On a full WAL the server ends
with a PANIC and cannot start; on full tables it refuses what needs room. Nothing may be doubled, lost or left standing
(P1-P10), and the api must say what is wrong in words that help, never 500.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg

from autorke.embedded.account import Account
from autorke.embedded.errors import StartFailed
from autorke.embedded.postgres import initialise
from autorke.embedded.throwaway import scratch_directory
from tests.faults import place, servers
from tests.faults.crowd import Crowd, judge
from tests.faults.live import stack, two_people, until
from tests.faults.small import Small, small

KINDS = ("tables", "wal", "run dir")
TABLES_MB, WAL_MB, RUN_DIR_MB = 192, 96, 8
SETTINGS = (*servers.SETTINGS, "max_wal_size=48MB", "min_wal_size=32MB")
SHORTEST_S, LONGEST_S = 2.0, 8.0
HOST = "2"
"""The worker host whose run directory is small."""
TOO_LONG = 300_000
"""Characters that find no room in the free space of any page."""


def run(seed: int, rounds: int) -> dict[str, Any]:
    with (
        place.seeded(seed) as dice,
        scratch_directory() as folder,
        small(folder / "private", RUN_DIR_MB) as private,
        _database(folder) as (database, tables, wal),
        servers.broker() as broker,
        servers.configured(database) as engine,
        stack(database, broker, run_dirs={HOST: private.path}) as live,
    ):
        crowd = Crowd(live, *two_people(live), engine, dice, width=8, longest=800)
        trouble = Trouble(crowd, database, {"tables": tables, "wal": wal, "run dir": private})
        for number in range(rounds):
            trouble.strike(KINDS[number % len(KINDS)])
        crowd.finish(lambda: crowd.work_for(0.3))
        return {"full": dict(trouble.struck), **trouble.seen, **judge(crowd)}


@contextmanager
def _database(folder: Path) -> Iterator[tuple[servers.Server, Small, Small]]:
    """A server whose tables and whose WAL lie in a small filesystem each."""
    made = servers.postgres_at(folder / "db", settings=SETTINGS)
    made.home.rmdir()
    with small(made.home, TABLES_MB) as tables, small(folder / "wal", WAL_MB) as wal:
        initialise(made)
        _move(made.data / "pg_wal", wal.path / "pg_wal", made.account)
        with servers.with_tables(made) as server:
            yield server, tables, wal


def _move(source: Path, target: Path, account: Account) -> None:
    shutil.move(source, target)
    source.symlink_to(target)
    for path in (target.parent, target, *target.rglob("*")):
        os.chown(path, account.uid, account.gid)


class Trouble:
    def __init__(self, crowd: Crowd, database: servers.Server, disks: dict[str, Small]) -> None:
        self.crowd, self.database, self.disks = crowd, database, disks
        self.dice: random.Random = crowd.dice
        self.struck: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()

    def strike(self, kind: str) -> None:
        self.crowd.work_for(self.dice.uniform(1, 3))
        self.disks[kind].fill()
        getattr(self, f"_{kind.replace(' ', '_')}")()
        self.disks[kind].free()
        until(self._back, 180, "the database is there again")
        self.struck[kind] += 1

    def _tables(self) -> None:
        """What needs room is refused, and the refusal says so; what is read, is read. The server may end meanwhile, or
        begin anew just when it is asked."""
        self._full_for_a_while()
        wish = {"journal": secrets.token_hex(TOO_LONG // 2), "nodes": ["m1"], "ms": 1}
        until(lambda: not self._alive() or self._refused(wish) == ["503 database-full"], 120, "it says that it is full")
        until(lambda: not self._alive() or self._reads(), 120, "what is read, is read")
        self.seen["refused_with_the_remedy"] += self._alive()

    def _reads(self) -> bool:
        try:
            answer = self.crowd.requester.http.get("/tickets")
        except httpx.HTTPError:
            return False
        assert answer.status_code in (200, 503), answer.text
        return answer.status_code == 200

    def _wal(self) -> None:
        """Write until the server ends; whoever commits meanwhile may be the one who ends it. Recovery may give it back
        room enough to come up again for a while."""
        try:
            with self._session() as session:
                for _ in range(WAL_MB):
                    session.execute("select pg_logical_emit_message(false, 'fill', repeat('x', 1048576))")
        except psycopg.Error:
            self.seen["ended_by_a_full_wal"] += 1
        self._full_for_a_while()
        if self._alive():
            self.seen["came_up_again_though_full"] += 1
            return
        told = self._refused({"journal": "none", "nodes": ["m1"], "ms": 1})
        assert told == ["503 database-unavailable"], told
        self.seen["refused_while_it_was_down"] += 1

    def _run_dir(self) -> None:
        self._full_for_a_while()

    def _refused(self, wish: dict[str, Any]) -> list[str]:
        """How the api refuses a ticket."""
        before = Counter(self.crowd.refused)
        assert self.crowd.ask(self.crowd.requester, "/tickets", {"flow": "field", "request": wish}) is None
        return list(self.crowd.refused - before)

    def _full_for_a_while(self) -> None:
        self.crowd.work_for(self.dice.uniform(SHORTEST_S, LONGEST_S))

    def _session(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.database.url.replace("+psycopg", "", 1), connect_timeout=5, autocommit=True)

    def _alive(self) -> bool:
        try:
            with self._session() as session:
                return session.execute("select 1").fetchone() is not None
        except psycopg.Error:
            return False

    def _back(self) -> bool:
        """As its supervisor does: it is started again when it has ended."""
        try:
            self.database.start()
        except StartFailed:
            return False
        return self._alive()
