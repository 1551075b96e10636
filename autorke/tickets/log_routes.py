"""Logs of a ticket: by line for viewers, by byte for followers, merged over nodes, and as files."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from autorke.tickets import logs, service
from autorke.tickets.log_schemas import FirstErrorOut, LevelName, LinesOut, LogFoundOut, LogStreamOut, MergedOut
from autorke.users.access import Actor
from autorke.users.deps import allowed
from autorke.web.deps import SessionDep
from autorke.workflow import logread, logstore

router = APIRouter(prefix="/tickets/{ticket_id}", tags=["logs"])
Reader = Annotated[Actor, allowed("ticket:read")]
LineNumber = Annotated[int, Query(ge=1, le=2**62)]
Wanted = Annotated[str, Query(max_length=200, pattern=r"^[^\r\n]*$", description="Plain text, in any case")]
AtLeast = Annotated[LevelName, Query(description="Only lines of at least this level")]
Exact = Annotated[bool, Query(description="Mind the case of letters")]
BINARY: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}


@router.get("/logs", response_model=list[LogStreamOut])
def list_logs(ticket_id: UUID, actor: Reader, session: SessionDep) -> list[dict[str, Any]]:
    """Log streams of a ticket: one per attempt and node, `node_id` null for the attempt's own."""
    return logs.streams(session, service.get(session, actor, ticket_id).id)


@router.get("/logs/merged", response_model=MergedOut)
def read_merged_log(
    ticket_id: UUID,
    step: Annotated[str, Query(max_length=64)],
    actor: Reader,
    session: SessionDep,
    cursor: Annotated[str | None, Query(max_length=100, description="`next` or `previous` of a page")] = None,
    direction: Literal["forward", "back"] = "forward",
    q: Wanted = "",
    level: AtLeast = "info",
    exact: Exact = False,
) -> dict[str, Any]:
    """About 2,000 lines of all nodes of a step in the order of time, from its beginning (or back from its end).

    With `q` or `level`: the next page that has such a line. Its other lines are there too. One call passes over 160 MB
    in two seconds at most; no lines with `more`: `next` (or `previous`) goes on."""
    ticket = service.get(session, actor, ticket_id)
    query = logread.Query(q, level, exact)
    return logs.merged(session, ticket.id, step, cursor, query, back=direction == "back")


@router.get("/logs.zip", response_class=StreamingResponse, responses=BINARY)
def download_logs(ticket_id: UUID, actor: Reader, session: SessionDep) -> StreamingResponse:
    """All logs of the ticket as a zip, made while it is sent."""
    ticket = service.get(session, actor, ticket_id)
    return _attachment(f"ticket-{ticket.number}-logs.zip", "application/zip", logs.archive(logs.files(session, ticket)))


@router.get("/logs/{stream_id}", response_class=Response)
def read_log(
    ticket_id: UUID,
    stream_id: UUID,
    actor: Reader,
    session: SessionDep,
    offset: Annotated[int, Query(ge=0, le=2**62, alias="from")] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000_000)] = 1_000_000,
) -> Response:
    """Bytes of a log from an offset; `X-Next-Offset` says where to go on, `X-Closed` whether more can come."""
    row = logs.stream(session, service.get(session, actor, ticket_id).id, stream_id)
    data = logstore.read(session, stream_id, offset, limit)
    headers = {"X-Next-Offset": str(offset + len(data)), "X-Closed": str(row.closed_at is not None).lower()}
    return Response(data, media_type="text/plain; charset=utf-8", headers=headers)


@router.get("/logs/{stream_id}/lines", response_model=LinesOut)
def read_log_lines(
    ticket_id: UUID,
    stream_id: UUID,
    actor: Reader,
    session: SessionDep,
    from_line: LineNumber = 1,
    count: Annotated[int, Query(ge=1, le=2000)] = 500,
) -> dict[str, Any]:
    """Whole lines by their number. A line that is still being written is not among them."""
    row = logs.stream(session, service.get(session, actor, ticket_id).id, stream_id)
    return logs.lines(session, row, from_line, count)


@router.get("/logs/{stream_id}/search", response_model=LogFoundOut)
def search_log(
    ticket_id: UUID,
    stream_id: UUID,
    actor: Reader,
    session: SessionDep,
    q: Wanted = "",
    level: AtLeast = "info",
    exact: Exact = False,
    from_line: Annotated[int | None, Query(ge=1, le=2**62, description="First, or last, line of the log")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    direction: Literal["forward", "back"] = "forward",
) -> dict[str, Any]:
    """Numbers of lines that hold a text. One call reads 160 MB, for two seconds at most: `next_line` goes on."""
    row = logs.stream(session, service.get(session, actor, ticket_id).id, stream_id)
    query = logread.Query(q, level, exact)
    return logs.search(session, row, query, from_line=from_line, limit=limit, back=direction == "back")


@router.get("/logs/{stream_id}/first-error", response_model=FirstErrorOut)
def find_first_error(ticket_id: UUID, stream_id: UUID, actor: Reader, session: SessionDep) -> dict[str, Any]:
    """The number of the first line of level error; null when there is none so far."""
    row = logs.stream(session, service.get(session, actor, ticket_id).id, stream_id)
    return {"line": row.first_error_line, "total": row.lines, "closed": row.closed_at is not None}


@router.get("/logs/{stream_id}/file", response_class=StreamingResponse, responses=BINARY)
def download_log(ticket_id: UUID, stream_id: UUID, actor: Reader, session: SessionDep) -> StreamingResponse:
    """One log as a file: all that is stored at this moment."""
    ticket = service.get(session, actor, ticket_id)
    row = logs.stream(session, ticket.id, stream_id)
    body = logs.content(stream_id, row.bytes)
    return _attachment(logs.name_of(session, ticket, row), "text/plain; charset=utf-8", body, row.bytes)


def _attachment(name: str, media_type: str, body: Any, size: int | None = None) -> StreamingResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    if size is not None:
        headers["Content-Length"] = str(size)
    return StreamingResponse(body, media_type=media_type, headers=headers)
