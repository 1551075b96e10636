"""One machine through time: the tickets it was a target of, and everything that was done to it, newest first."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    Text,
    Uuid,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import Session

from autorke.users.access import Actor, scope
from autorke.users.models import AuditEntry, User
from autorke.web.paging import Column, PageQuery, Slice, page
from autorke.workflow.models import Attempt, Event, NodeResult, StepRow, Ticket, TicketNode

TICKET_COLUMNS = {
    "number": Column(Ticket.number, int),
    "flow_name": Column(Ticket.flow_name),
    "state": Column(Ticket.state),
    "created_at": Column(Ticket.created_at, datetime),
    "ended_at": Column(Ticket.ended_at, datetime),
}
NAMING = ("nodes", "verdicts", "suggests", "unknown")
"""Where an event's body names nodes: a list of them, or an object by node."""
ALWAYS = ("ticket.submitted", "ticket.ended")
NOISE = "attempt.ready"
"""Names every node of each attempt; what became of the node is its result, which is told."""
TOLD = ("step", "n", "flow", "state", "reason")


def tickets_page(session: Session, actor: Actor, machine_id: UUID, query: PageQuery) -> Slice:
    """Tickets that the actor may see and whose target the machine is: (ticket, target, requester, step, result)."""
    node_id = str(machine_id)
    last = (
        select(StepRow.key, NodeResult.state)
        .join(NodeResult, NodeResult.step_id == StepRow.id)
        .join(Attempt, Attempt.id == NodeResult.attempt_id)
        .where(StepRow.ticket_id == Ticket.id, NodeResult.node_id == node_id)
        .correlate(Ticket)
        .order_by(StepRow.ord.desc(), Attempt.n.desc())
        .limit(1)
        .lateral("last")
    )
    statement = (
        select(Ticket, TicketNode, User.display_name, last.c.key, last.c.state)
        .select_from(Ticket)
        .join(TicketNode, TicketNode.ticket_id == Ticket.id)
        .outerjoin(User, User.id == Ticket.requester_id)
        .outerjoin(last, true())
        .where(TicketNode.node_id == node_id, _seen(actor))
    )
    return page(session, statement, TICKET_COLUMNS, query, key=Ticket.id, default_sort="-number")


def history_page(session: Session, actor: Actor, machine_id: UUID, query: PageQuery) -> Slice:
    """Audit entries of the machine, events of its tickets that name it, and its results, as rows of one list."""
    arms = (_audited(machine_id), _events(actor, str(machine_id)), _results(actor, str(machine_id)))
    story = union_all(*arms).subquery("story")
    return page(session, select(*story.c), _columns(story), query, key=story.c.key, default_sort="-at")


def _columns(story: Subquery) -> dict[str, Column]:
    return {
        "at": Column(story.c.at, datetime),
        "source": Column(story.c.source),
        "kind": Column(story.c.kind),
        "actor_name": Column(story.c.actor_name),
        "ticket_number": Column(story.c.ticket_number, int),
    }


def _seen(actor: Actor) -> ColumnElement[bool]:
    return scope(actor, "ticket:read", Ticket.scope_id, unowned=True)


def _audited(machine_id: UUID) -> Select[*tuple[Any, ...]]:
    return select(
        AuditEntry.id.label("key"),
        AuditEntry.at.label("at"),
        literal("audit", Text).label("source"),
        cast(AuditEntry.action, Text).label("kind"),
        cast(AuditEntry.actor_id, Text).label("actor_id"),
        cast(AuditEntry.actor_name, Text).label("actor_name"),
        cast(null(), Uuid).label("ticket_id"),
        cast(null(), Ticket.number.type).label("ticket_number"),
        AuditEntry.detail.label("detail"),
    ).where(AuditEntry.object_type == "machine", AuditEntry.object_id == str(machine_id))


def _events(actor: Actor, node_id: str) -> Select[*tuple[Any, ...]]:
    person = (cast(User.id, Text) == Event.actor_id) & (Event.actor_type == "user")
    named = or_(*(func.jsonb_exists(Event.body[field], node_id) for field in NAMING))
    return (
        select(
            _key(Event.ticket_id, Event.seq),
            Event.at,
            literal("ticket", Text),
            cast(Event.kind, Text),
            cast(Event.actor_id, Text),
            func.coalesce(cast(User.name, Text), cast(Event.actor_type, Text)),
            Ticket.id,
            Ticket.number,
            Event.body,
        )
        .join(Ticket, Ticket.id == Event.ticket_id)
        .join(TicketNode, TicketNode.ticket_id == Ticket.id)
        .outerjoin(User, person)
        .where(TicketNode.node_id == node_id, _seen(actor))
        .where(or_(Event.kind.in_(ALWAYS), (Event.kind != NOISE) & named))
    )


def _results(actor: Actor, node_id: str) -> Select[*tuple[Any, ...]]:
    detail = func.jsonb_build_object(
        *("step", StepRow.key),
        *("n", Attempt.n),
        *("state", NodeResult.state),
        *("summary", NodeResult.summary),
    )
    return (
        select(
            _key(NodeResult.attempt_id, NodeResult.node_id),
            func.coalesce(NodeResult.ended_at, NodeResult.started_at, Attempt.ready_at),
            literal("result", Text),
            literal("node.result", Text),
            cast(Attempt.id, Text),
            literal("runner", Text),
            Ticket.id,
            Ticket.number,
            detail,
        )
        .select_from(TicketNode)
        .join(Ticket, Ticket.id == TicketNode.ticket_id)
        .join(StepRow, StepRow.ticket_id == Ticket.id)
        .join(Attempt, Attempt.step_id == StepRow.id)
        .join(NodeResult, NodeResult.attempt_id == Attempt.id)
        .where(TicketNode.node_id == node_id, NodeResult.node_id == node_id, _seen(actor))
    )


def _key(first: Any, second: Any) -> ColumnElement[UUID]:
    """One id for a row that has a key of two columns, so that a page can end at it."""
    return cast(func.md5(cast(first, Text) + "/" + cast(second, Text)), Uuid)


def told(source: str, detail: dict[str, Any], node_id: str) -> dict[str, Any]:
    """What a history shows of a row: of an event only what concerns this machine, not the other targets."""
    if source != "ticket":
        return detail
    shown = {name: detail[name] for name in TOLD if name in detail}
    for name in ("verdicts", "suggests"):
        if isinstance(detail.get(name), dict) and node_id in detail[name]:
            shown[name] = detail[name][node_id]
    return shown
