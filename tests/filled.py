"""Put one row into every table of a database, whatever its revision, by what the catalogue says of it."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, inspect, select
from sqlalchemy.sql.sqltypes import TypeEngine

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SAMPLES: dict[str, Any] = {
    "UUID": uuid.UUID(int=7),
    "INET": "192.0.2.1",
    "CIDR": "192.0.2.0/24",
    "MACADDR": "02:00:00:00:00:01",
    "JSONB": {},
    "JSON": {},
    "BYTEA": b"x",
    "BOOLEAN": False,
    "TIMESTAMP": MOMENT,
    "DATE": date(2026, 1, 2),
    "ARRAY": [],
}
NUMBER = 60
"""Fits the ranges we check: a port, a percentage, seconds of at least a minute."""


def fill(connection: Connection) -> dict[str, int]:
    """One row into each empty table; nullable columns stay null. Returns table → rows."""
    metadata = MetaData()
    metadata.reflect(connection)
    tables = [table for table in metadata.sorted_tables if table.name != "alembic_version"]
    for table in tables:
        if not connection.execute(select(table).limit(1)).first():
            connection.execute(table.insert().values(_row(connection, table)))
    return count(connection)


def count(connection: Connection) -> dict[str, int]:
    metadata = MetaData()
    metadata.reflect(connection)
    return {
        name: len(connection.execute(select(table)).all())
        for name, table in metadata.tables.items()
        if name != "alembic_version"
    }


def _row(connection: Connection, table: Table) -> dict[str, Any]:
    allowed = _allowed_words(connection, table)
    return {
        column.name: _value(connection, column, allowed)
        for column in table.columns
        if not column.nullable and column.identity is None and not _sequence(column)
    }


def _value(connection: Connection, column: Column[Any], allowed: dict[str, str]) -> Any:
    for key in column.foreign_keys:
        return connection.execute(select(key.column).limit(1)).scalar_one()
    if column.name in allowed:
        return allowed[column.name]
    return _sample(column.type)


def _sample(kind: TypeEngine[Any]) -> Any:
    name = type(kind).__name__.upper()
    if name in SAMPLES:
        return SAMPLES[name]
    return NUMBER if issubclass(kind.python_type, int | float) else "x"


def _sequence(column: Column[Any]) -> bool:
    return column.server_default is not None and "nextval" in str(getattr(column.server_default, "arg", ""))


def _allowed_words(connection: Connection, table: Table) -> dict[str, str]:
    """The first word that a CHECK of the form `column = ANY (ARRAY['a', 'b'])` permits."""
    found = {}
    for check in inspect(connection).get_check_constraints(table.name):
        hit = re.match(r"\(*(\w+)\)*(?:::\w+)? = ANY \(+ARRAY\['([^']+)'", check["sqltext"])
        if hit:
            found[hit[1]] = hit[2]
    return found
