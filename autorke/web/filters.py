"""Filters of lists: `column:operator:value` texts become SQL conditions, by a declared table of columns.

| operator | value | meaning |
| --- | --- | --- |
| eq, ne | one value | ne also matches rows that have no value |
| in | values, comma separated | one of them |
| contains | text | inside the text, any case; for a list column: the list holds exactly this item |
| prefix | text | text starts with it, any case |
| lt, gt, le, ge | one value | order of the column's type; times are ISO 8601 with a zone |
| null | true or false | has no value, has one |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func
from sqlalchemy.orm import InstrumentedAttribute

from autorke.web.errors import BadFilter

MAX_FILTERS = 32
MAX_VALUES = 500
_ORDER = frozenset({"lt", "gt", "le", "ge"})
_PLAIN = frozenset({"eq", "ne", "in", "null"})


@dataclass(frozen=True)
class Column:
    """One column of a list. `kind` is the Python type of its values: str, int, float, bool, datetime, UUID, an Enum,
    or `list` for a JSONB array of texts. `expression` is a mapped attribute or any SQL expression."""

    expression: InstrumentedAttribute[Any] | ColumnElement[Any]
    kind: type[Any] = str
    sortable: bool = True
    operators: frozenset[str] | None = None

    @property
    def nullable(self) -> bool:
        return bool(getattr(getattr(self.expression, "expression", self.expression), "nullable", True))

    def allowed(self) -> frozenset[str]:
        """Operators of this column: those declared, else those that its type can answer."""
        if self.operators is not None:
            return self.operators
        if self.kind is list:
            return frozenset({"contains", "null"})
        if self.kind is str:
            return _PLAIN | _ORDER | {"contains", "prefix"}
        return _PLAIN if self.kind in (bool, UUID) or issubclass(self.kind, Enum) else _PLAIN | _ORDER


def parse_value(column: Column, text: str) -> Any:
    """The text as the column's type. Raises ValueError."""
    if column.kind is bool:
        return {"true": True, "false": False}[text] if text in ("true", "false") else _refuse("true or false")
    if column.kind is datetime:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else _refuse("a time with its zone")
    if column.kind in (str, list):
        return text
    return column.kind(text)


def _refuse(expected: str) -> Any:
    raise ValueError(f"expected {expected}")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


_OPERATORS: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column.is_distinct_from(value),
    "in": lambda column, value: column.in_(value),
    "contains": lambda column, value: column.ilike(f"%{_escaped(value)}%", escape="\\"),
    "prefix": lambda column, value: column.ilike(f"{_escaped(value)}%", escape="\\"),
    "lt": lambda column, value: column < value,
    "gt": lambda column, value: column > value,
    "le": lambda column, value: column <= value,
    "ge": lambda column, value: column >= value,
    "null": lambda column, value: column.is_(None) if value else column.is_not(None),
}


def _condition(column: Column, operator: str, text: str) -> ColumnElement[bool]:
    """Raises ValueError when the text is not a value of the column."""
    if operator == "null":
        flag = parse_value(Column(column.expression, bool), text)
        return _OPERATORS["null"](column.expression, flag)
    if operator == "in":
        words = text.split(",")
        if len(words) > MAX_VALUES:
            raise ValueError(f"at most {MAX_VALUES} values")
        return _OPERATORS["in"](column.expression, [parse_value(column, word) for word in words])
    if column.kind is list:
        return func.jsonb_exists(column.expression, text)
    return _OPERATORS[operator](column.expression, parse_value(column, text))


def conditions(columns: Mapping[str, Column], filters: tuple[str, ...]) -> list[ColumnElement[bool]]:
    """One SQL condition per filter text. Raises BadFilter naming what is wrong and the columns there are."""
    if len(filters) > MAX_FILTERS:
        raise _bad(columns, "…", zh=f"最多 {MAX_FILTERS} 个", en=f"at most {MAX_FILTERS}")
    found: list[ColumnElement[bool]] = []
    for text in filters:
        name, _, rest = text.partition(":")
        operator, colon, value = rest.partition(":")
        column = columns.get(name)
        if column is None or not colon:
            raise _bad(columns, text, zh="没有这一列", en="no such column")
        if operator not in column.allowed():
            known = ", ".join(sorted(column.allowed()))
            raise _bad(columns, text, zh=f"可用的操作：{known}", en=f"operators: {known}")
        try:
            found.append(_condition(column, operator, value))
        except (ValueError, OverflowError) as error:
            raise _bad(columns, text, zh="值的类型不对", en="the value has the wrong type") from error
    return found


def _bad(columns: Mapping[str, Column], text: str, *, zh: str, en: str) -> BadFilter:
    return BadFilter(field="filter", text=text, zh=zh, en=en, columns=", ".join(columns))
