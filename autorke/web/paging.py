"""Keyset pages, sorting and filtering for every list of the API, declared once per list as a table of columns.

    COLUMNS = {
        "name": Column(Machine.name),
        "cores": Column(Machine.cores, int),
        "seen_at": Column(Machine.seen_at, datetime),
        "state": Column(Machine.state, MachineState),
        "tags": Column(Machine.tags, list),          # a JSONB array of texts
    }
    page(session, select(Machine), COLUMNS, query, key=Machine.id, default_sort="name")

A page costs one statement (two with `total`), plus what the statement's own eager loads cost. The cursor holds the sort
values of the last row and its id, signed, so that rows that come or go between two pages shift nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, false, func, literal, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from autorke.core import crypto
from autorke.web.errors import BadCursor, BadSort
from autorke.web.filters import Column, conditions, parse_value

__all__ = ["Column", "PageQuery", "Slice", "page"]

_PURPOSE = "page cursor"
Key = InstrumentedAttribute[UUID] | ColumnElement[UUID]
"""What makes the order of a list total: a column that is unique in its rows."""


@dataclass(frozen=True)
class PageQuery:
    """What the caller asked of a list."""

    limit: int = 50
    cursor: str | None = None
    sort: str | None = None
    filters: tuple[str, ...] = ()
    total: bool = False


@dataclass(frozen=True)
class Slice:
    """One page: rows of the statement, the cursor of the next page, the count of all matches when asked for.

    Routes return it as it is; `response_model=Page[SomethingOut]` serialises it.
    """

    items: list[Any]
    next: str | None
    total: int | None


@dataclass(frozen=True)
class _Key:
    """One sort key. NULL sorts last in both directions, as people expect of an empty cell."""

    name: str
    column: Column
    down: bool

    def order(self) -> list[ColumnElement[Any]]:
        ordered = self.column.expression.desc() if self.down else self.column.expression.asc()
        return [ordered.nulls_last() if self.column.nullable else ordered]

    def same(self, value: Any) -> ColumnElement[bool]:
        return self.column.expression.is_(None) if value is None else self.column.expression == value

    def beyond(self, value: Any) -> ColumnElement[bool]:
        if value is None:
            return false()
        expression = self.column.expression
        further = expression < value if self.down else expression > value
        return or_(further, expression.is_(None)) if self.column.nullable else further


def _sort_keys(columns: Mapping[str, Column], wanted: str, key: Key) -> tuple[_Key, ...]:
    """The asked columns, then the id in the direction of the first one, which makes the order total."""
    keys: list[_Key] = []
    sortable = [name for name, column in columns.items() if column.sortable and column.kind is not list]
    for word in (part.strip() for part in wanted.split(",")):
        name = word.removeprefix("-")
        if name not in sortable:
            raise BadSort(field="sort", column=name or "''", columns=", ".join(sortable))
        if name not in (seen.name for seen in keys):
            keys.append(_Key(name, columns[name], word.startswith("-")))
    return (*keys, _Key("", Column(key, UUID), keys[0].down))


def _after(keys: tuple[_Key, ...], values: list[Any]) -> ColumnElement[bool]:
    """Rows behind `values` in the order of `keys`; one row comparison where an index can serve it."""
    if len({key.down for key in keys}) == 1 and not any(key.column.nullable for key in keys):
        row = tuple_(*(key.column.expression for key in keys))
        mark = tuple_(*(literal(value, key.column.expression.type) for key, value in zip(keys, values, strict=True)))
        return row < mark if keys[0].down else row > mark
    branches = []
    equal: list[ColumnElement[bool]] = []
    for key, value in zip(keys, values, strict=True):
        branches.append(and_(*equal, key.beyond(value)))
        equal.append(key.same(value))
    return or_(*branches)


def _plain(value: Any) -> Any:
    """A sort value as JSON can carry it; `parse_value` is its inverse."""
    match value:
        case None | bool() | int() | float():
            return value
        case datetime():
            return value.isoformat()
        case Enum():
            return value.value
        case _:
            return str(value)


def _encode(keys: tuple[_Key, ...], values: list[Any]) -> str:
    order = ",".join(("-" if key.down else "") + key.name for key in keys)
    data = json.dumps([order, [_plain(value) for value in values]], ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(crypto.sign(data, purpose=_PURPOSE) + data).decode().rstrip("=")


def _decode(cursor: str, keys: tuple[_Key, ...]) -> list[Any]:
    """Sort values of the last row seen. Raises BadCursor when forged, damaged, or made under another order."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        if not crypto.signed(raw[16:], raw[:16], purpose=_PURPOSE):
            raise BadCursor(field="cursor")
        order, values = json.loads(raw[16:])
        if order != ",".join(("-" if key.down else "") + key.name for key in keys):
            raise BadCursor(field="cursor")
        return [
            value if value is None or not isinstance(value, str) else parse_value(key.column, value)
            for key, value in zip(keys, values, strict=True)
        ]
    except (binascii.Error, ValueError) as error:
        raise BadCursor(field="cursor") from error


def page(
    session: Session,
    statement: Select[Any],
    columns: Mapping[str, Column],
    query: PageQuery,
    *,
    key: Key,
    default_sort: str,
) -> Slice:
    """One page of `statement` (which already holds the caller's scope). Raises BadFilter, BadSort, BadCursor."""
    statement = statement.where(*conditions(columns, query.filters))
    keys = _sort_keys(columns, query.sort or default_sort, key)
    marks = [sort_key.column.expression.label(f"_mark_{index}") for index, sort_key in enumerate(keys)]
    ordered = statement.add_columns(*marks).order_by(None).order_by(*(part for one in keys for part in one.order()))
    if query.cursor is not None:
        ordered = ordered.where(_after(keys, _decode(query.cursor, keys)))
    rows = session.execute(ordered.limit(query.limit + 1)).all()
    shown = rows[: query.limit]
    following = _encode(keys, list(shown[-1][-len(keys) :])) if len(rows) > query.limit else None
    width = len(rows[0]) - len(keys) if rows else 1
    items = [row[0] if width == 1 else tuple(row[:width]) for row in shown]
    total = None
    if query.total:
        total = session.execute(select(func.count()).select_from(statement.order_by(None).subquery())).scalar_one()
    return Slice(items=items, next=following, total=total)
