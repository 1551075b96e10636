"""Clusters over the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy.orm import Session

from autorke.clusters import live, service
from autorke.clusters.importing import Files
from autorke.clusters.models import Cluster
from autorke.clusters.schemas import ClusterIn, ClusterOut, ClusterPatch, ForgetIn, NodeOut
from autorke.core import db
from autorke.core.errors import NotFound
from autorke.core.schemas import Page
from autorke.users.access import Actor, Permission, scope
from autorke.users.deps import allowed
from autorke.web.deps import PageDep, SessionDep
from autorke.web.paging import Slice

router = APIRouter(prefix="/clusters", tags=["clusters"])

Reader = Annotated[Actor, allowed("cluster:read")]
Writer = Annotated[Actor, allowed("cluster:write")]
PlatformWriter = Annotated[Actor, allowed("cluster:write", everywhere=True)]


def _visible(session: Session, actor: Actor, cluster_id: UUID, permission: Permission = "cluster:read") -> Cluster:
    """The cluster, unless it is out of the actor's scope. Raises NotFound."""
    if not actor.may(permission, cluster_id):
        raise NotFound(field="cluster_id", what="cluster", key=cluster_id)
    return service.get(session, cluster_id)


def _shown(session: Session, clusters: Sequence[Cluster]) -> list[ClusterOut]:
    counts = service.node_counts(session, [cluster.id for cluster in clusters])
    names = [name for name in ClusterOut.model_fields if name != "node_count"]
    return [
        ClusterOut(**{name: getattr(cluster, name) for name in names}, node_count=counts[cluster.id])
        for cluster in clusters
    ]


@router.get("", response_model=Page[ClusterOut])
def list_clusters(actor: Reader, session: SessionDep, query: PageDep) -> Slice:
    """One page of the clusters."""
    found = service.list_page(session, query, visible=scope(actor, "cluster:read", Cluster.id))
    return Slice(items=_shown(session, found.items), next=found.next, total=found.total)


@router.post("", response_model=ClusterOut, status_code=201)
def import_cluster(body: ClusterIn, actor: PlatformWriter, session: SessionDep) -> ClusterOut:
    """Import a running cluster from cluster.yml, cluster.rkestate and kubeconfig. Makes no connection."""
    files = Files(cluster_yml=body.cluster_yml, rkestate=body.rkestate, kubeconfig=body.kubeconfig)
    fields = body.model_dump(include={"description", "flat_network", "gate_policy"})
    cluster = service.import_cluster(session, actor=actor, name=body.name, files=files, fields=fields)
    return _shown(session, [cluster])[0]


@router.get("/{cluster_id}", response_model=ClusterOut)
def get_cluster(cluster_id: UUID, actor: Reader, session: SessionDep) -> ClusterOut:
    """One cluster."""
    return _shown(session, [_visible(session, actor, cluster_id)])[0]


@router.patch("/{cluster_id}", response_model=ClusterOut)
def update_cluster(cluster_id: UUID, body: ClusterPatch, actor: Writer, session: SessionDep) -> ClusterOut:
    """Change description, flat-network flag or gate policy."""
    _visible(session, actor, cluster_id, "cluster:write")
    cluster = service.update_fields(session, cluster_id, actor=actor, version=body.version, fields=body.changes())
    return _shown(session, [cluster])[0]


@router.post("/{cluster_id}/forget", response_model=ClusterOut)
def forget_cluster(cluster_id: UUID, body: ForgetIn, actor: Writer, session: SessionDep) -> ClusterOut:
    """Stop managing a cluster. Nothing is touched on its machines; they are marked `fault`, not free."""
    _visible(session, actor, cluster_id, "cluster:write")
    return _shown(session, [service.forget(session, cluster_id, actor=actor, reason=body.reason)])[0]


@router.get("/{cluster_id}/nodes", response_model=Page[NodeOut])
def list_nodes(cluster_id: UUID, actor: Reader, session: SessionDep, query: PageDep) -> Slice:
    """The nodes that serve this cluster now."""
    _visible(session, actor, cluster_id)
    return service.nodes_page(session, cluster_id, query)


@router.post("/{cluster_id}/verify", response_model=ClusterOut)
def verify_cluster(cluster_id: UUID, actor: Writer, session: SessionDep) -> ClusterOut:
    """Compare the live cluster with what is kept of it, read-only, and keep the differences as `drift`."""
    record = live.known(session, _visible(session, actor, cluster_id, "cluster:write"), actor=actor)
    session.commit()  # no transaction is open while the cluster is asked
    drift = live.look(record)
    with db.transaction() as fresh:
        return _shown(fresh, [live.record_drift(fresh, cluster_id, drift, actor=actor)])[0]
