"""Alembic's entry: synchronous psycopg, one transaction per migration, the URL from settings or from the caller."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine, pool

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


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
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
