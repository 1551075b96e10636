"""All logs of a step as one, in the order of time: page by page, forwards and backwards.

A batch holds what all nodes of an attempt said within a quarter of a second, and batches follow each other as they were
stored. So lines are sorted by their time within a batch, and batches are read one behind the other: a page costs what
it shows, however many nodes there are. A batch of more than MOST_LINES lines is shown in parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Label, Row, Select, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from autorke.core.errors import Text, Unprocessable
from autorke.workflow import logread
from autorke.workflow.logread import Block, Line, Query
from autorke.workflow.models import Attempt, LogChunk, LogStream, StepRow

LINES = 2_000
MOST_LINES = 10_000
MOST_CHUNKS = 4_000
AT_ONCE = 500
"""Chunks that a search looks through together: up to 64 kB each."""
LINE_END = 10


class BadPlace(Unprocessable, ValueError):
    code = "bad-log-place"
    text = Text(zh="日志位置无效", en="Not a place in this log")
    remedy = Text(zh="去掉 cursor，从头开始", en="Drop cursor and begin anew")


@dataclass(frozen=True, order=True)
class Place:
    """Of a chunk, in the order of the merged log."""

    batch: int
    stream_id: UUID
    seq: int

    @classmethod
    def parse(cls, text: str) -> Place:
        """Raises BadPlace."""
        try:
            batch, stream_id, seq = text.split(".")
            place = cls(int(batch), UUID(stream_id), int(seq))
        except ValueError as error:
            raise BadPlace(field="cursor") from error
        if not (0 <= place.batch < 2**63 and 0 <= place.seq < 2**63):
            raise BadPlace(field="cursor")
        return place

    @classmethod
    def end_of(cls, batch: int) -> Place:
        """Behind every chunk of a batch."""
        return cls(batch, UUID(int=2**128 - 1), 2**62)

    def __str__(self) -> str:
        return f"{self.batch}.{self.stream_id}.{self.seq}"


@dataclass(frozen=True)
class Said:
    """A line, whose it is, and when it was said; a line without a time belongs to the one before it."""

    stream_id: UUID
    node_id: str | None
    attempt_n: int
    line: Line
    at: str


@dataclass(frozen=True)
class Merged:
    """Lines between two places; `more`: there are others in the direction of reading."""

    lines: Sequence[Said]
    first: Place | None
    last: Place | None
    more: bool


def page(session: Session, step: StepRow, at: Place | None, *, back: bool) -> Merged:
    """The lines behind a place, or before it; from the beginning, or the end, without one."""
    picked, more = _pick(session, step, at, back=back)
    if not picked:
        return Merged([], at, at, more=False)
    lines = _merge(session, _data(session, step, picked[0], picked[-1]))
    return Merged(lines, picked[0], picked[-1], more)


def find(session: Session, step: StepRow, at: Place | None, query: Query, *, back: bool) -> Merged:
    """The next page that has a line which fits, from the batch of that line on. What lies before it is passed over, as
    much as one call may read (`logread.Watch`): then a page without lines, with `more`, says where to go on."""
    watch = logread.Watch()
    while True:
        rows = _window(session, step, at, back=back)
        if not rows:
            return Merged([], at, at, more=False)
        hit = next((row for row in rows if _may_hold(row, query)), None)
        if hit is None:
            at = Place(rows[-1].batch, rows[-1].stream_id, rows[-1].seq)
        else:
            found = page(session, step, _beside(hit.batch, at, back=back), back=back)
            if any(logread.fits(said.line, query) for said in found.lines):
                return found
            at = found.first if back else found.last
        if watch.over(sum(len(row.data) for row in rows)):
            return Merged([], at, at, more=True)


def _window(session: Session, step: StepRow, at: Place | None, *, back: bool) -> Sequence[Row[Any]]:
    """Chunks behind a place, or before it, in the direction of reading, with what `_may_hold` looks at."""
    query = _of_step(step, LogChunk.batch, LogChunk.stream_id, LogChunk.seq, LogChunk.data, _begun())
    if at is not None:
        query = query.where(before(at) if back else behind(at))
    order = [column.desc() for column in ORDER] if back else ORDER
    return session.execute(query.order_by(*order).limit(AT_ONCE)).all()


def _may_hold(row: Row[Any], query: Query) -> bool:
    """Looked at as bytes, a tenth of the work of reading lines. One that goes over the edge of a chunk may fit."""
    return row.begun or row.data[-1:] != b"\n" or any(logread.matches(Block(1, row.data), query))


def _beside(batch: int, at: Place | None, *, back: bool) -> Place:
    """Where a page begins that is to show this batch: at its edge, or within it where it was read that far."""
    edge = Place.end_of(batch) if back else Place.end_of(batch - 1)
    if at is None:
        return edge
    return min(at, edge) if back else max(at, edge)


def _merge(session: Session, data: Sequence[Row[Any]]) -> list[Said]:
    lines: list[Said] = []
    for _, rows in groupby(data, key=lambda row: row.batch):
        lines += sorted((said for row in rows for said in _lines(session, row)), key=lambda said: said.at)
    return lines


def _of_step(step: StepRow, *columns: Any) -> Select[Any]:
    """Chunks by one index alone: joined with their streams, a page would cost the sorting of the whole log."""
    return select(*columns).where(LogChunk.step_id == step.id)


_PLACE = tuple_(LogChunk.batch, LogChunk.stream_id, LogChunk.seq)
ORDER = (LogChunk.batch, LogChunk.stream_id, LogChunk.seq)


def behind(place: Place) -> ColumnElement[bool]:
    """Chunks behind a place."""
    return _PLACE.__gt__(tuple_(place.batch, place.stream_id, place.seq))


def before(place: Place) -> ColumnElement[bool]:
    return _PLACE.__lt__(tuple_(place.batch, place.stream_id, place.seq))


def between(first: Place | None, last: Place) -> ColumnElement[bool]:
    """Chunks from one place, or from the beginning, to another, both included."""
    up_to = _PLACE.__le__(tuple_(last.batch, last.stream_id, last.seq))
    return up_to if first is None else _PLACE.__ge__(tuple_(first.batch, first.stream_id, first.seq)) & up_to


def _pick(session: Session, step: StepRow, at: Place | None, *, back: bool) -> tuple[list[Place], bool]:
    """Chunks for about LINES lines: whole batches, as long as these are not too large. In the order of the log."""
    query = _of_step(step, LogChunk.batch, LogChunk.stream_id, LogChunk.seq, LogChunk.lines)
    if at is not None:
        query = query.where(before(at) if back else behind(at))
    query = query.order_by(*(column.desc() for column in ORDER) if back else ORDER).limit(MOST_CHUNKS)
    rows = session.execute(query).all()
    taken, lines = 0, 0
    for row in rows:
        full = lines >= LINES and row.batch != rows[taken - 1].batch
        if full or lines >= MOST_LINES:
            break
        taken, lines = taken + 1, lines + row.lines
    places = [Place(row.batch, row.stream_id, row.seq) for row in rows[:taken]]
    return places[::-1] if back else places, taken < len(rows) or len(rows) == MOST_CHUNKS


def _data(session: Session, step: StepRow, first: Place, last: Place) -> Sequence[Row[Any]]:
    """The chunks between two places, and of each whether it goes on with a line that an earlier one began."""
    query = (
        _of_step(step, LogChunk, LogStream, Attempt.n, LogChunk.batch, _begun())
        .join(LogStream, LogStream.id == LogChunk.stream_id)
        .join(Attempt, Attempt.id == LogStream.attempt_id)
    )
    return session.execute(query.where(between(first, last)).order_by(*ORDER)).all()


def _begun() -> Label[bool]:
    """Whether a chunk goes on with a line that an earlier one began."""
    earlier = aliased(LogChunk)
    end = select(func.get_byte(earlier.data, func.octet_length(earlier.data) - 1) != LINE_END)
    begun = end.where(earlier.stream_id == LogChunk.stream_id, earlier.seq == LogChunk.seq - 1).scalar_subquery()
    return func.coalesce(begun, False).label("begun")


def _lines(session: Session, row: Row[Any]) -> list[Said]:
    """Lines that end in this chunk; the first one may have begun before it."""
    chunk, stream = row.LogChunk, row.LogStream
    *raws, rest = chunk.data.split(b"\n")
    found = [logread.line_of(chunk.first_line + i, raw) for i, raw in enumerate(raws)]
    if row.begun and found:
        found[0] = next(iter(logread.page(session, stream, chunk.first_line, 1)), found[0])
    ended = stream.closed_at is not None and stream.bytes == chunk.byte_off + len(chunk.data)
    if rest and ended:
        found += logread.page(session, stream, chunk.first_line + len(raws), 1)
    at, said = "", []
    for line in found:
        at = line.at or at
        said.append(Said(stream.id, stream.node_id, row.n, line, at))
    return said
