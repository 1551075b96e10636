"""One row of a CMDB into one machine, or into a refusal that names the field and the reason."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from autorke.integrations.cmdb.config import FieldRule, Mapping
from autorke.integrations.cmdb.fields import FIELDS, NUMBERS, REQUIRED, Parse

MAX_EXTRA = 2_000
"""Longest extra value, as JSON text; longer ones are cut so that one odd row cannot fill the table."""


@dataclass(frozen=True)
class CmdbMachine:
    """What the CMDB says of one machine, as values and as the JSON text that is stored and hashed.

    `values` holds only mapped fields that had a value; `line` counts from 1.
    """

    line: int
    values: dict[str, str | int]
    extra: dict[str, Any]
    values_json: str
    extra_json: str
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
    return _follow(row, _parts(path))


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _parts(path: str) -> tuple[str, ...]:
    return tuple(path.split(".")) if path else ()


def _follow(row: object, parts: tuple[str, ...]) -> object:
    if len(parts) == 1 and isinstance(row, dict):  # most paths are one word
        return row.get(parts[0], MISSING)
    found = row
    for part in parts:
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return MISSING
    return found


@dataclass(frozen=True)
class _Field:
    """One rule of the mapping, taken apart once for all rows."""

    name: str
    parts: tuple[str, ...]
    rule: FieldRule
    parse: Parse
    scale: int

    def read(self, row: object) -> str | int | None:
        """Our value, or None where the row has none. Raises ValueError, OverflowError."""
        value = _follow(row, self.parts)
        if value is MISSING or value is None or value == "":
            value = self.rule.default
            if value is None:
                return None
        elif self.rule.values:
            value = self.rule.values.get(str(value), value)
        if self.scale != 1:
            number = float(value) if isinstance(value, str) else value
            counts = isinstance(number, int | float) and not isinstance(number, bool)
            return self.parse(number * self.scale if counts else number)  # type: ignore[operator]
        return self.parse(value)


def _remembered(parse: Parse) -> Parse:
    """The parser with its last results kept: a rack or a vendor comes back thousands of times."""
    texts = lru_cache(maxsize=4096)(parse)
    return lambda value: texts(value) if type(value) is str else parse(value)


def _fields(mapping: Mapping) -> list[_Field]:
    """In name order, which is the order of the hash."""
    made = []
    for name, rule in sorted(mapping.fields.items()):
        parse = FIELDS[name] if name in REQUIRED else _remembered(FIELDS[name])
        scale = rule.scale if name in NUMBERS else 1
        made.append(_Field(name, _parts(rule.path), rule, parse, scale))
    return made


def _bounded(value: Any) -> Any:
    """The value as short text, or as it is when it is a truth value or a whole number."""
    if value is None or isinstance(value, bool | int):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return text[:MAX_EXTRA].replace("\x00", "").encode("utf-8", "replace").decode()


def mapper(mapping: Mapping) -> Callable[[int, object], CmdbMachine | RefusedRow]:
    """A function (line, row) → machine or refusal. Runs 100,000 times per sync: see `bench/machines.py`."""
    fields = _fields(mapping)
    extras = [(name, _parts(path)) for name, path in sorted(mapping.extra.items())]

    def map_row(line: int, row: object) -> CmdbMachine | RefusedRow:
        values: dict[str, str | int] = {}
        refused: tuple[str, str] | None = None
        for one in fields:
            try:
                value = one.read(row)
            except (ValueError, OverflowError) as error:
                refused = refused or (one.name, str(error)[:200])
                continue
            if value is not None:
                values[one.name] = value
            elif one.name in REQUIRED:
                refused = refused or (one.name, "no value")
        if refused is not None:
            sn = values.get("sn")
            return RefusedRow(line=line, sn=None if sn is None else str(sn), field=refused[0], reason=refused[1])
        found = ((name, _follow(row, parts)) for name, parts in extras)
        extra = {name: _bounded(value) for name, value in found if value is not MISSING}
        texts = _ENCODER.encode(values), _ENCODER.encode(extra)
        return CmdbMachine(line, values, extra, *texts, hash=hashlib.sha256("\n".join(texts).encode()).hexdigest())

    return map_row
