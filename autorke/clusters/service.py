"""Clusters: read them, change what people may change, open their kubeconfig. Nobody commits here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from autorke.clusters import nodes
from autorke.clusters.errors import ClusterBusy, StaleCluster
from autorke.clusters.importing import Files, check_files, import_cluster
from autorke.clusters.models import Cluster, ClusterState, Node
from autorke.core.db import db_now
from autorke.core.errors import NotFound
from autorke.credentials import service as credentials
from autorke.machines import service as machines
from autorke.machines.models import MachineState
from autorke.users import audit
from autorke.users.access import Actor
from autorke.web.paging import Column, PageQuery, Slice, page
from autorke.workflow.models import ResourceLock

__all__ = [
    "Files",
    "check_files",
    "forget",
    "get",
    "get_by_name",
    "import_cluster",
    "kubeconfig_of",
    "list_page",
    "node_counts",
    "nodes_page",
    "policy_of",
    "update_fields",
]

DEFAULT_POLICY = "strict"

COLUMNS = {
    "name": Column(Cluster.name),
    "state": Column(Cluster.state),
    "kubernetes_version": Column(Cluster.kubernetes_version),
    "network_plugin": Column(Cluster.network_plugin),
    "flat_network": Column(Cluster.flat_network, bool),
    "created_at": Column(Cluster.created_at, datetime),
}
NODE_COLUMNS = {
    "hostname": Column(Node.hostname),
    "address": Column(Node.address),
    "internal_address": Column(Node.internal_address),
    "roles": Column(Node.roles, list, sortable=False),
    "machine_id": Column(Node.machine_id, UUID),
    "since": Column(Node.since, datetime),
}


def get(session: Session, cluster_id: UUID) -> Cluster:
    """One cluster. Raises NotFound."""
    cluster = session.get(Cluster, cluster_id)
    if cluster is None:
        raise NotFound(field="cluster_id", what="cluster", key=cluster_id)
    return cluster


def get_by_name(session: Session, name: str) -> Cluster:
    """One cluster by its name. Raises NotFound."""
    cluster = session.scalars(select(Cluster).where(Cluster.name == name)).one_or_none()
    if cluster is None:
        raise NotFound(field="cluster", what="cluster", key=name)
    return cluster


def list_page(session: Session, query: PageQuery, *, visible: ColumnElement[bool]) -> Slice:
    """One page of the clusters that the caller may see."""
    return page(session, select(Cluster).where(visible), COLUMNS, query, key=Cluster.id, default_sort="name")


def nodes_page(session: Session, cluster_id: UUID, query: PageQuery) -> Slice:
    """One page of the nodes that serve this cluster now."""
    statement = select(Node).where(Node.cluster_id == cluster_id, Node.left_at.is_(None))
    return page(session, statement, NODE_COLUMNS, query, key=Node.id, default_sort="hostname")


def node_counts(session: Session, ids: list[UUID]) -> dict[UUID, int]:
    """How many nodes serve each of these clusters."""
    query = (
        select(Node.cluster_id, func.count().label("nodes"))
        .where(Node.cluster_id.in_(ids), Node.left_at.is_(None))
        .group_by(Node.cluster_id)
    )
    found = {row.cluster_id: row.nodes for row in session.execute(query)}
    return {cluster_id: found.get(cluster_id, 0) for cluster_id in ids}


def policy_of(cluster: Cluster, flow: str) -> str:
    """The gate policy of a flow on this cluster: its own, else the cluster's default, else strict (design §5)."""
    policy: str = cluster.gate_policy.get(flow) or cluster.gate_policy.get("default") or DEFAULT_POLICY
    return policy


def update_fields(
    session: Session, cluster_id: UUID, *, actor: Actor, version: int, fields: Mapping[str, Any]
) -> Cluster:
    """Change description, flat_network or gate_policy, on the record. Raises NotFound, StaleCluster."""
    cluster = get(session, cluster_id)
    statement = (
        update(Cluster)
        .where(Cluster.id == cluster_id, Cluster.version == version)
        .values(**fields, version=version + 1)
        .returning(Cluster)
        .execution_options(populate_existing=True)
    )
    if session.scalars(statement).one_or_none() is None:
        session.refresh(cluster)
        raise StaleCluster(field="version", name=cluster.name, version=cluster.version)
    audit.record(
        session, actor, action="cluster.update", object_type="cluster", object_id=cluster_id, fields=sorted(fields)
    )
    return cluster


def kubeconfig_of(session: Session, cluster: Cluster, *, purpose: str, actor: Actor | None) -> str:
    """The kubeconfig in memory, its opening on the record. Raises NotFound, EnvelopeBroken."""
    if cluster.kubeconfig_credential_id is None:
        raise NotFound(field="kubeconfig", what="kubeconfig", key=cluster.name)
    secret = credentials.open_secret(
        session, cluster.kubeconfig_credential_id, purpose=purpose, actor=actor, kinds=("kubeconfig",)
    )
    return secret.values["kubeconfig"]


def forget(session: Session, cluster_id: UUID, *, actor: Actor, reason: str) -> Cluster:
    """Stop managing a cluster. Its revisions stay; its machines become `fault`, since they go on serving it unwatched.

    Raises NotFound, and ClusterBusy while a ticket holds the cluster's lock.
    """
    cluster = get(session, cluster_id)
    held = select(ResourceLock.ticket_id).where(ResourceLock.kind == "cluster", ResourceLock.key == str(cluster_id))
    ticket_id = session.scalar(held)
    if ticket_id is not None:
        raise ClusterBusy(field="cluster_id", name=cluster.name, ticket=ticket_id)
    serving = nodes.current(session, cluster_id)
    ids = [node.machine_id for node in serving if node.machine_id is not None]
    if ids:
        why = f"serves {cluster.name}, which is no longer managed"
        machines.detach(session, ids=ids, cluster_id=cluster_id, to=MachineState.FAULT, reason=why)
    now = db_now(session)
    for node in serving:
        node.left_at = now
    cluster.state = ClusterState.ARCHIVED.value
    cluster.version += 1
    session.flush()
    audit.record(session, actor, action="cluster.forget", object_type="cluster", object_id=cluster_id, reason=reason)
    return cluster
