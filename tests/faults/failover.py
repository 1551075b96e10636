"""T6, failover: the primary dies and an asynchronous standby that has not heard its last commits is promoted.

Real PostgreSQL 15 with streaming replication; the stream stalls a moment before the end, while tools begin. One round
is one failover. Safe mode must begin with the promotion and may end only when every host has accounted; a run that
the new primary has forgotten must not run again without a person.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import psycopg
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from autorke.core import db
from autorke.core.ids import new_id
from autorke.embedded.account import private_directory
from autorke.embedded.binaries import PG_VARIABLE, find_postgres
from autorke.embedded.postgres import DATABASE, SUPERUSER, Postgres, initialise
from autorke.embedded.throwaway import scratch_directory
from autorke.workflow import safemode
from bench import CannotRun
from tests import debian
from tests.faults import place, servers
from tests.faults.crowd import Crowd, judge, lines
from tests.faults.live import Live, stack, two_people, until
from tests.faults.proxy import Proxy, between

SETTINGS = (*servers.SETTINGS, "wal_level=replica", "max_wal_senders=5", "hot_standby=on")


def run(seed: int, rounds: int) -> dict[str, Any]:
    if not (debian.POSTGRES / "postgres").exists():
        raise CannotRun(f"no PostgreSQL 15 in {debian.POSTGRES}")
    total: Counter[str] = Counter()
    with place.seeded(seed) as dice:
        for _ in range(rounds):
            total.update(_round(dice))
    return dict(total)


def _round(dice: random.Random) -> Counter[str]:
    with _pair() as pair, servers.broker() as broker:
        engine = db.make_engine(pair.url, frozen_s=60)
        db.configure(engine)
        try:
            with stack(pair.primary, broker, AUTORKE_DATABASE_URL=pair.url) as live:
                crowd = Crowd(live, *two_people(live), engine, dice, width=6, longest=2500)
                return Failover(crowd, pair).play()
        finally:
            db._state.clear()
            engine.dispose()


class Pair:
    """A primary, its standby, the address that points at whoever serves, and the stream between them."""

    def __init__(self, folder: Path, primary: servers.Server, standby: servers.Server, stream: Proxy, made: Postgres):
        self.address = folder / "vip"
        self.primary, self.standby, self.stream = primary, standby, stream
        self.url = made.url(DATABASE).replace(str(made.sockets), str(self.address))
        self._point(primary)

    def _point(self, server: servers.Server) -> None:
        fresh = self.address.with_suffix(".new")
        fresh.symlink_to(server.sockets)
        fresh.rename(self.address)

    def standby_knows_a_run(self) -> bool:
        """Else all of them would be forgotten, and nothing would be left to judge."""
        with psycopg.connect(self.standby.url.replace("+psycopg", "", 1), autocommit=True) as session:
            return (
                session.execute("select 1 from step_attempt where intent_at is not null limit 1").fetchone() is not None
            )

    def fail_over(self) -> None:
        self.primary.stop(signal.SIGQUIT)
        with psycopg.connect(self.standby.url.replace("+psycopg", "", 1), autocommit=True) as session:
            session.execute("select pg_promote(true, 30)")
        self._point(self.standby)


@contextmanager
def _pair() -> Iterator[Pair]:
    binaries = find_postgres({PG_VARIABLE: str(debian.POSTGRES)})
    with scratch_directory() as folder:
        made = servers.postgres_at(folder / "one", binaries, SETTINGS)
        initialise(made)
        with servers.with_tables(made) as primary:
            wire = private_directory(folder / "wire", made.account)
            with between(wire / ".s.PGSQL.5432", str(made.sockets / ".s.PGSQL.5432")) as stream:
                copy = _copied(folder, made, wire)
                with servers.serving(servers.Server(copy.service(), copy.url(DATABASE), copy.sockets)) as standby:
                    yield Pair(folder, primary, standby, stream, made)


def _copied(folder: Path, made: Postgres, wire: Path) -> Postgres:
    """pg_basebackup through the wire; the copy follows the primary through it too."""
    fresh = servers.postgres_at(folder / "two", made.binaries, SETTINGS)
    copy = Postgres(fresh.binaries, fresh.account, fresh.home, fresh.sockets, fresh.log, made.password, SETTINGS)
    conninfo = f"host={wire} user={SUPERUSER} password={unquote(made.password)}"
    subprocess.run(
        [copy.binaries.path("pg_basebackup"), "-d", conninfo, "-D", str(copy.data), "-R", "-X", "stream", "-c", "fast"],
        check=True,
        cwd="/",
        capture_output=True,
        user=copy.account.uid,
        group=copy.account.gid,
        extra_groups=[],
    )
    return copy


class Failover:
    def __init__(self, crowd: Crowd, pair: Pair) -> None:
        self.crowd, self.pair = crowd, pair
        self.live: Live = crowd.live

    def play(self) -> Counter[str]:
        dice = self.crowd.dice
        self.crowd.work_for(4)
        until(lambda: self.crowd.work_for(0.2) or self._counts(), 180, "tools begin")
        until(lambda: self.crowd.work_for(0.1) or self.pair.standby_knows_a_run(), 120, "the standby follows")
        self.pair.stream.set("hole")
        self.crowd.work_for(dice.uniform(0.3, 2.5))
        self.crowd.accepting = False
        before = self._counts()
        self.pair.fail_over()
        at = time.time()
        self.crowd.engine.dispose()
        until(self._safe_mode, 180, "safe mode begins")
        entered = time.time() - at
        assert not self._claimed_meanwhile(at), "something was claimed before every host had accounted"
        left_by_hand = self._leave_safe_mode()
        gone = self._forget_what_is_gone()
        self.crowd.finish(lambda: self.crowd.work_for(0.3))
        figures = judge(self.crowd)
        kinds = self._kinds()
        return Counter(
            failovers=1,
            tools_begun_before=before,
            tickets_forgotten=gone,
            runs_forgotten_made_unknown=kinds["attempt.unknown"],
            runs_forgotten_shown_to_an_admin=kinds["run.forgotten"] + left_by_hand,
            left_by_hand=int(left_by_hand > 0),
            ms_to_safe_mode=int(entered * 1000),
            tool_starts=figures["tool_starts"],
        )

    def _counts(self) -> int:
        return sum(line[0] == "START" for line in lines(self.live))

    def _ask(self, sql: str, **values: Any) -> list[Any]:
        with self.crowd.engine.connect() as connection:
            return list(connection.execute(text(sql), values).all())

    def _heard(self, sql: str) -> list[Any]:
        """Nothing while the new primary takes no connections yet."""
        try:
            return self._ask(sql)
        except SQLAlchemyError:
            return []

    def _safe_mode(self) -> bool:
        return bool(self._heard("select 1 from engine_switch where name = 'safe-mode'"))

    def _claimed_meanwhile(self, at: float) -> list[Any]:
        """Intents of the new history before safe mode ended."""
        sql = (
            "select a.id from step_attempt a join engine_switch w on w.name = 'safe-mode' where a.purpose = 'RUN'"
            " and a.state in ('CLAIMED', 'RUNNING') and a.claim_id is not null and w.halted"
            " and a.intent_at > to_timestamp(:at) and not exists (select 1 from event e where e.ticket_id ="
            " (select ticket_id from step s where s.id = a.step_id) and e.kind = 'attempt.started'"
            " and e.at > to_timestamp(:at))"
        )
        return self._ask(sql, at=at)

    def _leave_safe_mode(self) -> int:
        """It ends by itself, or an admin looks at what is listed, waits for its tools' end, and lets go on."""

        def settled() -> list[Any]:
            self.live.keep()
            return self._heard(
                "select w.halted, d.lost from engine_switch w, database_line d where w.name = 'safe-mode' and"
                " (not w.halted or (jsonb_array_length(d.lost) > 0"
                " and not exists (select 1 from runner r where r.line is distinct from d.line)))"
            )

        ((halted, lost),) = until(settled, 240, "every host has accounted")
        if not halted:
            return 0
        until(lambda: not self.live.orphans(), 120, "their tools have ended")
        self._ask_admin()
        return sum(1 for entry in lost if "ticket" not in entry)

    def _ask_admin(self) -> None:
        body = {"halted": False, "reason": "looked at the machines of the forgotten runs"}

        def answered() -> int:
            try:
                status = self.crowd.approver.http.put("/engine", json=body).status_code
            except httpx.HTTPError:
                return 0
            return status if status != 503 else 0

        assert until(answered, 60, "the api answers") == 403  # not everybody's
        with db.transaction() as session:
            safemode.leave(session, new_id(), "looked at the machines of the forgotten runs")

    def _forget_what_is_gone(self) -> int:
        known = {row[0] for row in self._ask("select id::text from ticket")}
        gone = [ticket for ticket in self.crowd.tickets if ticket not in known]
        self.crowd.tickets = [ticket for ticket in self.crowd.tickets if ticket in known]
        self.crowd.open &= known
        self.crowd.open |= {row[0] for row in self._ask("select id::text from ticket where ended_at is null")}
        return len(gone)

    def _kinds(self) -> Counter[str]:
        return Counter(dict(self._ask(
            "select kind, count(*) from event where kind = 'run.forgotten'"
            " or (kind = 'attempt.unknown' and body ? 'forgotten') group by 1"
        )))  # fmt: skip
