"""CSV and JSON files as a CMDB: the whole file is well-formed, or nothing is read from it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from autorke.integrations.cmdb.config import CsvSource, JsonSource
from autorke.integrations.cmdb.errors import CmdbMalformed, CmdbTooLarge, CmdbUnreachable
from autorke.integrations.cmdb.tables import NoTable, csv_rows, json_rows

PAGE = 1_000


def _text(source: CsvSource | JsonSource, root: Path, encoding: str) -> str:
    """The file's text. The path is relative to `root` and, links followed, stays inside it.

    What is outside is refused in the same words as what is not there: nobody learns from us which files exist.
    """
    try:
        data = _content(source, root)
    except OSError as error:
        raise CmdbUnreachable(field="source.path", reason=f"no readable file {source.path}") from error
    if len(data) > source.max_bytes:
        raise CmdbTooLarge(field="source.max_bytes", limit=f"{source.max_bytes} bytes")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise CmdbMalformed(field="source.encoding", reason=f"not {encoding} at byte {error.start}") from error


def _content(source: CsvSource | JsonSource, root: Path) -> bytes:
    """At most one byte more than the source allows. Raises OSError."""
    inside = root.resolve(strict=True)
    path = (inside / source.path).resolve(strict=True)
    if not path.is_relative_to(inside):
        raise FileNotFoundError(source.path)
    # Not blocking: a named pipe would keep us waiting for ever. No link: it could have been put there just now.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise FileNotFoundError(source.path)
        return file.read(source.max_bytes + 1)


def fetch_rows(source: CsvSource | JsonSource, *, root: Path) -> Iterator[list[object]]:
    """Pages of rows of a file below `root`. Raises a CmdbError when any of it cannot be read."""
    if isinstance(source, CsvSource):
        encoding = "utf-8-sig" if source.encoding == "utf-8" else source.encoding
        rows = csv_rows(_text(source, root, encoding), source.delimiter)
    else:
        rows = json_rows(_text(source, root, "utf-8-sig"), source.items)
    try:
        while page := [row for _, row in islice(rows, PAGE)]:
            yield page
    except NoTable as error:
        where = f"line {error.line}: " if error.line else ""
        raise CmdbMalformed(field="source", reason=f"{where}{error}") from error
