"""My work over the API: the inbox, its numbers, and decisions on many tickets at once."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request

from autorke.core.schemas import Page
from autorke.tickets import decisions, inbox
from autorke.tickets.inbox_schemas import DecidedOut, DecisionsIn, InboxCountsOut, InboxRowOut
from autorke.users.access import Actor
from autorke.users.deps import allowed
from autorke.web import problems
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


@router.post("/decisions", response_model=list[DecidedOut])
def decide_all(body: DecisionsIn, actor: Reader, session: SessionDep, request: Request) -> list[dict[str, Any]]:
    """Approve or reject the gates of many tickets.

    Each ticket is decided by itself: what one refuses (a stale hash, not the caller's to sign, ended) is its own result
    and changes nothing for the others. To repeat it is harmless.
    """
    items = [
        decisions.Item(it.ticket_id, {gate.gate_id: gate.subject_hash for gate in it.gates}, it.acting_for)
        for it in body.items
    ]
    session.commit()  # the request's transaction does not stay open meanwhile
    found = decisions.decide_all(actor, items, approve=body.decision == "approve", comment=body.comment)
    lang = problems.language(request.headers.get("accept-language", ""))
    return [
        {
            "ticket_id": it.ticket_id,
            "ok": it.refusal is None,
            "state": it.state,
            "note": it.note,
            "problem": it.refusal and problems.body(it.refusal, instance=request.state.request_id, lang=lang),
        }
        for it in found
    ]
