"""Throw-away servers for tests, benches and `alembic check`: in memory, without fsync, dead when their caller is."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from autorke.embedded.account import Account, database_account, private_directory
from autorke.embedded.binaries import PostgresBinaries, find_postgres, find_valkey, postgres_for, valkey_for
from autorke.embedded.postgres import DATABASE, THROW_AWAY, Postgres, create_database, initialise
from autorke.embedded.service import Service, spawn, stop_all, wait_ready
from autorke.embedded.valkey import Valkey

PREFIX = "autorke-scratch-"


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """A short-named directory (Unix socket paths end at 107 bytes), in memory where there is enough of it.

    Its name carries our pid: what a killed process left behind goes away with the next one.
    """
    base = _scratch_base()
    for old in base.glob(PREFIX + "*"):
        if not Path("/proc", old.name.split("-")[2]).exists():
            shutil.rmtree(old, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=base))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _scratch_base() -> Path:
    memory = Path("/dev/shm")  # noqa: S108  mkdtemp makes a private name in it
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 500_000_000:
        return memory
    return Path(tempfile.gettempdir())


@contextmanager
def running(service: Service) -> Iterator[Service]:
    """The service for the length of a `with` block."""
    process = spawn(service)
    try:
        wait_ready(service, process)
        yield service
    finally:
        stop_all([(service, process)])


@contextmanager
def postgres(
    binaries: PostgresBinaries | None = None, account: Account | None = None, settings: Sequence[str] = THROW_AWAY
) -> Iterator[URL]:
    """A fresh server; yields the URL of its empty database `autorke`, whose user may create others."""
    account = account or database_account()
    with scratch_directory() as scratch:
        found = postgres_for(account, binaries or find_postgres(), scratch)
        server = Postgres(
            binaries=found,
            account=account,
            home=private_directory(scratch / "pg", account),
            sockets=private_directory(scratch / "run", account),
            log=scratch / "postgres.log",
            password=secrets.token_urlsafe(16),
            settings=settings,
        )
        initialise(server)
        with running(server.service()):
            create_database(server)
            yield make_url(server.url(DATABASE))


@contextmanager
def valkey_server(binary: Path | None = None) -> Iterator[Valkey]:
    """Place and password of a broker that nobody has started yet."""
    account = database_account()
    with scratch_directory() as scratch:
        yield Valkey(
            binary=valkey_for(account, binary or find_valkey(), scratch),
            account=account,
            sockets=private_directory(scratch / "run", account),
            log=scratch / "valkey.log",
            password=secrets.token_urlsafe(16),
        )


@contextmanager
def valkey(binary: Path | None = None) -> Iterator[str]:
    """A fresh broker; yields its URL for redis-py."""
    with valkey_server(binary) as server, running(server.service()):
        yield server.url()
