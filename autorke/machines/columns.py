"""Columns of the machine list as texts: for a copy to the clipboard and for files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from autorke.core.errors import Text, Unprocessable
from autorke.machines.models import Machine

ONE_MACHINE_ONLY = frozenset({"host_key", "host_key_pinned_by", "kept_fields", "node_address"})
NAMES = tuple(attribute.key for attribute in Machine.__mapper__.column_attrs if attribute.key not in ONE_MACHINE_ONLY)
_FORMULA = tuple("=+-@\t\r＝＋－＠")  # full-width signs start a formula in Chinese spreadsheets too


class NoSuchColumn(Unprocessable):
    code = "no-such-column"
    text = Text(zh="没有列 {name}", en="No column {name}")
    remedy = Text(zh="可用的列：{columns}", en="Columns: {columns}")


def column_of(name: str, *, field: str) -> Any:
    """The mapped column of this name. Raises NoSuchColumn."""
    if name not in NAMES:
        raise NoSuchColumn(field=field, name=name, columns=", ".join(NAMES))
    return getattr(Machine, name)


def parse(names: str, *, usual: Sequence[str], field: str) -> list[str]:
    """Comma-separated column names, each once, in the order given; the usual ones for none. Raises NoSuchColumn."""
    wanted = list(dict.fromkeys(name.strip() for name in names.split(","))) if names else list(usual)
    for name in wanted:
        column_of(name, field=field)
    return wanted


def cell(value: Any) -> str:
    """A value as people read it in a list; unknown is empty."""
    match value:
        case None:
            return ""
        case datetime():
            return value.isoformat()
        case dict() | list():
            return json.dumps(value, ensure_ascii=False) if value else ""
        case _:
            return str(value)


def defused(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return "'" + text if text.startswith(_FORMULA) else text
