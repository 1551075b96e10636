"""Logs of a ticket for its viewers: found within the ticket, so that nobody reads another ticket's by its id."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from autorke.core.db import transaction
from autorke.core.errors import NotFound
from autorke.workflow import logmerge, logread, logstore
from autorke.workflow.logmerge import Place
from autorke.workflow.logread import Query
from autorke.workflow.models import Attempt, LogStream, StepRow, Ticket, TicketNode

PIECE = 1024 * 1024


def streams(session: Session, ticket_id: UUID) -> list[dict[str, Any]]:
    """Every log stream of the ticket, oldest attempt first."""
    return [
        {
            **{column.key: getattr(row, column.key) for column in LogStream.__table__.columns},
            "step": key,
            "attempt_n": n,
            "purpose": purpose,
        }
        for row, key, n, purpose in logstore.streams_of(session, ticket_id)
    ]


def stream(session: Session, ticket_id: UUID, stream_id: UUID) -> LogStream:
    """One stream of this ticket. Raises NotFound."""
    query = (
        select(LogStream)
        .join(Attempt, Attempt.id == LogStream.attempt_id)
        .join(StepRow, StepRow.id == Attempt.step_id)
        .where(LogStream.id == stream_id, StepRow.ticket_id == ticket_id)
    )
    found = session.scalars(query).one_or_none()
    if found is None:
        raise NotFound(what="log", key=str(stream_id))
    return found


def lines(session: Session, row: LogStream, from_line: int, count: int) -> dict[str, Any]:
    found = logread.page(session, row, from_line, count)
    return {"from_line": from_line, "lines": found, "total": row.lines, "closed": row.closed_at is not None}


def search(
    session: Session, row: LogStream, query: Query, *, from_line: int | None, limit: int, back: bool
) -> dict[str, Any]:
    begin = from_line if from_line is not None else (row.lines if back else 1)
    found = logread.search(session, row, query, from_line=begin, limit=limit, back=back)
    return {
        "lines": found.lines,
        "total": len(found.lines),
        "next_line": found.next_line,
        "searched": row.lines,
        "closed": row.closed_at is not None,
    }


def merged(
    session: Session, ticket_id: UUID, step: str, cursor: str | None, query: Query, *, back: bool
) -> dict[str, Any]:
    """All streams of a step as one: the next page, or the next one with a line that fits. Raises NotFound, BadPlace."""
    row = session.scalars(select(StepRow).where(StepRow.ticket_id == ticket_id, StepRow.key == step)).one_or_none()
    if row is None:
        raise NotFound(what="step", key=step, field="step")
    at = Place.parse(cursor) if cursor else None
    if query == Query():
        found = logmerge.page(session, row, at, back=back)
    else:
        found = logmerge.find(session, row, at, query, back=back)
    said = [
        {**vars(it.line), "stream_id": it.stream_id, "node_id": it.node_id, "attempt_n": it.attempt_n}
        for it in found.lines
    ]
    places = {"next": found.last, "previous": found.first}
    return {"lines": said, **{name: str(at) if at else None for name, at in places.items()}, "more": found.more}


def content(stream_id: UUID, size: int) -> Iterator[bytes]:
    """The first `size` bytes of a stream, piece by piece, each in a short transaction of its own."""
    offset = 0
    while offset < size:
        with transaction() as session:
            data = logstore.read(session, stream_id, offset, min(PIECE, size - offset))[: size - offset]
        if not data:
            return
        offset += len(data)
        yield data


def file_name(ticket: Ticket, about: dict[str, Any], node: str | None) -> str:
    """`7-join-2-run-gpu-017.log`: plain characters only, whatever a node is called."""
    parts = (about["step"], f"{about['attempt_n']:02d}", about["purpose"].lower(), node or "all")
    return f"{ticket.number}-{'-'.join(map(_plain, parts))}.log"


def name_of(session: Session, ticket: Ticket, row: LogStream) -> str:
    """The file name of one stream."""
    query = select(StepRow.key, Attempt.n, Attempt.purpose).join(StepRow, StepRow.id == Attempt.step_id)
    step, n, purpose = session.execute(query.where(Attempt.id == row.attempt_id)).one()
    node = node_names(session, ticket.id).get(row.node_id, row.node_id) if row.node_id else None
    return file_name(ticket, {"step": step, "attempt_n": n, "purpose": purpose}, node)


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip(".")[:80] or "_"


def node_names(session: Session, ticket_id: UUID) -> dict[str, str]:
    query = select(TicketNode.node_id, TicketNode.name).where(TicketNode.ticket_id == ticket_id)
    return {row.node_id: row.name for row in session.execute(query)}


class _Sink:
    """What zipfile writes into: it cannot seek, so the sizes follow each file, and it keeps nothing for long."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing to do: `taken` hands out what was written."""

    def taken(self) -> bytes:
        data, self._parts = b"".join(self._parts), []
        return data


def archive(files: list[tuple[str, UUID, int, datetime]]) -> Iterator[bytes]:
    """A zip of (name, stream, size, time of its attempt), made while it is read; no file, no more than a piece in
    memory."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:  # type: ignore[call-overload]
        for name, stream_id, size, at in files:
            entry = zipfile.ZipInfo(name, at.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            with out.open(entry, "w", force_zip64=True) as target:
                for data in content(stream_id, size):
                    target.write(data)
                    yield sink.taken()
            yield sink.taken()
    yield sink.taken()


def files(session: Session, ticket: Ticket) -> list[tuple[str, UUID, int, datetime]]:
    """What `archive` takes: every stream of the ticket under a name of its own."""
    names, taken = node_names(session, ticket.id), set[str]()
    found = []
    for about in streams(session, ticket.id):
        name = file_name(ticket, about, names.get(about["node_id"] or "", about["node_id"]))
        if name in taken:
            name = f"{name.removesuffix('.log')}-{about['id']}.log"
        taken.add(name)
        found.append((name, about["id"], about["bytes"], about["closed_at"] or ticket.created_at))
    return found
