"""A machine's story over the API."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter

from autorke.core.schemas import Page, Words
from autorke.machines import service as machines
from autorke.overview import machine_story
from autorke.overview.schemas import HistoryOut, MachineTicketOut
from autorke.users.access import Actor
from autorke.users.deps import allowed
from autorke.web.deps import PageDep, SessionDep
from autorke.web.paging import Slice

router = APIRouter(prefix="/machines", tags=["machines"])

Reader = Annotated[Actor, allowed("machine:read")]


@router.get("/{machine_id}/tickets", response_model=Page[MachineTicketOut])
def list_machine_tickets(machine_id: UUID, actor: Reader, session: SessionDep, query: PageDep) -> Slice:
    """Tickets that the caller may see and whose target this machine is, newest first."""
    machines.get_visible(session, actor, machine_id)
    found = machine_story.tickets_page(session, actor, machine_id, query)
    return Slice(items=[_ticket(*row) for row in found.items], next=found.next, total=found.total)


@router.get("/{machine_id}/history", response_model=Page[HistoryOut])
def list_machine_history(machine_id: UUID, actor: Reader, session: SessionDep, query: PageDep) -> Slice:
    """What was done to this machine, newest first: by hand, in tickets, and how each step ended for it."""
    machines.get_visible(session, actor, machine_id)
    found = machine_story.history_page(session, actor, machine_id, query)
    names = list(HistoryOut.model_fields)
    rows = [dict(zip(names, row, strict=True)) for row in found.items]
    for row in rows:
        row["detail"] = machine_story.told(row["source"], row["detail"], str(machine_id))
    return Slice(items=rows, next=found.next, total=found.total)


def _ticket(ticket: Any, target: Any, requester: str | None, step: str | None, state: str | None) -> MachineTicketOut:
    names = {"id", "number", "flow_name", "summary", "state", "attention", "requester_id", "created_at", "ended_at"}
    return MachineTicketOut(
        **{name: getattr(ticket, name) for name in names},
        flow_title=Words(**ticket.flow_snapshot["title"]),
        requester_name=requester,
        excluded_at=target.excluded_at,
        excluded_reason=target.excluded_reason,
        last_step=step,
        last_state=state,
    )
