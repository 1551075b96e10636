"""A PostgreSQL and a Valkey of one's own that can be killed, stopped and started again on the same data."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

import migrations.models  # noqa: F401  fills Base.metadata
from autorke.core import db
from autorke.embedded.account import database_account, private_directory
from autorke.embedded.binaries import PostgresBinaries, find_postgres, postgres_for
from autorke.embedded.postgres import DATABASE, Postgres, create_database, initialise
from autorke.embedded.service import Process, Service, end_group, spawn, wait_ready
from autorke.embedded.throwaway import scratch_directory, valkey_server

SETTINGS = ("fsync=off", "full_page_writes=off", "dynamic_shared_memory_type=mmap")
"""What is committed survives the server's crash, as in production; only a crash of the whole machine would lose it."""


@dataclass
class Server:
    """One service and its process; only the main thread may start it (`embedded.service.spawn`)."""

    service: Service
    url: str
    sockets: Path
    process: Process | None = None

    def start(self) -> None:
        if self.process is not None and self.process.poll() is None:
            return
        self.process = spawn(self.service)
        wait_ready(self.service, self.process)

    def stop(self, number: int = signal.SIGKILL) -> None:
        """SIGKILL: as a crash; for PostgreSQL SIGQUIT is a crash without the wait for orphaned backends."""
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(number)
            self.process.wait(120)
            end_group(self.process)


def postgres_at(place: Path, binaries: PostgresBinaries | None = None, settings: Sequence[str] = SETTINGS) -> Postgres:
    account = database_account()
    place.mkdir(mode=0o755, exist_ok=True)
    return Postgres(
        binaries=postgres_for(account, binaries or find_postgres(), place),
        account=account,
        home=private_directory(place / "pg", account),
        sockets=private_directory(place / "run", account),
        log=place / "postgres.log",
        password=secrets.token_urlsafe(16),
        settings=settings,
    )


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.stop(signal.SIGQUIT if server.service.name == "postgres" else signal.SIGKILL)


@contextmanager
def database(binaries: PostgresBinaries | None = None, settings: Sequence[str] = SETTINGS) -> Iterator[Server]:
    """A server with all tables of the product."""
    with scratch_directory() as place:
        made = postgres_at(place, binaries, settings)
        initialise(made)
        with with_tables(made) as server:
            yield server


@contextmanager
def with_tables(made: Postgres) -> Iterator[Server]:
    """The server of a data directory that is initialised, with all tables of the product."""
    with serving(Server(made.service(), made.url(DATABASE), made.sockets)) as server:
        create_database(made)
        engine = db.make_engine(server.url)
        db.Base.metadata.create_all(engine)
        engine.dispose()
        yield server


@contextmanager
def configured(server: Server) -> Iterator[Engine]:
    """An engine to that server; `core.db` of this process uses it too, which may stand still for a while."""
    engine = db.make_engine(server.url, frozen_s=60)
    db.configure(engine)
    try:
        yield engine
    finally:
        db._state.clear()
        engine.dispose()


@contextmanager
def broker() -> Iterator[Server]:
    with valkey_server() as made, serving(Server(made.service(), made.url(), made.sockets)) as server:
        yield server


def children(pid: int) -> list[int]:
    """Direct children of a process, whichever of its threads forked them."""
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    except OSError:
        pass
    return found


def leads_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False
