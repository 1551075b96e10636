"""The answer of a CMDB, kept beside the tables until all of it is there: a temporary table, filled by COPY.

The table lives as long as its connection. A sync commits each page, so that no transaction is open while the CMDB is
asked; an import stages and applies in the transaction of its request.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
from sqlalchemy import Connection, text

from autorke.core.ids import new_id
from autorke.integrations.cmdb import CmdbMachine, RefusedRow

_CREATE = text(
    """
create temporary table cmdb_stage (
    id uuid, line int, sn text collate "C", cmdb_id text collate "C", hostname text collate "C", address inet,
    values jsonb, extra jsonb, hash text collate "C", refused_field text, refused_reason text
)
"""
)
_COPY = "copy cmdb_stage from stdin"


def create(connection: Connection) -> None:
    """An empty stage on this connection; one that an earlier run left on it is dropped."""
    connection.execute(text("drop table if exists pg_temp.cmdb_stage"))
    connection.execute(_CREATE)


def drop(connection: Connection) -> None:
    """For a connection that goes back to its pool."""
    connection.execute(text("drop table if exists pg_temp.cmdb_stage"))


def _machine_row(row: CmdbMachine) -> tuple[Any, ...]:
    values = row.values
    return (
        *(new_id(), row.line, values["sn"], values["cmdb_id"], values["hostname"], values["address"]),
        *(row.values_json, row.extra_json, row.hash, None, None),
    )


def _refused_row(row: RefusedRow) -> tuple[Any, ...]:
    return (None, row.line, row.sn, None, None, None, None, None, None, row.field, row.reason)


def add(connection: Connection, page: Iterable[CmdbMachine | RefusedRow]) -> int:
    """Append one page; the number of rows."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101  the only driver this product uses
    count = 0
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        for row in page:
            copy.write_row(_machine_row(row) if isinstance(row, CmdbMachine) else _refused_row(row))
            count += 1
    return count


def index(connection: Connection) -> None:
    """Once everything is there: what the comparison looks up by, and fresh statistics."""
    connection.execute(text("create index on cmdb_stage (sn)"))
    connection.execute(text("create index on cmdb_stage (address)"))
    connection.execute(text("analyze cmdb_stage"))
