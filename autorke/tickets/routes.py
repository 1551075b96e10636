"""Tickets over the API: look, submit, decide, and everything an operator may do to one."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query

from autorke.core.schemas import Page
from autorke.tickets import actions, approvals, decisions, flows, listing, schemas, seen, service
from autorke.tickets.detail import detail
from autorke.tickets.models import TicketSeen
from autorke.tickets.plandiff import Change
from autorke.users.access import Actor
from autorke.users.deps import allowed
from autorke.web.deps import PageDep, SessionDep
from autorke.web.paging import Slice
from autorke.workflow import commands

router = APIRouter(tags=["tickets"])

Reader = Annotated[Actor, allowed("ticket:read")]
Creator = Annotated[Actor, allowed("ticket:create")]
OPERATE, RESOLVE = actions.OPERATE, actions.RESOLVE
Operator = Annotated[Actor, allowed(OPERATE)]
Resolver = Annotated[Actor, allowed(RESOLVE)]


@router.get("/flows", response_model=list[schemas.FlowOut])
def list_flows(_actor: Reader, session: SessionDep) -> list[dict[str, Any]]:
    """Every flow with all its steps, the form it takes, its risk, and how long its last tickets took."""
    return flows.listing(session)


@router.get("/tickets", response_model=Page[schemas.TicketOut])
def list_tickets(actor: Reader, session: SessionDep, query: PageDep) -> Slice:
    """Tickets the caller may see, newest first."""
    return listing.tickets_page(session, actor, query)


@router.post("/tickets", response_model=schemas.TicketDetail, status_code=201)
def create_ticket(
    body: schemas.TicketIn,
    actor: Creator,
    session: SessionDep,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> dict[str, Any]:
    """Submit a change. The same Idempotency-Key with the same body gives the first ticket back."""
    return detail(session, actor, service.create(session, actor, body, idempotency_key))


@router.get("/tickets/{ticket_id}", response_model=schemas.TicketDetail)
def get_ticket(ticket_id: UUID, actor: Reader, session: SessionDep) -> dict[str, Any]:
    """A ticket with all its steps, gates and attempts."""
    return detail(session, actor, service.get(session, actor, ticket_id))


@router.get("/tickets/{ticket_id}/nodes", response_model=list[schemas.TicketNodeOut])
def list_ticket_nodes(ticket_id: UUID, actor: Reader, session: SessionDep) -> list[dict[str, Any]]:
    """Targets with every result of every step."""
    return service.nodes(session, service.get(session, actor, ticket_id))


@router.get("/tickets/{ticket_id}/plans/{step}", response_model=list[schemas.PlanOut])
def list_plans(ticket_id: UUID, step: str, actor: Reader, session: SessionDep) -> list[dict[str, Any]]:
    """Every round of a step's plan, newest first; the first one is what an approval would bind to."""
    return service.plans(session, service.get(session, actor, ticket_id), step)


@router.get("/tickets/{ticket_id}/plans/{step}/compare", response_model=list[schemas.PlanChangeOut])
def compare_plans(
    ticket_id: UUID,
    step: str,
    actor: Reader,
    session: SessionDep,
    before: Annotated[schemas.PlanHash, Query(description="Hash of the older plan")],
    after: Annotated[schemas.PlanHash, Query(description="Hash of the newer plan")],
) -> list[Change]:
    """What differs between two plans of a step: what must be read again before it is signed."""
    return seen.compare(session, service.get(session, actor, ticket_id), step, before=before, after=after)


@router.put("/tickets/{ticket_id}/seen", response_model=schemas.SeenOut)
def mark_seen(ticket_id: UUID, body: schemas.SeenIn, actor: Reader, session: SessionDep) -> TicketSeen:
    """Remember which events and plans the caller was shown, so that the page can say later what is new to him."""
    ticket = service.get(session, actor, ticket_id)
    return seen.mark(session, actor, ticket, seq=body.seq, plan_hashes=body.plan_hashes)


@router.put("/tickets/{ticket_id}/watch", status_code=204)
def watch_ticket(ticket_id: UUID, actor: Reader, session: SessionDep) -> None:
    """Keep the ticket in the caller's inbox under `watching`."""
    seen.watch(session, actor, service.get(session, actor, ticket_id))


@router.delete("/tickets/{ticket_id}/watch", status_code=204)
def unwatch_ticket(ticket_id: UUID, actor: Reader, session: SessionDep) -> None:
    """Watch the ticket no more."""
    seen.unwatch(session, actor, service.get(session, actor, ticket_id))


@router.get("/tickets/{ticket_id}/events", response_model=list[schemas.EventOut])
def list_events(
    ticket_id: UUID, actor: Reader, session: SessionDep, after: int = 0, limit: int = 500
) -> list[service.Told]:
    """Who did what, in order; `after` is the last seq the caller has."""
    ticket = service.get(session, actor, ticket_id)
    return service.events_after(session, ticket.id, max(0, min(after, 2**62)), max(1, min(limit, 1000)))


@router.get("/tickets/{ticket_id}/approvals", response_model=list[schemas.GateApprovalOut])
def list_approvals(ticket_id: UUID, actor: Reader, session: SessionDep) -> list[dict[str, Any]]:
    """Every decision on the ticket's gates, oldest first, with names; also those that were taken back."""
    return approvals.of_ticket(session, service.get(session, actor, ticket_id))


@router.post("/tickets/{ticket_id}/decisions", response_model=schemas.TicketDetail)
def decide(ticket_id: UUID, body: schemas.DecisionIn, actor: Reader, session: SessionDep) -> dict[str, Any]:
    """Approve or reject gates. Each gate asks for its own permission on the ticket's cluster; never the requester."""
    gates = {gate.gate_id: gate.subject_hash for gate in body.gates}
    item = decisions.Item(ticket_id, gates, body.acting_for)
    approve = body.decision == "approve"
    return detail(session, actor, decisions.decide(session, actor, item, approve=approve, comment=body.comment))


@router.delete("/tickets/{ticket_id}/gates/{gate_id}/approval", response_model=schemas.TicketDetail)
def revoke_approval(ticket_id: UUID, gate_id: UUID, actor: Reader, session: SessionDep) -> dict[str, Any]:
    """Take back one's own approval, as long as the step has not begun."""
    service.get(session, actor, ticket_id)
    return detail(session, actor, commands.revoke(session, ticket_id, gate_id, actor.user_id, actor.scopes))


@router.post("/tickets/{ticket_id}/retry", response_model=schemas.TicketDetail)
def retry(ticket_id: UUID, body: schemas.RetryIn, actor: Operator, session: SessionDep) -> dict[str, Any]:
    """Plan a step again for exactly its failed, unreachable and not-started nodes."""
    service.get(session, actor, ticket_id, OPERATE)
    ticket = commands.retry(session, ticket_id, body.step, service.by(actor), body.nodes)
    return detail(session, actor, ticket)


@router.post("/tickets/{ticket_id}/exclude", response_model=schemas.TicketDetail)
def exclude(ticket_id: UUID, body: schemas.ExcludeIn, actor: Operator, session: SessionDep) -> dict[str, Any]:
    """Leave nodes out of the rest of the ticket, with a reason."""
    service.get(session, actor, ticket_id, OPERATE)
    ticket = commands.exclude(session, ticket_id, body.nodes, service.by(actor), body.reason)
    return detail(session, actor, ticket)


@router.post("/tickets/{ticket_id}/pause", response_model=schemas.TicketDetail)
def pause(ticket_id: UUID, actor: Operator, session: SessionDep) -> dict[str, Any]:
    """Start no other node or step; what has begun finishes."""
    service.get(session, actor, ticket_id, OPERATE)
    return detail(session, actor, commands.pause(session, ticket_id, service.by(actor), paused=True))


@router.post("/tickets/{ticket_id}/resume", response_model=schemas.TicketDetail)
def resume(ticket_id: UUID, actor: Operator, session: SessionDep) -> dict[str, Any]:
    """Go on after a pause."""
    service.get(session, actor, ticket_id, OPERATE)
    return detail(session, actor, commands.pause(session, ticket_id, service.by(actor), paused=False))


@router.post("/tickets/{ticket_id}/cancel", response_model=schemas.TicketDetail)
def cancel(ticket_id: UUID, body: schemas.ReasonIn, actor: Operator, session: SessionDep) -> dict[str, Any]:
    """End the ticket at once where nothing runs, at the next safe point where something does."""
    service.get(session, actor, ticket_id, OPERATE)
    return detail(session, actor, commands.cancel(session, ticket_id, service.by(actor), body.reason))


@router.post("/tickets/{ticket_id}/close", response_model=schemas.TicketDetail)
def close(ticket_id: UUID, body: schemas.ReasonIn, actor: Operator, session: SessionDep) -> dict[str, Any]:
    """Give up a ticket that needs a person; it ends as FAILED and says what was done."""
    service.get(session, actor, ticket_id, OPERATE)
    return detail(session, actor, commands.close_failed(session, ticket_id, service.by(actor), body.reason))


@router.post("/tickets/{ticket_id}/attempts/{attempt_id}/resolution", response_model=schemas.TicketDetail)
def resolve(
    ticket_id: UUID, attempt_id: UUID, body: schemas.VerdictsIn, actor: Resolver, session: SessionDep
) -> dict[str, Any]:
    """Say of every unknown node whether it is done; nothing is run again without this."""
    service.get(session, actor, ticket_id, RESOLVE)
    ticket = commands.resolve(
        session, ticket_id, attempt_id, actor.user_id, body.verdicts, body.reason, override=body.override
    )
    return detail(session, actor, ticket)
