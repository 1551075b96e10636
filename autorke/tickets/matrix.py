"""The node × step matrix of a ticket: all of it at once without the evidence, then only what has changed since."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from autorke.core.db import db_now
from autorke.core.errors import NotFound
from autorke.workflow.models import Attempt, NodeResult, StepRow, Ticket, TicketNode

MOST_CHANGES = 500
"""Results that one event of the stream carries; the next event goes on behind the last of them."""


def _columns() -> tuple[Any, ...]:
    """One cell. The evidence of a thousand nodes is many megabytes, and nobody reads it in a table."""
    return (
        NodeResult.node_id,
        StepRow.key.label("step"),
        Attempt.n.label("attempt_n"),
        NodeResult.state,
        NodeResult.summary,
        NodeResult.error,
        NodeResult.batch_no,
        NodeResult.started_at,
        NodeResult.ended_at,
    )


def _cells(ticket_id: UUID) -> Any:
    return (
        select(*_columns())
        .select_from(StepRow)
        .join(Attempt, Attempt.step_id == StepRow.id)
        .join(NodeResult, NodeResult.attempt_id == Attempt.id)
        .where(StepRow.ticket_id == ticket_id)
    )


def matrix(session: Session, ticket: Ticket) -> dict[str, Any]:
    """Every node of the ticket with all its results, oldest first; `at` is the moment that it is true of."""
    at = db_now(session)
    results: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in session.execute(_cells(ticket.id).order_by(StepRow.ord, Attempt.n)):
        results[row.node_id].append(dict(row._mapping))
    targets = select(
        TicketNode.node_id,
        TicketNode.name,
        TicketNode.data["address"].astext.label("address"),
        TicketNode.excluded_at,
        TicketNode.excluded_reason,
    )
    rows = session.execute(targets.where(TicketNode.ticket_id == ticket.id).order_by(TicketNode.ord))
    return {"at": at, "nodes": [{**row._mapping, "results": results[row.node_id]} for row in rows]}


def changes(session: Session, ticket_id: UUID, since: datetime) -> list[dict[str, Any]]:
    """Results that began or ended after `since`, in that order, each with the moment `changed_at`.

    Attempts that ended before are not looked at: what happens to their results later is an event of its own.
    """
    changed = func.greatest(NodeResult.started_at, NodeResult.ended_at)
    query = (
        _cells(ticket_id)
        .add_columns(changed.label("changed_at"))
        .where(or_(Attempt.ended_at.is_(None), Attempt.ended_at > since), changed > since)
        .order_by(changed)
        .limit(MOST_CHANGES)
    )
    return [dict(row._mapping) for row in session.execute(query)]


def node(session: Session, ticket: Ticket, node_id: str) -> dict[str, Any]:
    """One node with everything that was found and done there. Raises NotFound."""
    row = session.get(TicketNode, (ticket.id, node_id))
    if row is None:
        raise NotFound(what="node", key=node_id)
    query = (
        select(NodeResult, StepRow.key, Attempt.n)
        .join(StepRow, StepRow.id == NodeResult.step_id)
        .join(Attempt, Attempt.id == NodeResult.attempt_id)
        .where(StepRow.ticket_id == ticket.id, NodeResult.node_id == node_id)
        .order_by(StepRow.ord, Attempt.n)
    )
    found = [
        {
            **{column.key: getattr(result, column.key) for column in NodeResult.__table__.columns},
            "step": key,
            "attempt_n": n,
        }
        for result, key, n in session.execute(query)
    ]
    fields = ("node_id", "name", "excluded_at", "excluded_reason", "data")
    return {**{name: getattr(row, name) for name in fields}, "results": found}
