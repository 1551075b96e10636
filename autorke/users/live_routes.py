"""One stream for every page: what kind of thing changed, so that the page reads it again."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from autorke.users.deps import CurrentActor
from autorke.users.live import Present
from autorke.web import sse

router = APIRouter(tags=["account"])


@router.get("/stream", response_class=sse.EventStream)
async def stream_hints(
    actor: CurrentActor,
    request: Request,
    after: Annotated[str | None, Query(max_length=100, description="Id of the last event seen")] = None,
) -> Any:
    """Hints as events `hint`: `{topic, ids, all}` with topic inbox, tickets, machines, clusters, cmdb or engine.

    `all` says that any object of the topic may have changed. A hint carries no content: read what you show again. The
    stream ends with the session.
    """
    present = Present(actor, request.app.state.wakeups)
    return sse.hints(request, present, after, sees=present.sees)
