"""My work: what waits for this person, what he asked for, what needs somebody, runs, is watched, or is over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Uuid, and_, cast, column, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.orm import Session

from autorke.tickets import listing, signers
from autorke.tickets.actions import OPERATE
from autorke.tickets.models import TicketWatch
from autorke.tickets.signers import OpenGate
from autorke.users.access import Actor, scope
from autorke.web.paging import Column, PageQuery, Slice, page
from autorke.workflow.models import Approval, Gate, StepRow, Ticket
from autorke.workflow.signing import Signer
from autorke.workflow.states import TERMINAL_TICKET, TicketState

Tab = Literal["approve", "mine", "failed", "running", "watching", "done"]
OPEN = tuple(state for state in TicketState if state not in TERMINAL_TICKET)
ORDER: dict[Tab, str] = {
    "mine": "-number",
    "failed": "-updated_at",
    "running": "-updated_at",
    "watching": "-updated_at",
    "done": "-ended_at",
}


def inbox_page(session: Session, actor: Actor, tab: Tab, query: PageQuery) -> Slice:
    """One tab. `approve` begins with what has waited longest, the others with what is newest."""
    signer = signers.signer_of(session, actor)
    if tab == "approve":
        found = _waiting_for(session, signers.signable(session, actor, signer), query)
    else:
        statement = listing.visible(actor).where(_condition(actor, tab))
        found = page(session, listing.named(statement), listing.COLUMNS, query, key=Ticket.id, default_sort=ORDER[tab])
    rows = listing.shown(session, found.items)
    gates = _gates(session, actor, signer, [ticket for ticket, *_ in found.items])
    return Slice([{"ticket": row, "gates": gates[row["id"]]} for row in rows], found.next, found.total)


def counts(session: Session, actor: Actor) -> dict[str, int]:
    """Rows of each tab, exactly."""
    signable = signers.signable(session, actor, signers.signer_of(session, actor))
    others = [tab for tab in get_args(Tab) if tab != "approve"]
    columns = [
        select(func.count()).select_from(Ticket).where(listing.sees(actor), _condition(actor, tab)).scalar_subquery()
        for tab in others
    ]
    row = session.execute(select(*columns)).one()
    return {"approve": len({gate.ticket_id for gate in signable}), **dict(zip(others, row, strict=True))}


def _condition(actor: Actor, tab: Tab) -> ColumnElement[bool]:
    """Which of the tickets that the caller may see stand in a tab other than `approve`."""
    mine, unfinished = Ticket.requester_id == actor.user_id, Ticket.state.in_(OPEN)
    watched = Ticket.id.in_(select(TicketWatch.ticket_id).where(TicketWatch.user_id == actor.user_id))
    match tab:
        case "mine":
            return and_(mine, unfinished)
        case "failed":  # somebody must act, and the caller may
            may_act = scope(actor, OPERATE, Ticket.scope_id)
            return and_(unfinished, Ticket.attention.is_not(None), may_act)
        case "running":
            return and_(unfinished, Ticket.attention.is_(None))
        case "watching":
            return watched
        case _:  # ended, and the caller has had to do with it
            return and_(Ticket.state.in_(tuple(TERMINAL_TICKET)), or_(mine, watched, Ticket.id.in_(_decided(actor))))


def _decided(actor: Actor) -> Select[Any]:
    return (
        select(StepRow.ticket_id)
        .join(Gate, Gate.step_id == StepRow.id)
        .join(Approval, Approval.gate_id == Gate.id)
        .where(Approval.approver_id == actor.user_id)
    )


def _waiting_for(session: Session, gates: Sequence[OpenGate], query: PageQuery) -> Slice:
    """Tickets of these gates, by the moment since which the oldest of them waits."""
    since: dict[UUID, datetime] = {}
    for gate in gates:
        since.setdefault(gate.ticket_id, gate.opened_at)
    ids, moments = cast(list(since), ARRAY(Uuid)), cast(list(since.values()), ARRAY(TIMESTAMP(timezone=True)))
    unnested = func.unnest(ids, moments).table_valued(column("ticket_id", Uuid), column("since", TIMESTAMP(True)))
    waits = unnested.render_derived("waits")
    statement = listing.named(select(Ticket).join(waits, waits.c.ticket_id == Ticket.id))
    columns = {**listing.COLUMNS, "waiting_since": Column(waits.c.since, datetime)}
    return page(session, statement, columns, query, key=Ticket.id, default_sort="waiting_since")


def _gates(
    session: Session, actor: Actor, signer: Signer, tickets: Sequence[Ticket]
) -> Mapping[UUID, list[dict[str, Any]]]:
    """Every open gate of the shown tickets, with whether the caller may sign it; why not where he may not."""
    snapshots = {ticket.id: ticket.flow_snapshot["steps"] for ticket in tickets}
    found: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for gate in signers.open_gates(session, actor.user_id, Ticket.id.in_(snapshots)):
        row = {
            "gate_id": gate.gate_id,
            "subject_hash": gate.subject_hash,
            "step": gate.step_key,
            "phase": gate.phase,
            "title": snapshots[gate.ticket_id][gate.step_ord]["title"],
            "effect": snapshots[gate.ticket_id][gate.step_ord]["effect"],
            "opened_at": gate.opened_at,
            "quorum": gate.quorum,
            "approvals_n": gate.approvals,
        }
        found[gate.ticket_id].append({**row, **signers.answer(signer, gate.subject)})
    return found
