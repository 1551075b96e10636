"""Lists of tickets: rows with the names of people and clusters, filtered and sorted by declared columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session, defer

from autorke.clusters.models import Cluster
from autorke.tickets import standing
from autorke.users.access import Actor, scope
from autorke.users.models import User
from autorke.web.paging import Column, PageQuery, Slice, page
from autorke.workflow.models import Ticket

COLUMNS = {
    "number": Column(Ticket.number, int),
    "flow_name": Column(Ticket.flow_name),
    "state": Column(Ticket.state),
    "policy": Column(Ticket.policy),
    "summary": Column(Ticket.summary),
    "attention": Column(Ticket.attention),
    "scope_id": Column(Ticket.scope_id, UUID),
    "cluster_name": Column(Cluster.name),
    "requester_id": Column(Ticket.requester_id, UUID),
    "requester_name": Column(User.display_name),
    "created_at": Column(Ticket.created_at, datetime),
    "updated_at": Column(Ticket.updated_at, datetime),
    "ended_at": Column(Ticket.ended_at, datetime),
}
Row = tuple[Ticket, str | None, str | None]
"""A ticket, the name of its requester, the name of its cluster."""


def visible(actor: Actor) -> Select[Any]:
    """Tickets this actor may see: those of his clusters, and those that belong to none."""
    return select(Ticket).where(sees(actor))


def sees(actor: Actor) -> ColumnElement[bool]:
    return scope(actor, "ticket:read", Ticket.scope_id, unowned=True)


def named(statement: Select[Any]) -> Select[Any]:
    """A statement on tickets that also gives their names; `Row`s without the parameters, which may be large."""
    return (
        statement.outerjoin(User, User.id == Ticket.requester_id)
        .outerjoin(Cluster, Cluster.id == Ticket.scope_id)
        .add_columns(User.display_name, Cluster.name)
        .options(defer(Ticket.params))
    )


def tickets_page(session: Session, actor: Actor, query: PageQuery) -> Slice:
    """Tickets the actor may see, newest first."""
    found = page(session, named(visible(actor)), COLUMNS, query, key=Ticket.id, default_sort="-number")
    return Slice(shown(session, found.items), found.next, found.total)


def shown(session: Session, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as `TicketOut` wants them."""
    tickets = [ticket for ticket, _, _ in rows]
    found = standing.standings(session, [ticket.id for ticket in tickets])
    around = standing.surroundings(session, tickets, found)
    return [_row(*row, found[row[0].id], around) for row in rows]


def shown_one(session: Session, ticket: Ticket) -> dict[str, Any]:
    """The same of one ticket that has been read already."""
    names = session.execute(named(select(Ticket).where(Ticket.id == ticket.id))).one()
    return shown(session, [(ticket, *names[1:])])[0]


def _row(
    ticket: Ticket,
    requester_name: str | None,
    cluster_name: str | None,
    stands: standing.Standing,
    around: standing.Surroundings,
) -> dict[str, Any]:
    own = {column.key: getattr(ticket, column.key) for column in Ticket.__table__.columns if column.key != "params"}
    step = stands.now
    return {
        **own,
        "flow_title": ticket.flow_snapshot["title"],
        "requester_name": requester_name,
        "cluster_name": cluster_name,
        "risk": stands.risk,
        "targets": stands.targets,
        "progress": stands.progress(),
        "step_key": step.key if step else None,
        "step_title": standing.title_of(ticket, step) if step else None,
        "waiting": standing.waiting(ticket, stands, around),
    }
