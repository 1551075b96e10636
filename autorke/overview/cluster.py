"""One cluster at a glance, and its topology: what is kept of it, what its tickets hold, how its nodes stood."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from autorke.clusters import health
from autorke.clusters.models import Cluster, Node
from autorke.configs.models import ConfigRevision, StateRevision
from autorke.core.schemas import Words
from autorke.machines.models import Machine
from autorke.overview import locks
from autorke.overview.cluster_schemas import (
    ClusterOverviewOut,
    RevisionBrief,
    TicketBrief,
    TopologyNodeOut,
    TopologyOut,
)
from autorke.overview.lock_schemas import shown
from autorke.users.models import User
from autorke.workflow.models import Ticket
from autorke.workflow.states import TERMINAL_TICKET

MAX_TICKETS = 50
MAX_NODES = 5_000


def at_a_glance(session: Session, cluster: Cluster, *, with_tickets: bool) -> ClusterOverviewOut:
    """The cluster page's first tab; a fixed number of statements. `with_tickets`: may the caller see its tickets?"""
    query = select(Node.hostname, Node.since, Node.roles)
    nodes = session.execute(query.where(Node.cluster_id == cluster.id, Node.left_at.is_(None))).all()
    seen = health.of_nodes(cluster, ((node.hostname, node.since) for node in nodes))
    tickets, total = _open_tickets(session, cluster.id) if with_tickets else ([], 0)
    kept = ("id", "name", "state", "kubernetes_version", "network_plugin", "flat_network", "private_registry")
    return ClusterOverviewOut(
        **{name: getattr(cluster, name) for name in kept},
        verified_at=cluster.verified_at,
        drift_count=len(cluster.drift),
        nodes=len(nodes),
        roles=dict(sorted(Counter(role for node in nodes for role in node.roles).items())),
        health=dict(Counter(seen.values())) if cluster.verified_at is not None else None,
        config=_newest(session, ConfigRevision, cluster.id),
        rkestate=_newest(session, StateRevision, cluster.id),
        locks=[shown(held) for held in locks.of_cluster(session, cluster.id)] if with_tickets else [],
        open_tickets=tickets,
        open_tickets_total=total,
    )


def _newest(session: Session, kind: Any, cluster_id: UUID) -> RevisionBrief | None:
    """Without the content, which is sealed and may be megabytes."""
    columns = [getattr(kind, name) for name in RevisionBrief.model_fields]
    query = select(*columns).where(kind.cluster_id == cluster_id).order_by(kind.number.desc()).limit(1)
    row = session.execute(query).one_or_none()
    return None if row is None else RevisionBrief.model_validate(row)


def _open_tickets(session: Session, cluster_id: UUID) -> tuple[list[TicketBrief], int]:
    query = (
        select(Ticket, User.display_name, func.count().over())
        .outerjoin(User, User.id == Ticket.requester_id)
        .where(Ticket.scope_id == cluster_id, Ticket.state.not_in(TERMINAL_TICKET))
        .order_by(Ticket.number.desc())
        .limit(MAX_TICKETS)
    )
    rows = session.execute(query).all()
    return [brief(ticket, name) for ticket, name, _ in rows], rows[0][2] if rows else 0


def brief(ticket: Ticket, requester: str | None) -> TicketBrief:
    """A ticket as it stands beside something else."""
    names = [name for name in TicketBrief.model_fields if name not in ("flow_title", "requester_name")]
    values = {name: getattr(ticket, name) for name in names}
    title = Words(**ticket.flow_snapshot["title"])
    return TicketBrief(**values, flow_title=title, requester_name=requester)


def topology(session: Session, cluster: Cluster) -> TopologyOut:
    """Every node with its machine's place and current ticket, by host name; one statement."""
    query = (
        select(Node, Machine, Machine.current_ticket_id, Machine.ticket_number, func.count().over())
        .select_from(Node)
        .outerjoin(Machine, Machine.id == Node.machine_id)
        .where(Node.cluster_id == cluster.id, Node.left_at.is_(None))
        .order_by(Node.hostname, Node.id)
        .limit(MAX_NODES)
    )
    rows = session.execute(query).all()
    seen = health.of_nodes(cluster, ((node.hostname, node.since) for node, *_ in rows))
    nodes = [
        _placed(node, machine, seen.get(node.hostname), ticket_id, number)
        for node, machine, ticket_id, number, _ in rows
    ]
    return TopologyOut(total=rows[0][-1] if rows else 0, nodes=nodes)


def _placed(
    node: Node, machine: Machine | None, seen: health.Health | None, ticket_id: UUID | None, number: int | None
) -> TopologyNodeOut:
    place = {name: getattr(machine, name, "") for name in ("region", "datacenter", "room", "rack", "state")}
    return TopologyNodeOut(
        id=node.id,
        name=node.hostname,
        address=node.address,
        roles=node.roles,
        machine_id=node.machine_id,
        **place,
        health=seen,
        ticket_id=ticket_id,
        ticket_number=number,
    )
