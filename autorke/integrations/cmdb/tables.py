"""CSV and JSON texts as numbered rows: well-formed to the last sign, or an error that says where they are not."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from autorke.core.errors import Text
from autorke.integrations.cmdb.mapping import dig, parse_json

if TYPE_CHECKING:
    from _csv import Reader as _Reader


class NoTable(ValueError):
    """The text is no table. `line` counts from 1 and `column` is a name of the header or a position, where known."""

    def __init__(self, reason: Text, line: int = 0, column: str = "") -> None:
        super().__init__(reason.en)
        self.reason = reason
        self.line = line
        self.column = column


def header_of(text: str, delimiter: str) -> list[str]:
    """Names of the columns of a CSV text. Raises NoTable."""
    return _header(_reader(text, delimiter))


def csv_rows(text: str, delimiter: str) -> Iterator[tuple[int, object]]:
    """(line where the row begins, row) of a CSV text with a header. Raises NoTable, also after rows were given."""
    reader = _reader(text, delimiter)
    header = _header(reader)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise NoTable(Text(zh=f"CSV 格式错误：{error}", en=f"not CSV: {error}"), line) from error
        if cells is None:
            return
        if not cells:
            continue
        if len(cells) != len(header):
            column = header[len(cells)] if len(cells) < len(header) else str(len(header) + 1)
            zh = f"有 {len(cells)} 个单元格，表头有 {len(header)} 个"
            raise NoTable(Text(zh=zh, en=f"{len(cells)} cells, the header has {len(header)}"), line, column)
        yield line, dict(zip(header, cells, strict=True))


def json_rows(text: str, items: str) -> Iterator[tuple[int, object]]:
    """(number from 1, row) of the list at a dotted path of a JSON text. Raises NoTable."""
    try:
        rows = dig(parse_json(text), items)
    except json.JSONDecodeError as error:
        reason = Text(zh=f"不是 JSON：{error.msg}", en=f"not JSON: {error.msg}")
        raise NoTable(reason, error.lineno, str(error.colno)) from error
    except (ValueError, RecursionError) as error:
        raise NoTable(Text(zh=f"不是 JSON：{error}"[:300], en=f"not JSON: {error}"[:300])) from error
    if not isinstance(rows, list):
        raise NoTable(Text(zh=f"“{items}”处不是列表", en=f"no list at '{items}'"))
    yield from enumerate(rows, start=1)


def _reader(text: str, delimiter: str) -> _Reader:
    at = text.find("\x00")
    if at >= 0:
        line = text.count("\n", 0, at) + 1
        raise NoTable(Text(zh="含有 NUL 字符", en="a NUL character"), line, str(at - text.rfind("\n", 0, at)))
    return csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)


def _header(reader: _Reader) -> list[str]:
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise NoTable(Text(zh=f"CSV 格式错误：{error}", en=f"not CSV: {error}"), 1) from error
    if not header or len(set(header)) != len(header):
        reason = Text(zh="表头为空，或有重名的列", en="the header row is empty or names a column twice")
        raise NoTable(reason, 1, next((name for name in header if header.count(name) > 1), ""))
    return header
