"""One row of a CMDB into one machine, or into a refusal that names the field and the reason."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autorke.core.canonical import sha256_hex
from autorke.integrations.cmdb.config import FieldRule, Mapping
from autorke.integrations.cmdb.fields import FIELDS, NUMBERS, REQUIRED, Parse

MAX_EXTRA = 2_000
"""Longest extra value, as JSON text; longer ones are cut so that one odd row cannot fill the table."""


@dataclass(frozen=True)
class CmdbMachine:
    """What the CMDB says of one machine. `values` holds only mapped fields that had a value; `line` counts from 1."""

    line: int
    values: dict[str, str | int]
    extra: dict[str, Any]
    hash: str

    @property
    def sn(self) -> str:
        return str(self.values["sn"])


@dataclass(frozen=True)
class RefusedRow:
    """A row that cannot be a machine. `sn` is there when it could be read: that machine is not "vanished"."""

    line: int
    sn: str | None
    field: str
    reason: str


MISSING = object()


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_constant(text)


def parse_json(data: str | bytes) -> Any:
    """JSON by the letter of RFC 8259: no NaN, no infinity. Raises ValueError, RecursionError."""
    return json.loads(data, parse_constant=_refuse_constant, parse_float=_finite)


def dig(row: object, path: str) -> object:
    """The value at a dotted path, or MISSING. Digits index lists."""
    found = row
    for part in path.split(".") if path else ():
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return MISSING
    return found


def _translated(row: object, rule: FieldRule) -> object:
    value = dig(row, rule.path)
    if value is MISSING or value is None or value == "":
        return MISSING if rule.default is None else rule.default
    return rule.values.get(str(value), value) if rule.values else value


def _scaled(parse: Parse, value: object, scale: int) -> str | int:
    if scale != 1 and isinstance(value, str):
        value = float(value)
    return parse(value * scale if scale != 1 and isinstance(value, int | float) else value)


def _extra(row: object, paths: dict[str, str]) -> dict[str, Any]:
    found = {name: dig(row, path) for name, path in paths.items()}
    return {name: _bounded(value) for name, value in found.items() if value is not MISSING}


def _bounded(value: Any) -> Any:
    """The value without floats (they have no canonical form) and not longer than MAX_EXTRA."""
    if value is None or isinstance(value, bool | int):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return text[:MAX_EXTRA].replace("\x00", "").encode("utf-8", "replace").decode()


def mapper(mapping: Mapping) -> Callable[[int, object], CmdbMachine | RefusedRow]:
    """A function (line, row) → machine or refusal, with the mapping taken apart once for all rows."""
    rules = [(name, rule, FIELDS[name]) for name, rule in sorted(mapping.fields.items())]

    def map_row(line: int, row: object) -> CmdbMachine | RefusedRow:
        values: dict[str, str | int] = {}
        refused: tuple[str, str] | None = None
        for name, rule, parse in rules:
            value = _translated(row, rule)
            if value is MISSING:
                if name in REQUIRED and refused is None:
                    refused = (name, "no value")
                continue
            try:
                values[name] = _scaled(parse, value, rule.scale if name in NUMBERS else 1)
            except (ValueError, OverflowError) as error:
                refused = refused or (name, str(error)[:200])
        if refused is not None:
            sn = values.get("sn")
            return RefusedRow(line=line, sn=None if sn is None else str(sn), field=refused[0], reason=refused[1])
        extra = _extra(row, mapping.extra)
        return CmdbMachine(line=line, values=values, extra=extra, hash=sha256_hex({"v": values, "x": extra}))

    return map_row
