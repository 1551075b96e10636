"""My work over the API: the inbox and its numbers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from autorke.core.schemas import Page
from autorke.tickets import inbox
from autorke.tickets.inbox_schemas import InboxCountsOut, InboxRowOut
from autorke.users.access import Actor
from autorke.users.deps import allowed
from autorke.web.deps import PageDep, SessionDep
from autorke.web.paging import Slice

router = APIRouter(tags=["tickets"])
Reader = Annotated[Actor, allowed("ticket:read")]


@router.get("/inbox", response_model=Page[InboxRowOut])
def list_inbox(actor: Reader, session: SessionDep, query: PageDep, tab: inbox.Tab = "approve") -> Slice:
    """Tickets that concern the caller.

    `approve`: with a gate that he may sign now, longest waiting first. `mine`: asked for by him, not ended. `failed`:
    stand at a step that needs somebody, and he may act. `running`: all others that he sees and that have not ended.
    `watching`: those he watches. `done`: ended ones that he asked for, decided on or watches. Every row carries its
    open gates.
    """
    return inbox.inbox_page(session, actor, tab, query)


@router.get("/inbox/counts", response_model=InboxCountsOut)
def count_inbox(actor: Reader, session: SessionDep) -> dict[str, int]:
    """How many tickets stand in each tab."""
    return inbox.counts(session, actor)
