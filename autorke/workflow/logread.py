"""Logs by line number: pages of lines and a search. Work per call is bounded; a caller goes on by number.

Lines count from 1. A line exists when its end is stored, or when its stream is closed. Of a line longer than
LONGEST_LINE only the beginning is read, searched and shown; the bytes themselves are all in the download.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from autorke.core.db import transaction
from autorke.workflow import loglevel
from autorke.workflow.loglevel import RANK, STAMP_LENGTH, Level
from autorke.workflow.models import LogChunk, LogStream

LONGEST_LINE = 16 * 1024
PAGE_BYTES = 8 * 1024 * 1024
SEARCH_BYTES = 160 * 1024 * 1024
SEARCH_SECONDS = 2.0
AHEAD = 256
"""Chunks asked for at once."""
READERS = 2
"""Connections that read ahead of one long search: Postgres unpacks what is stored while the text before is searched."""
LONG = 4 * 1024 * 1024
"""Bytes of a log that is worth reading ahead."""
WINDOW = 20_000
"""Lines looked at together when searching backwards."""
_STAMP = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z ")


@dataclass(frozen=True)
class Line:
    """One line: its number, the time at its beginning, what follows. `cut`: it is longer than what is shown."""

    n: int
    at: str | None
    level: Level
    text: str
    cut: bool


@dataclass(frozen=True)
class Block:
    """Whole lines from number `n` on, each with its end; `cut`: the one line is longer."""

    n: int
    data: bytes
    cut: bool = False

    @property
    def next(self) -> int:
        """The number of the line behind it."""
        return self.n + self.data.count(b"\n")


@dataclass(frozen=True)
class Query:
    """What to look for: a text, in any case of letters unless `exact`, in lines of at least this level."""

    text: str = ""
    level: Level = "info"
    exact: bool = False


@dataclass
class Found:
    """Numbers of matching lines in the order of the search. `next_line` says where to go on; None: all was seen."""

    lines: list[int] = field(default_factory=list)
    next_line: int | None = None


def line_of(n: int, raw: bytes, *, cut: bool = False) -> Line:
    """A line from its bytes without the end."""
    stamped = _STAMP.match(raw)
    at = raw[: STAMP_LENGTH - 1].decode() if stamped else None
    text = raw[STAMP_LENGTH:] if stamped else raw
    return Line(n, at, loglevel.level_of(raw), text.decode("utf-8", "replace"), cut)


def page(session: Session, stream: LogStream, from_line: int, count: int) -> list[Line]:
    """Up to `count` lines from this one on; fewer at the end, and where PAGE_BYTES are reached."""
    found: list[Line] = []
    size = 0
    for block in blocks(session, stream, from_line, from_line + count - 1):
        raws = block.data[:-1].split(b"\n")
        found += [line_of(block.n + i, raw, cut=block.cut) for i, raw in enumerate(raws[: count - len(found)])]
        size += len(block.data)
        if size >= PAGE_BYTES or len(found) >= count:
            break
    return found


def search(session: Session, stream: LogStream, query: Query, *, from_line: int, limit: int, back: bool) -> Found:
    """Numbers of the next matching lines, at most `limit`; fewer when the work of one call is done."""
    found = Found()
    watch = Watch()
    if back:
        _search_back(session, stream, query, min(from_line, stream.lines), limit, watch, found)
        return found
    at = from_line
    for block in blocks(session, stream, from_line, stream.lines, ahead=stream.bytes > LONG):
        found.lines += [n for n in matches(block, query) if n <= stream.lines][: limit - len(found.lines)]
        at = block.next
        if len(found.lines) >= limit:
            at = found.lines[-1] + 1
            break
        if watch.over(len(block.data)):
            break
    found.next_line = at if at <= stream.lines else None
    return found


def _search_back(
    session: Session, stream: LogStream, query: Query, to: int, limit: int, watch: Watch, found: Found
) -> None:
    while to >= 1:
        first = max(1, to - WINDOW + 1)
        here, size = [], 0
        for block in blocks(session, stream, first, to):
            here += [n for n in matches(block, query) if n <= to]
            size += len(block.data)
        left = limit - len(found.lines)
        found.lines += here[::-1][:left]
        if len(here) >= left:
            found.next_line = found.lines[-1] - 1 or None
            return
        to = first - 1
        if watch.over(size):
            break
    found.next_line = to if to >= 1 else None


class Watch:
    """How much one call has done."""

    def __init__(self) -> None:
        self.until = time.monotonic() + SEARCH_SECONDS
        self.left = SEARCH_BYTES

    def over(self, size: int) -> bool:
        self.left -= size
        return self.left <= 0 or time.monotonic() > self.until


def matches(block: Block, query: Query) -> Iterator[int]:
    """Numbers of the lines of a block that fit the query, each once."""
    if not query.text:
        yield from _of_level(block, query.level)
        return
    found = _with_text(block, query)
    if query.level == "info":
        yield from found
        return
    raws = block.data.split(b"\n")
    yield from (n for n in found if _at_least(raws[n - block.n], query.level))


def fits(line: Line, query: Query) -> bool:
    """The same of one line that was read."""
    if RANK[line.level] < RANK[query.level]:
        return False
    return query.text in line.text if query.exact else query.text.casefold() in line.text.casefold()


def _of_level(block: Block, level: Level) -> Iterator[int]:
    if level == "info":
        yield from range(block.n, block.next)
        return
    n, counted = block.n, 0
    for place in loglevel.places(block.data, level):
        n, counted = n + block.data.count(b"\n", counted, place), place
        yield n


def _at_least(raw: bytes, level: Level) -> bool:
    return RANK[loglevel.level_of(raw)] >= RANK[level]


def _with_text(block: Block, query: Query) -> Iterator[int]:
    """Lines that hold the text behind their time. ASCII is looked for in bytes, anything else in text."""
    hay: Any = block.data
    needle: Any = query.text.encode()
    if not query.exact and query.text.isascii():
        hay, needle = hay.lower(), needle.lower()
    elif not query.exact:
        hay, needle = hay.decode("utf-8", "replace").casefold(), query.text.casefold()
    end: Any = b"\n" if isinstance(hay, bytes) else "\n"
    n, counted = block.n, 0
    place = hay.find(needle)
    while place >= 0:
        n, counted = n + hay.count(end, counted, place), place
        start = hay.rfind(end, 0, place) + 1
        body = start + _stamped(hay, start)
        if place >= body:
            yield n
            body = hay.find(end, place) + 1
        place = hay.find(needle, body)


def _stamped(hay: Any, start: int) -> int:
    """Length of the time at the beginning of a line."""
    head = hay[start : start + STAMP_LENGTH]
    raw = head if isinstance(head, bytes) else head.encode("utf-8", "replace")
    return STAMP_LENGTH if _STAMP.match(raw.upper()) else 0


def blocks(
    session: Session, stream: LogStream, from_line: int, to_line: int, *, ahead: bool = False
) -> Iterator[Block]:
    """Blocks of whole lines that cover these numbers; the last one may hold a few more."""
    n = max(1, from_line)
    last = min(to_line, stream.lines)
    while n <= last:
        with closing(_run(session, stream, n, ahead=ahead)) as run:
            for block in run:
                yield block
                n = block.next
                if n > last or block.cut:
                    break
            else:
                return


def _run(session: Session, stream: LogStream, n: int, *, ahead: bool) -> Generator[Block]:
    """Blocks from line `n` on, up to the end or behind a line that is too long; that one is the last block."""
    seq = _chunk_with_end_of(session, stream.id, n - 1)
    rest, skip = b"", True
    with closing(_ahead(stream.id, seq) if ahead else _chunks(session, stream.id, seq)) as chunks:
        for first_line, data in chunks:
            if skip:
                data, skip = _behind(data, n - first_line), False
            whole, end, tail = (rest + data).rpartition(b"\n") if b"\n" in data else (b"", b"", rest + data)
            if end:
                yield from _split_long(n, whole + end)
                n += whole.count(b"\n") + 1
            rest = tail
            if len(rest) > LONGEST_LINE:
                yield Block(n, rest[:LONGEST_LINE] + b"\n", cut=True)
                return
    if rest and stream.closed_at is not None:
        yield Block(n, rest + b"\n")


def _behind(data: bytes, ends: int) -> bytes:
    """What follows so many line ends."""
    at = 0
    for _ in range(ends):
        at = data.find(b"\n", at) + 1
    return data[at:]


def _split_long(n: int, data: bytes) -> Iterator[Block]:
    """The first line of a block began in an earlier chunk: it alone can be too long."""
    first = data.find(b"\n")
    if first <= LONGEST_LINE:
        yield Block(n, data)
        return
    yield Block(n, data[:LONGEST_LINE] + b"\n", cut=True)


def _chunk_with_end_of(session: Session, stream_id: UUID, line: int) -> int:
    """The chunk in which this line ends, so that the next one begins there or right behind it."""
    query = (
        select(LogChunk.seq)
        .where(LogChunk.stream_id == stream_id, LogChunk.first_line <= line)
        .order_by(LogChunk.first_line.desc(), LogChunk.seq.desc())
        .limit(1)
    )
    return session.scalar(query) or 0


Chunk = tuple[int, bytes]
"""(first line, data)."""


def _chunks(session: Session, stream_id: UUID, seq: int) -> Generator[Chunk]:
    """From a chunk on, a few at first and then more at a time."""
    count, rows = 8, [(0, b"")] * 8
    while len(rows) == count:
        count = min(count * 4, AHEAD)
        rows = _fetch(session, stream_id, seq, count)
        yield from rows
        seq += len(rows)


def _ahead(stream_id: UUID, seq: int) -> Generator[Chunk]:
    """The same, read by others while the caller works on what is there."""

    def fetch(begin: int) -> list[Chunk]:
        with transaction() as session:
            return _fetch(session, stream_id, begin, AHEAD)

    with ThreadPoolExecutor(READERS, thread_name_prefix="log-reader") as pool:
        waiting = deque(pool.submit(fetch, seq + AHEAD * number) for number in range(READERS))
        seq += AHEAD * READERS
        try:
            while waiting:
                rows = waiting.popleft().result()
                if len(rows) == AHEAD:
                    waiting.append(pool.submit(fetch, seq))
                    seq += AHEAD
                yield from rows
        finally:
            for future in waiting:
                future.cancel()


def _fetch(session: Session, stream_id: UUID, seq: int, count: int) -> list[Chunk]:
    """In the binary protocol: in the other one Postgres writes every byte as two digits, which costs more than
    everything else here."""
    connection: Any = session.connection().connection.driver_connection
    with connection.cursor(binary=True) as cursor:
        cursor.execute(
            "select first_line, data from log_chunk where stream_id = %s and seq >= %s order by seq limit %s",
            (stream_id, seq, count),
        )
        rows: list[Chunk] = cursor.fetchall()
        return rows
