"""Alembic's entry: synchronous psycopg, one transaction per migration, the URL from settings or from the caller."""

from __future__ import annotations

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Column, Connection, Index, TypeDecorator, create_engine, pool
from sqlalchemy.schema import SchemaItem

import migrations.models  # noqa: F401  fills Base.metadata
from autorke.core.db import Base
from autorke.core.settings import get_settings


def _url() -> str:
    given = context.config.get_main_option("sqlalchemy.url")
    if given:
        return given
    url = get_settings().database_url
    if url is None:
        raise SystemExit("AUTORKE_DATABASE_URL is not set (./run migrate starts a throw-away database for you)")
    return url.get_secret_value()


def _plain_type(kind: str, item: object, context: AutogenContext) -> str | Literal[False]:
    """Migrations outlive our classes: a type of ours is written as the database's type below it."""
    if kind != "type" or not isinstance(item, TypeDecorator):
        return False
    plain = item.impl_instance
    if type(plain).__module__.startswith("sqlalchemy.dialects.postgresql"):
        context.imports.add("from sqlalchemy.dialects import postgresql")
        return f"postgresql.{plain!r}"
    return f"sa.{plain!r}"


def _compared(item: SchemaItem, _name: str | None, kind: str, _reflected: bool, other: SchemaItem | None) -> bool:
    """Alembic compares index expressions by their spelling, which Postgres changes; tests/test_migrations.py compares
    them in Postgres's own spelling instead. New and removed ones are still seen."""
    return not (
        kind == "index"
        and other is not None
        and isinstance(item, Index)
        and not all(isinstance(expression, Column) for expression in item.expressions)
    )


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_item=_plain_type,
        include_object=_compared,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _online() -> None:
    given = context.config.attributes.get("connection")
    if given is not None:
        _run(given)
        return
    engine = create_engine(_url(), poolclass=pool.NullPool)
    with engine.connect() as connection:
        _run(connection)
    engine.dispose()


if context.is_offline_mode():
    context.configure(url=_url(), target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    _online()
