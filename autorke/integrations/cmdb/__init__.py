"""CMDB adapters: whatever the CMDB is, it becomes pages of machines and refused rows. Values in, values out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx

from autorke.integrations.cmdb import files, http
from autorke.integrations.cmdb.config import CmdbConfig, HttpSource, UploadSource
from autorke.integrations.cmdb.errors import FilledByImports
from autorke.integrations.cmdb.mapping import CmdbMachine, RefusedRow, mapper

__all__ = ["CmdbConfig", "CmdbMachine", "RefusedRow", "fetch_pages", "fetch_rows"]


def fetch_rows(
    config: CmdbConfig, *, secret: str | None, root: Path, transport: httpx.BaseTransport | None = None
) -> Iterator[list[object]]:
    """Pages of rows as the CMDB sent them, for the mapping preview. Raises FilledByImports, or later a CmdbError."""
    if isinstance(config.source, UploadSource):
        raise FilledByImports(field="config.source.kind")
    if isinstance(config.source, HttpSource):
        return http.fetch_rows(config.source, secret=secret, transport=transport)
    return files.fetch_rows(config.source, root=root)


def fetch_pages(
    config: CmdbConfig, *, secret: str | None, root: Path, transport: httpx.BaseTransport | None = None
) -> Iterator[list[CmdbMachine | RefusedRow]]:
    """Pages of machines and refusals; `root` is the directory of file sources.

    Raises a CmdbError at any moment: what came before it is then not the whole answer.
    """
    map_row = mapper(config.mapping)
    line = 0
    for rows in fetch_rows(config, secret=secret, root=root, transport=transport):
        yield [map_row(line + offset, row) for offset, row in enumerate(rows, start=1)]
        line += len(rows)
