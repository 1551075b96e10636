"""One migrated template database per test run, one clone of it per test (about 15 ms each)."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import sql
from sqlalchemy.engine import URL

ROOT = Path(__file__).parents[1]
PATIENCE_S = 60


def alembic_config(url: URL) -> Config:
    """The project's Alembic configuration, pointed at this database."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("sqlalchemy.url", text(url).replace("%", "%%"))
    return config


def text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


class Template:
    """A database that has had `alembic upgrade head`, and a way to clone it."""

    def __init__(self, server: URL) -> None:
        self.server = server
        self._admin = psycopg.connect(text(server.set(drivername="postgresql")), autocommit=True)
        self._numbers = itertools.count(1)
        self._name = f"autorke_template_{self._admin.info.backend_pid}"
        self._execute("CREATE DATABASE {}", self._name)
        command.upgrade(alembic_config(server.set(database=self._name)), "head")

    @contextmanager
    def clone(self) -> Iterator[URL]:
        """A fresh copy with all tables and no rows of anybody else's."""
        name = f"{self._name}_{next(self._numbers)}"
        strategy = "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy"
        self._execute(strategy, name, self._name)
        try:
            yield self.server.set(database=name)
        finally:
            self._execute("DROP DATABASE {} WITH (FORCE)", name)

    @contextmanager
    def empty(self) -> Iterator[URL]:
        """A database without any table of ours, for the migrations themselves."""
        name = f"{self._name}_{next(self._numbers)}"
        self._execute("CREATE DATABASE {}", name)
        try:
            yield self.server.set(database=name)
        finally:
            self._execute("DROP DATABASE {} WITH (FORCE)", name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._execute("DROP DATABASE {} WITH (FORCE)", self._name)
        self._admin.close()

    def _execute(self, statement: str, *names: str) -> None:
        """Again while a session that has just ended, or was told to, is still there: the server itself waits five
        seconds for it, which is not enough where the machine is busy."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
                return
            except psycopg.errors.ObjectInUse:
                if time.monotonic() > deadline:
                    raise
