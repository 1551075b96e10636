"""What a ticket's stream sends behind a cursor: events, node results, log text or the growth of logs.

Of many viewers at the live end each gets the same bytes: what is behind a cursor is read and encoded once for all of
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from autorke.core.db import db_now, transaction
from autorke.tickets import matrix, schemas, service
from autorke.tickets.logtext import Blocks
from autorke.tickets.matrix_schemas import CellOut
from autorke.web import sse
from autorke.workflow.logmerge import Place
from autorke.workflow.models import Attempt, LogChunk, LogStream, StepRow, Ticket

OVERLAP = timedelta(seconds=10)
"""How far a stream of node results reaches back at its beginning: the page read its matrix a moment before."""
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


def grown(session: Session, ticket: Ticket, cursor: Cursor) -> list[sse.Event]:
    """Streams that have become longer, as one event; at first and when they are many, only that some have."""
    head = session.scalar(select(func.max(LogChunk.batch)).where(LogChunk.ticket_id == ticket.id)) or 0
    before, cursor.place = cursor.place, Place.end_of(head)
    if before is None:
        return [(str(cursor), "grown", {"streams": [], "all": True})]
    if head <= before.batch:
        return []
    touched = select(LogChunk.stream_id).where(LogChunk.ticket_id == ticket.id, LogChunk.batch > before.batch)
    query = select(
        LogStream.id.label("stream_id"),
        StepRow.key.label("step"),
        Attempt.n.label("attempt_n"),
        LogStream.node_id,
        LogStream.bytes,
        LogStream.lines,
        LogStream.first_error_line,
    )
    query = query.join(Attempt, Attempt.id == LogStream.attempt_id).join(StepRow, StepRow.id == Attempt.step_id)
    rows = session.execute(query.where(LogStream.id.in_(touched)).limit(MOST_GROWN + 1)).all()
    if len(rows) > MOST_GROWN:
        return [(str(cursor), "grown", {"streams": [], "all": True})]
    return [(str(cursor), "grown", {"streams": [dict(row._mapping) for row in rows], "all": False})]


@dataclass(frozen=True)
class Wanted:
    """What a viewer asks for besides the history."""

    logs: bool
    counts: bool
    nodes: bool


def read(ticket_id: UUID, wanted: Wanted, text: str | None) -> list[sse.Event]:
    """Everything next behind a cursor, as one block, whoever asks."""
    cursor = Cursor.parse(text)
    with transaction() as session:
        ticket = session.get_one(Ticket, ticket_id)
        found = events(session, ticket, cursor)
        found += nodes(session, ticket, cursor) if wanted.nodes else []
        if wanted.logs:
            found += logs(session, ticket, cursor)
        elif wanted.counts:
            found += grown(session, ticket, cursor)
    if not found or (len(found) == 1 and isinstance(found[0][2], sse.Block)):
        return found
    return [(found[-1][0], "block", sse.Block(b"".join(map(sse.encode, found))))]


_texts = Blocks()


def logs(session: Session, ticket: Ticket, cursor: Cursor) -> list[sse.Event]:
    """The next text of all logs, as one block of events `log`."""
    about = (f"{cursor.seq};", f";{cursor.since.isoformat()}" if cursor.since else "")
    made = _texts.after(session, ticket.id, cursor.place, about)
    if made is None:
        return []
    cursor.place, data = made
    return [(str(cursor), "log", data)]
