"""What is told as it happens: one event stream per ticket page, with logs and node results if asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from autorke.core.db import db_now, transaction
from autorke.core.errors import NotFound
from autorke.tickets import logs as ticket_logs
from autorke.tickets import matrix, schemas, service
from autorke.tickets.matrix_schemas import CellOut
from autorke.users.access import Actor
from autorke.users.deps import allowed
from autorke.web import sse
from autorke.workflow import logstore
from autorke.workflow.models import Ticket

router = APIRouter(tags=["tickets"])
Reader = Annotated[Actor, allowed("ticket:read")]
LOG_STEP = 64 * 1024
OVERLAP = timedelta(seconds=10)
"""How far a stream of node results reaches back at its beginning: the page read its matrix a moment before."""


@router.get("/tickets/{ticket_id}/stream", response_class=sse.EventStream)
async def stream_ticket(
    ticket_id: UUID,
    actor: Reader,
    request: Request,
    after: Annotated[str | None, Query(max_length=20_000, description="Id of the last event seen")] = None,
    logs: Annotated[bool, Query(description="Also send log bytes")] = True,
    nodes: Annotated[bool, Query(description="Also send node results as they begin and end")] = False,
) -> Any:
    """Events of the ticket, its logs and its node results as they come. An event's id resumes all of it."""

    def authorise() -> None:
        with transaction() as session:
            service.get(session, actor, ticket_id)

    await run_in_threadpool(authorise)

    def read_since(cursor: str | None) -> Sequence[sse.Event]:
        with transaction() as session:
            ticket = session.get(Ticket, ticket_id)
            if ticket is None or not service.still_visible(session, actor.user_id, ticket):
                raise NotFound(what="ticket", key=str(ticket_id))
            at = Cursor.parse(cursor)
            events = _read(session, ticket, at, logs)
            return [*events, *_changed_nodes(session, ticket, at)] if nodes else events

    return sse.stream(request, f"ticket:{ticket_id}", read_since, after)


class Cursor:
    """`seq;stream=offset,…;since`: the last event, how much of each log and which node results the client has."""

    def __init__(self, seq: int = 0, offsets: dict[str, int] | None = None, since: datetime | None = None) -> None:
        self.seq = seq
        self.offsets = offsets or {}
        self.since = since

    @classmethod
    def parse(cls, text: str | None) -> Cursor:
        """What a client sends back; anything unreadable means: from the beginning."""
        try:
            head, _, tail = (text or "0").partition(";")
            logs, _, since = tail.partition(";")
            pairs = [part.split("=", 1) for part in logs.split(",") if part]
            offsets = {str(UUID(key)): max(0, int(value)) for key, value in pairs}
            return cls(max(0, int(head)), offsets, _moment(since))
        except ValueError:
            return cls()

    def __str__(self) -> str:
        logs = ",".join(f"{key}={value}" for key, value in self.offsets.items())
        return f"{self.seq};{logs}" + (f";{self.since.isoformat()}" if self.since else "")


def _moment(text: str) -> datetime | None:
    moment = datetime.fromisoformat(text) if text else None
    if moment is not None and moment.tzinfo is None:
        raise ValueError(text)
    return moment


def _changed_nodes(session: Any, ticket: Ticket, cursor: Cursor) -> list[sse.Event]:
    """Node results since the last ones, as one event; nothing when nothing changed."""
    cursor.since = cursor.since or db_now(session) - OVERLAP
    rows = matrix.changes(session, ticket.id, cursor.since)
    if not rows:
        return []
    cursor.since = rows[-1]["changed_at"]
    cells = [CellOut.model_validate(row).model_dump(mode="json") for row in rows]
    return [(str(cursor), "nodes", {"results": cells})]


def _read(session: Any, ticket: Ticket, cursor: Cursor, with_logs: bool) -> list[sse.Event]:
    out: list[sse.Event] = []
    for event in service.events_after(session, ticket.id, cursor.seq, 200):
        cursor.seq = event.seq
        out.append((str(cursor), "ticket", schemas.EventOut.model_validate(event).model_dump(mode="json")))
    if not with_logs:
        return out
    for row in ticket_logs.streams(session, ticket.id):
        key = str(row["id"])
        start = cursor.offsets.get(key, 0)
        if row["bytes"] <= start:
            continue
        data = logstore.read(session, row["id"], start, LOG_STEP)
        whole = data[: data.rfind(b"\n") + 1] or (data if row["closed_at"] else b"")
        if not whole:
            continue
        cursor.offsets[key] = start + len(whole)
        body = {
            "stream_id": key,
            "step": row["step"],
            "attempt_n": row["attempt_n"],
            "node_id": row["node_id"],
            "from": start,
            "to": start + len(whole),
            "text": whole.decode("utf-8", "replace"),
        }
        out.append((str(cursor), "log", body))
    return out
