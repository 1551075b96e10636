"""CSV and JSON files as a CMDB: the whole file is well-formed, or nothing is read from it."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from autorke.integrations.cmdb.config import CsvSource, JsonSource
from autorke.integrations.cmdb.errors import CmdbMalformed, CmdbTooLarge, CmdbUnreachable
from autorke.integrations.cmdb.mapping import dig, parse_json

PAGE = 1_000


def _text(source: CsvSource | JsonSource, root: Path, encoding: str) -> str:
    """The file's text. The path is relative to `root` and, links followed, stays inside it."""
    try:
        path = (root / source.path).resolve(strict=True)
        if not path.is_relative_to(root.resolve(strict=True)) or not path.is_file():
            raise CmdbUnreachable(field="source.path", reason=f"{source.path} is not a file of the CMDB directory")
        if path.stat().st_size > source.max_bytes:
            raise CmdbTooLarge(field="source.max_bytes", limit=f"{source.max_bytes} bytes")
        return path.read_bytes().decode(encoding)
    except OSError as error:
        raise CmdbUnreachable(field="source.path", reason=f"{source.path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CmdbMalformed(field="source.encoding", reason=f"not {encoding} at byte {error.start}") from error


def _paged(rows: Iterator[object]) -> Iterator[list[object]]:
    while page := list(islice(rows, PAGE)):
        yield page


def _csv_rows(text: str, delimiter: str) -> Iterator[object]:
    if "\x00" in text:
        raise CmdbMalformed(field="source", reason="a NUL character")
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if not header or len(set(header)) != len(header):
            raise CmdbMalformed(field="source", reason="the header row is empty or names a column twice")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                reason = f"line {reader.line_num}: {len(cells)} cells, the header has {len(header)}"
                raise CmdbMalformed(field="source", reason=reason)
            yield dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise CmdbMalformed(field="source", reason=f"line {reader.line_num}: {error}") from error


def fetch_rows(source: CsvSource | JsonSource, *, root: Path) -> Iterator[list[object]]:
    """Pages of rows of a file below `root`. Raises a CmdbError when any of it cannot be read."""
    if isinstance(source, CsvSource):
        encoding = "utf-8-sig" if source.encoding == "utf-8" else source.encoding
        yield from _paged(_csv_rows(_text(source, root, encoding), source.delimiter))
        return
    try:
        rows = dig(parse_json(_text(source, root, "utf-8-sig")), source.items)
    except (ValueError, RecursionError) as error:
        raise CmdbMalformed(field="source", reason=f"not JSON: {error}"[:300]) from error
    if not isinstance(rows, list):
        raise CmdbMalformed(field="source.items", reason=f"no list at '{source.items}'")
    yield from _paged(iter(rows))
