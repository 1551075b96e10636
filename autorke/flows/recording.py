"""Writing a joined node down: revisions of both files, the membership, then the copy inside Kubernetes.

Every part asks first, so that a retry after a crash at any point completes it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from autorke.clusters import nodes as cluster_nodes
from autorke.clusters import service as clusters
from autorke.clusters.nodes import NewNode
from autorke.configs import service as configs
from autorke.configs.models import Reason
from autorke.core.db import transaction
from autorke.drivers.rkefiles.edit import add_workers
from autorke.drivers.rkefiles.fullstate import push_state
from autorke.drivers.rkefiles.merge import read_back, state_text, with_workers_added
from autorke.drivers.rkefiles.nodes import RkeNode
from autorke.drivers.rkefiles.rkestate import read_state
from autorke.flows import cluster_view
from autorke.flows.cluster_view import ClusterView
from autorke.machines import service as machines
from autorke.workflow.context import Context
from autorke.workflow.definition import Node

_one_at_a_time = threading.Lock()
"""Nodes of a batch are Ready at the same time; their entries go into the files one after another."""


def missing(view: ClusterView, nodes: Sequence[RkeNode]) -> list[RkeNode]:
    """Those that the recorded state does not name yet."""
    known = {node.address for node in view.state.nodes}
    return [node for node in nodes if node.address not in known]


def record(ctx: Context, node: Node, entry: RkeNode, certificates: dict[str, Any]) -> dict[str, int]:
    """Write one Ready node down; returns the revision numbers that name it. Raises MergeBroken, StateMoved."""
    with _one_at_a_time:
        view = cluster_view.of(ctx)
        if missing(view, [entry]):
            _add_revisions(ctx, view, node, entry, certificates)
            view = cluster_view.of(ctx)
            ctx.log(f"recorded: cluster.yml {view.config_number}, rkestate {view.state_number}", node)
        _push_copy(ctx, view, node)
    return {"config_revision": view.config_number, "state_revision": view.state_number}


def _add_revisions(ctx: Context, view: ClusterView, node: Node, entry: RkeNode, certificates: dict[str, Any]) -> None:
    after = with_workers_added(view.state, [entry], certificates)
    state = state_text(after, like=view.rkestate)
    read_back(state, view.state, [entry], tuple(certificates))
    config = add_workers(view.cluster_yml, [entry])
    with transaction() as session:
        cluster = clusters.get(session, view.id)
        number = _append(session, ctx, view, entry, (config, state))
        joined = NewNode(entry, machines.get(session, UUID(node.id)))
        cluster_nodes.add(session, cluster, [joined], config_number=number, ticket_id=ctx.ticket_id)


def _append(session: Session, ctx: Context, view: ClusterView, entry: RkeNode, texts: tuple[str, str]) -> int:
    """Both files as a pair; refused when anybody else wrote a revision since the view was taken."""
    listed = [node.address for node in view.members]
    shared: dict[str, Any] = {
        "cluster_id": view.id,
        "reason": Reason.AFTER,
        "created_by": f"ticket {ctx.ticket_number}",
        "expected_nodes": [*listed, entry.address],
        "ticket_id": ctx.ticket_id,
    }
    config = configs.add_config(session, content=texts[0], parent=view.config_number, **shared)
    configs.add_state(session, content=texts[1], parent=view.state_number, ca_fingerprint=view.ca_fingerprint, **shared)
    return config.number


def _push_copy(ctx: Context, view: ClusterView, node: Node) -> None:
    """Bring `full-cluster-state` to the recorded state; a copy that already says so is left alone."""
    kube = view.kube()
    try:
        store = kube.state_store()
        found = store.read()
        if found is not None and read_state(found[1]).document == view.state.document:
            return
        kind, version = push_state(store, view.state, resource_version=found[2] if found else None)
        ctx.log(f"full-cluster-state ({kind}) is at resourceVersion {version}", node)
    finally:
        kube.close()
