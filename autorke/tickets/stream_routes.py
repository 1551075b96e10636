"""What is told as it happens: one event stream per ticket page, with logs and node results if asked for."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from autorke.tickets import follow, service
from autorke.users.access import Actor
from autorke.users.deps import allowed
from autorke.users.live import Present
from autorke.web import sse
from autorke.web.deps import SessionDep

router = APIRouter(tags=["tickets"])
Reader = Annotated[Actor, allowed("ticket:read")]


@router.get("/tickets/{ticket_id}/stream", response_class=sse.EventStream)
async def stream_ticket(
    ticket_id: UUID,
    actor: Reader,
    session: SessionDep,
    request: Request,
    after: Annotated[str | None, Query(max_length=500, description="Id of the last event seen")] = None,
    logs: Annotated[bool, Query(description="Also send the text of the logs, from their beginning")] = True,
    counts: Annotated[bool, Query(description="Without the text: say which logs have grown, and to what")] = False,
    nodes: Annotated[bool, Query(description="Also send node results as they begin and end")] = False,
    hints: Annotated[
        bool, Query(description="Also send the hints of GET /stream, so that one stream is enough")
    ] = True,
) -> Any:
    """Events of the ticket, its logs and its node results as they come. An event's id resumes all of it.

    `ticket`: an event of its history. `log`: `{stream_id, step, attempt_n, node_id, from, to, text}`, bytes `from` to
    `to` of a log. `grown`: `{streams: [{stream_id, step, attempt_n, node_id, bytes, lines, first_error_line}], all}`;
    `all` means: read the list of logs again. `nodes`: `{results: […]}`. `hint`: `{topic, ids, all}`, without an id.
    """
    await run_in_threadpool(service.get, session, actor, ticket_id)

    def still(fresh: Session, now: Actor) -> None:
        service.get(fresh, now, ticket_id)

    present, wanted = Present(actor, request.app.state.wakeups, still), follow.Wanted(logs, counts, nodes)
    return sse.stream(
        request,
        f"ticket:{ticket_id}",
        lambda cursor: follow.read(ticket_id, wanted, cursor),
        after,
        check=present,
        shared=wanted,
        sees=present.sees if hints else None,
    )
