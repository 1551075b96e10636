"""Membership: which machines serve a cluster, since when. The tables' unique indexes have the last word."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select, true, update
from sqlalchemy.orm import Session

from autorke.clusters.errors import NodesTaken
from autorke.clusters.models import Cluster, Node
from autorke.core.db import db_now
from autorke.core.errors import NotFound
from autorke.drivers.rkefiles.nodes import RkeNode
from autorke.machines import service as machines
from autorke.machines.models import Machine
from autorke.machines.service import Membership


@dataclass(frozen=True)
class NewNode:
    """A node that joins, and the machine behind it where we know one."""

    node: RkeNode
    machine: Machine | None


def is_ip(text: str) -> bool:
    """rke accepts names as addresses too."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def canonical(text: str) -> str:
    """An address in its one spelling; a name as it is."""
    return str(ipaddress.ip_address(text)) if is_ip(text) else text


@dataclass(frozen=True)
class Taken:
    """A serving node whose name or address a wanted one has too."""

    wanted: RkeNode
    by: str


def find_taken(
    session: Session, found: Iterable[RkeNode], *, visible: ColumnElement[bool] | None = None
) -> list[Taken]:
    """Wanted nodes whose address, internal address or host name already serves any cluster, also this one.

    Of a cluster that is not `visible` no more is told than what was asked for.
    """
    wanted: dict[str, list[RkeNode]] = {}
    for node in found:
        for text in {canonical(node.address), canonical(node.internal_address), node.hostname}:
            wanted.setdefault(text, []).append(node)
    query = (
        select(Node.hostname, Node.address, Node.internal_address, Cluster.name)
        .add_columns((true() if visible is None else visible).label("visible"))
        .join(Cluster, Cluster.id == Node.cluster_id)
        .where(
            Node.left_at.is_(None),
            Node.address.in_(wanted) | Node.internal_address.in_(wanted) | Node.hostname.in_(wanted),
        )
        .order_by(Cluster.name, Node.hostname)
    )
    return [
        Taken(node, _told(node, row))
        for row in session.execute(query)
        for text in dict.fromkeys((row.hostname, row.address, row.internal_address))
        for node in wanted.get(text, ())
    ]


def _told(wanted: RkeNode, row: Any) -> str:
    if row.visible:
        return f"{row.hostname} {row.address} ({row.name})"
    return f"{wanted.hostname} {canonical(wanted.address)} (…)"


def refuse_taken(session: Session, found: Iterable[RkeNode], *, visible: ColumnElement[bool] | None = None) -> None:
    """Raises NodesTaken naming the nodes that serve under a wanted name or address; `visible` as in `find_taken`."""
    taken = list(dict.fromkeys(one.by for one in find_taken(session, found, visible=visible)))
    if taken:
        names = ", ".join(taken[:20]) + (", …" if len(taken) > 20 else "")
        raise NodesTaken(field="cluster_yml.nodes", names=names)


def add(
    session: Session, cluster: Cluster, joined: Sequence[NewNode], *, config_number: int, ticket_id: UUID | None
) -> list[Node]:
    """Write the memberships and attach the machines, in the caller's transaction. `config_number` first lists them.

    Raises NodesTaken, MachinesUnavailable. A node that this cluster already has is left as it is: a retried join step
    may say it again.
    """
    asked = {canonical(one.node.address) for one in joined}
    serving = select(Node.address).where(Node.cluster_id == cluster.id, Node.left_at.is_(None), Node.address.in_(asked))
    known = set(session.scalars(serving))
    new = [one for one in joined if canonical(one.node.address) not in known]
    refuse_taken(session, [one.node for one in new])
    rows = [_row(cluster, one, config_number, ticket_id) for one in new]
    session.add_all(rows)
    members = [
        Membership(
            one.machine.id,
            one.node.hostname,
            canonical(one.node.address),
            one.node.roles,
            label_count=len(one.node.labels),
            taint_count=len(one.node.taints),
        )
        for one in new
        if one.machine is not None
    ]
    if members:
        machines.attach(session, members=members, cluster_id=cluster.id, cluster_name=cluster.name, ticket_id=ticket_id)
    session.flush()
    return rows


def _row(cluster: Cluster, one: NewNode, config_number: int, ticket_id: UUID | None) -> Node:
    node = one.node
    return Node(
        cluster_id=cluster.id,
        machine_id=None if one.machine is None else one.machine.id,
        hostname=node.hostname,
        address=canonical(node.address),
        internal_address=canonical(node.internal_address),
        roles=list(node.roles),
        ssh_user=node.user,
        ssh_port=int(node.port),
        docker_socket=node.docker_socket,
        labels=dict(node.labels),
        taints=[asdict(taint) for taint in node.taints],
        config_number=config_number,
        ticket_id=ticket_id,
    )


def current(session: Session, cluster_id: UUID) -> list[Node]:
    """The nodes that serve this cluster now, by host name."""
    query = select(Node).where(Node.cluster_id == cluster_id, Node.left_at.is_(None))
    return list(session.scalars(query.order_by(Node.hostname, Node.id)))


def addresses(session: Session, cluster_id: UUID) -> list[str]:
    """Of the nodes that serve this cluster now."""
    query = select(Node.address).where(Node.cluster_id == cluster_id, Node.left_at.is_(None))
    return list(session.scalars(query))


def remove(session: Session, cluster: Cluster, addresses: Sequence[str], *, ticket_id: UUID) -> list[Node]:
    """End these memberships and free the machines. Raises NotFound naming an address that does not serve."""
    wanted = {canonical(address) for address in addresses}
    statement = (
        update(Node)
        .where(Node.cluster_id == cluster.id, Node.left_at.is_(None), Node.address.in_(wanted))
        .values(left_at=db_now(session), left_by_ticket_id=ticket_id)
        .returning(Node)
        .execution_options(populate_existing=True)
    )
    left = list(session.scalars(statement))
    missing = sorted(wanted - {node.address for node in left})
    if missing:
        raise NotFound(field="nodes", what="node", key=", ".join(missing))
    ids = [node.machine_id for node in left if node.machine_id is not None]
    if ids:
        machines.detach(session, ids=ids, cluster_id=cluster.id)
    return left
