"""A cluster's pages over the API."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy.orm import Session

from autorke.clusters import service as clusters
from autorke.clusters.models import Cluster
from autorke.core.errors import NotFound
from autorke.overview import cluster
from autorke.overview.cluster_schemas import ClusterOverviewOut, TopologyOut
from autorke.users.access import Actor
from autorke.users.deps import allowed
from autorke.web.deps import SessionDep

router = APIRouter(prefix="/clusters", tags=["clusters"])

Reader = Annotated[Actor, allowed("cluster:read")]


def _visible(session: Session, actor: Actor, cluster_id: UUID) -> Cluster:
    """The cluster, unless it is out of the actor's scope. Raises NotFound."""
    if not actor.may("cluster:read", cluster_id):
        raise NotFound(field="cluster_id", what="cluster", key=cluster_id)
    return clusters.get(session, cluster_id)


@router.get("/{cluster_id}/overview", response_model=ClusterOverviewOut)
def get_cluster_overview(cluster_id: UUID, actor: Reader, session: SessionDep) -> ClusterOverviewOut:
    """Nodes by role and health, versions, revisions, locks and open tickets of a cluster."""
    found = _visible(session, actor, cluster_id)
    return cluster.at_a_glance(session, found, with_tickets=actor.may("ticket:read", cluster_id))


@router.get("/{cluster_id}/topology", response_model=TopologyOut)
def get_cluster_topology(cluster_id: UUID, actor: Reader, session: SessionDep) -> TopologyOut:
    """Every node of a cluster with its roles and where its machine stands."""
    return cluster.topology(session, _visible(session, actor, cluster_id))
