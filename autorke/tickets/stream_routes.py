"""What is read as it grows: logs by offset, and one event stream per ticket page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from autorke.core.db import transaction
from autorke.core.errors import NotFound
from autorke.tickets import schemas, service
from autorke.users.access import Actor
from autorke.users.deps import allowed
from autorke.web import sse
from autorke.web.deps import SessionDep
from autorke.workflow import logstore
from autorke.workflow.models import Ticket

router = APIRouter(tags=["tickets"])
Reader = Annotated[Actor, allowed("ticket:read")]
LOG_STEP = 64 * 1024


@router.get("/tickets/{ticket_id}/logs", response_model=list[schemas.LogStreamOut])
def list_logs(ticket_id: UUID, actor: Reader, session: SessionDep) -> list[dict[str, Any]]:
    """Log streams of a ticket: one per attempt and node, `node_id` null for the attempt's own."""
    return service.log_streams(session, service.get(session, actor, ticket_id))


@router.get("/tickets/{ticket_id}/logs/{stream_id}", response_class=Response)
def read_log(
    ticket_id: UUID,
    stream_id: UUID,
    actor: Reader,
    session: SessionDep,
    offset: Annotated[int, Query(ge=0, le=2**62, alias="from")] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000_000)] = 1_000_000,
) -> Response:
    """Bytes of a log from an offset; `X-Next-Offset` says where to go on, `X-Closed` whether more can come."""
    ticket = service.get(session, actor, ticket_id)
    row = service.log_stream(session, ticket, stream_id)
    data = logstore.read(session, stream_id, offset, limit)
    headers = {"X-Next-Offset": str(offset + len(data)), "X-Closed": str(row.closed_at is not None).lower()}
    return Response(data, media_type="text/plain; charset=utf-8", headers=headers)


@router.get("/tickets/{ticket_id}/stream", response_class=sse.EventStream)
async def stream_ticket(
    ticket_id: UUID,
    actor: Reader,
    request: Request,
    after: Annotated[str | None, Query(max_length=20_000, description="Id of the last event seen")] = None,
    logs: Annotated[bool, Query(description="Also send log bytes")] = True,
) -> Any:
    """Events of the ticket and its logs as they come. An event's id resumes all of it without a gap."""

    def authorise() -> None:
        with transaction() as session:
            service.get(session, actor, ticket_id)

    await run_in_threadpool(authorise)

    def read_since(cursor: str | None) -> Sequence[sse.Event]:
        with transaction() as session:
            ticket = session.get(Ticket, ticket_id)
            if ticket is None or not service.still_visible(session, actor.user_id, ticket):
                raise NotFound(what="ticket", key=str(ticket_id))
            return _read(session, ticket, Cursor.parse(cursor), logs)

    return sse.stream(request, f"ticket:{ticket_id}", read_since, after)


class Cursor:
    """`seq;stream=offset,…`: the last event and how much of each log the client has."""

    def __init__(self, seq: int = 0, offsets: dict[str, int] | None = None) -> None:
        self.seq = seq
        self.offsets = offsets or {}

    @classmethod
    def parse(cls, text: str | None) -> Cursor:
        """What a client sends back; anything unreadable means: from the beginning."""
        try:
            head, _, tail = (text or "0").partition(";")
            pairs = [part.split("=", 1) for part in tail.split(",") if part]
            return cls(max(0, int(head)), {str(UUID(key)): max(0, int(value)) for key, value in pairs})
        except ValueError:
            return cls()

    def __str__(self) -> str:
        return f"{self.seq};" + ",".join(f"{key}={value}" for key, value in self.offsets.items())


def _read(session: Any, ticket: Ticket, cursor: Cursor, with_logs: bool) -> list[sse.Event]:
    out: list[sse.Event] = []
    for event in service.events_after(session, ticket.id, cursor.seq, 200):
        cursor.seq = event.seq
        out.append((str(cursor), "ticket", schemas.EventOut.model_validate(event).model_dump(mode="json")))
    if not with_logs:
        return out
    for row in service.log_streams(session, ticket):
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
