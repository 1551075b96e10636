"""Database access: declarative base, engine, sessions, and work that may leave only after the commit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DDL, DateTime, Engine, FromClause, MetaData, Uuid, create_engine, event, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Session, SessionTransaction, sessionmaker

from autorke.core.settings import get_settings

log = logging.getLogger(__name__)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy reads this class attribute as is
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        list[str]: JSONB,
        UUID: Uuid(),
    }


_REFUSE = """
create or replace function refuse_change() returns trigger language plpgsql as $$
begin raise exception '%% is append-only', tg_table_name using errcode = 'restrict_violation'; end $$
"""
_GUARD = """
create trigger {table}_append_only before update or delete or truncate on {table}
for each statement execute function refuse_change()
"""


def append_only(table: FromClause) -> None:
    """Let the database itself refuse UPDATE, DELETE and TRUNCATE on a table; its migration says the same."""
    name = getattr(table, "name", "")
    for statement in (_REFUSE, _GUARD.format(table=name)):
        event.listen(table, "after_create", DDL(statement))  # type: ignore[no-untyped-call]


FROZEN_S = 10


def make_engine(url: str, *, pool_size: int = 15, frozen_s: int = FROZEN_S) -> Engine:
    """An engine whose sessions cannot hold a row lock for long: the server cuts a client off that has been frozen for
    `frozen_s` seconds in a transaction (engine.md §1), and others wait no longer than that for its locks.

    `pool_size` connections are kept for the next; ten more are made at need and closed again. A crowd must find those
    of the crowd before: a new one is a fork and a sign-in at the server, and on a machine under load takes seconds.
    """
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=10,
        pool_pre_ping=True,
        hide_parameters=True,  # a traceback must not quote what a statement carried
        connect_args={
            "connect_timeout": max(2, frozen_s // 2),
            "options": f"-c idle_in_transaction_session_timeout={frozen_s}s -c lock_timeout={frozen_s}s"
            f" -c statement_timeout={max(60, frozen_s)}s",
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
    )
    return engine


_state: dict[str, Any] = {}


def get_engine() -> Engine:
    """The process-wide engine, made from settings at first use."""
    if "engine" not in _state:
        url = get_settings().database_url
        if url is None:
            raise RuntimeError("AUTORKE_DATABASE_URL is not set; embedded mode sets it for its children")
        configure(make_engine(url.get_secret_value()))
    engine: Engine = _state["engine"]
    return engine


def configure(engine: Engine) -> None:
    """Use this engine from now on (tests, the launcher's children, embedded mode)."""
    _state["engine"] = engine
    _state["factory"] = sessionmaker(engine, expire_on_commit=False)


def new_session() -> Session:
    get_engine()
    session: Session = _state["factory"]()
    return session


@contextmanager
def transaction() -> Iterator[Session]:
    """One short transaction: commits at the end, rolls back on error. Never hold it open while a driver talks."""
    session = new_session()
    try:
        with session.begin():
            yield session
    finally:
        session.close()


def after_commit(session: Session, action: Callable[[], None]) -> None:
    """Run `action` once the outermost commit has succeeded; a failing action is logged, never raised."""
    session.info.setdefault("after_commit", []).append(action)


@event.listens_for(Session, "after_commit")
def _run_after_commit(session: Session) -> None:
    if session.in_nested_transaction():  # fires at savepoint release too: not yet durable
        return
    for action in session.info.pop("after_commit", []):
        try:
            action()
        except Exception:
            log.exception("after-commit action failed")


@event.listens_for(Session, "after_soft_rollback")
def _drop_after_rollback(session: Session, previous: SessionTransaction) -> None:
    if not previous.nested:  # a rolled back savepoint leaves the wishes of the outer transaction alone
        session.info.pop("after_commit", None)


_NOW = text("select clock_timestamp()")


def db_now(session: Session) -> datetime:
    """Postgres time: the only clock used for leases, expiries and order. Asked for each event, so without the ORM."""
    now: datetime = session.connection().execute(_NOW).scalar_one()
    return now
