"""What a ticket's stream sends behind a cursor: events, node results, log text or the growth of logs.

Of many viewers at the live end each gets the same bytes: what is behind a cursor is read and encoded once for all of
them. Log text is read chunk by chunk in the order of storing.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from fastapi.sse import format_sse_event
from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from autorke.core.db import db_now, transaction
from autorke.tickets import matrix, schemas, service
from autorke.tickets.matrix_schemas import CellOut
from autorke.web import sse
from autorke.workflow.logmerge import ORDER, Place, behind, between
from autorke.workflow.models import Attempt, LogChunk, LogStream, StepRow, Ticket

OVERLAP = timedelta(seconds=10)
"""How far a stream of node results reaches back at its beginning: the page read its matrix a moment before."""
BLOCK_BYTES = 512 * 1024
BLOCK_CHUNKS = 4000
READINGS_KEPT = 32
MOST_GROWN = 500
"""Streams that one event counts; when more have grown, the page reads the list again."""


class Cursor:
    """`seq;batch.stream.chunk;since`: the last event, how far the logs were sent, which node results the client has."""

    def __init__(self, seq: int = 0, place: Place | None = None, since: datetime | None = None) -> None:
        self.seq = seq
        self.place = place
        self.since = since

    @classmethod
    def parse(cls, text: str | None) -> Cursor:
        """What a client sends back; anything unreadable means: from the beginning."""
        head, _, tail = (text or "0").partition(";")
        place, _, since = tail.partition(";")
        try:
            return cls(max(0, min(int(head), 2**62)), Place.parse(place) if place else None, _moment(since))
        except ValueError:
            return cls()

    def __str__(self) -> str:
        return f"{self.seq};{self.place or ''}" + (f";{self.since.isoformat()}" if self.since else "")


def _moment(text: str) -> datetime | None:
    moment = datetime.fromisoformat(text) if text else None
    if moment is not None and moment.tzinfo is None:
        raise ValueError(text)
    return moment


def events(session: Session, ticket: Ticket, cursor: Cursor) -> list[sse.Event]:
    """What happened since, at most 200 events."""
    found: list[sse.Event] = []
    for event in service.events_after(session, ticket.id, cursor.seq, 200):
        cursor.seq = event.seq
        found.append((str(cursor), "ticket", schemas.EventOut.model_validate(event).model_dump(mode="json")))
    return found


def nodes(session: Session, ticket: Ticket, cursor: Cursor) -> list[sse.Event]:
    """Node results since the last ones, as one event; nothing when nothing changed."""
    cursor.since = cursor.since or db_now(session) - OVERLAP
    rows = matrix.changes(session, ticket.id, cursor.since)
    if not rows:
        return []
    cursor.since = rows[-1]["changed_at"]
    cells = [CellOut.model_validate(row).model_dump(mode="json") for row in rows]
    return [(str(cursor), "nodes", {"results": cells})]


def _chunks(ticket_id: UUID, place: Place | None, *columns: Any) -> Any:
    query = select(*columns).select_from(LogChunk).join(LogStream, LogStream.id == LogChunk.stream_id)
    query = query.join(Attempt, Attempt.id == LogStream.attempt_id).join(StepRow, StepRow.id == Attempt.step_id)
    query = query.where(LogChunk.ticket_id == ticket_id)
    if place is not None:
        query = query.where(behind(place))
    return query


_ABOUT = (
    LogStream.id.label("stream_id"),
    StepRow.key.label("step"),
    Attempt.n.label("attempt_n"),
    LogStream.node_id,
)


def grown(session: Session, ticket: Ticket, cursor: Cursor) -> list[sse.Event]:
    """Streams that have become longer, as one event; at first and when they are many, only that some have."""
    head = session.scalar(select(func.max(LogChunk.batch)).where(LogChunk.ticket_id == ticket.id)) or 0
    before, cursor.place = cursor.place, Place.end_of(head)
    if before is None:
        return [(str(cursor), "grown", {"streams": [], "all": True})]
    if head <= before.batch:
        return []
    columns = (*_ABOUT, LogStream.bytes, LogStream.lines, LogStream.first_error_line)
    rows = session.execute(_chunks(ticket.id, before, *columns).distinct().limit(MOST_GROWN + 1)).all()
    if len(rows) > MOST_GROWN:
        return [(str(cursor), "grown", {"streams": [], "all": True})]
    return [(str(cursor), "grown", {"streams": [dict(row._mapping) for row in rows], "all": False})]


@dataclass(frozen=True)
class Wanted:
    """What a viewer asks for besides the history."""

    logs: bool
    counts: bool
    nodes: bool


def read(ticket_id: UUID, wanted: Wanted, text: str | None, age: Any) -> list[sse.Event]:
    """Everything next behind a cursor, as one block. `age` of the ticket's channel says whether an earlier reading
    still holds."""
    return _shared.get((ticket_id, wanted, text, age), lambda: _read(ticket_id, wanted, Cursor.parse(text)))


def _read(ticket_id: UUID, wanted: Wanted, cursor: Cursor) -> list[sse.Event]:
    with transaction() as session:
        ticket = session.get_one(Ticket, ticket_id)
        found = events(session, ticket, cursor)
        found += nodes(session, ticket, cursor) if wanted.nodes else []
        if wanted.logs:
            found += logs(session, ticket, cursor)
        elif wanted.counts:
            found += grown(session, ticket, cursor)
    return [(found[-1][0], "block", sse.Block(b"".join(map(sse.encode, found))))] if found else []


class _Readings:
    """The last few readings. A few locks, so that of those who want the same only one reads and the others wait."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Any, list[sse.Event]] = OrderedDict()
        self._making = [threading.Lock() for _ in range(8)]

    def get(self, key: Any, make: Callable[[], list[sse.Event]]) -> list[sse.Event]:
        with self._making[hash(key) % len(self._making)]:
            found = self._kept.get(key)
            if found is None:
                found = self._kept[key] = make()
                while len(self._kept) > READINGS_KEPT:
                    self._kept.popitem(last=False)
            return found


_shared = _Readings()


def logs(session: Session, ticket: Ticket, cursor: Cursor) -> list[sse.Event]:
    """The next text of all logs, as one block of events `log`."""
    made = _block(session, ticket.id, cursor)
    if made is None:
        return []
    cursor.place, data = made
    return [(str(cursor), "log", data)]


def _block(session: Session, ticket_id: UUID, cursor: Cursor) -> tuple[Place, sse.Block] | None:
    last = _end(session, ticket_id, cursor.place)
    if last is None:
        return None
    query = _chunks(ticket_id, cursor.place, *_ABOUT, LogChunk.batch, LogChunk.seq, LogChunk.byte_off, LogChunk.data)
    rows = session.execute(query.where(between(None, last)).order_by(*ORDER)).all()
    parts = []
    for pieces in _joined(rows):
        end = pieces[-1]
        at = Cursor(cursor.seq, Place(end.batch, end.stream_id, end.seq), cursor.since)
        text = json.dumps(_said(pieces), ensure_ascii=False)
        parts.append(format_sse_event(data_str=text, event="log", id=str(at)))
    return last, sse.Block(b"".join(parts))


def _end(session: Session, ticket_id: UUID, place: Place | None) -> Place | None:
    """The last chunk of the next block, by the chunks' sizes alone; None when there is none."""
    size = func.octet_length(LogChunk.data)
    query = _chunks(ticket_id, place, LogChunk.batch, LogChunk.stream_id, LogChunk.seq, size.label("size"))
    rows = session.execute(query.order_by(*ORDER).limit(BLOCK_CHUNKS)).all()
    ends = [at for at in range(1, len(rows)) if _owner(rows[at]) != _owner(rows[at - 1])]
    if len(rows) < BLOCK_CHUNKS or not ends:  # what one stream said in one batch is not cut: a line may go over chunks
        ends.append(len(rows))
    total, begin = 0, 0
    for end in ends:
        total, begin = total + sum(row.size for row in rows[begin:end]), end
        if total >= BLOCK_BYTES:
            break
    return Place(*rows[begin - 1][:3]) if rows else None


def _owner(row: Row[Any]) -> tuple[int, UUID]:
    return row.batch, row.stream_id


def _joined(rows: Sequence[Row[Any]]) -> Iterator[Sequence[Row[Any]]]:
    """Chunks that follow each other in one stream and one batch belong together: a line may go over them."""
    for _, found in groupby(rows, key=_owner):
        yield list(found)


def _said(pieces: Sequence[Row[Any]]) -> dict[str, Any]:
    data = b"".join(piece.data for piece in pieces)
    first = pieces[0]
    return {
        "stream_id": str(first.stream_id),
        "step": first.step,
        "attempt_n": first.attempt_n,
        "node_id": first.node_id,
        "from": first.byte_off,
        "to": first.byte_off + len(data),
        "text": data.decode("utf-8", "replace"),
    }
