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
from autorke.drivers.rkefiles.cluster_yml import ClusterYml
from autorke.drivers.rkefiles.edit import add_workers
from autorke.drivers.rkefiles.fullstate import push_state
from autorke.drivers.rkefiles.merge import read_back, state_text, with_workers_added
from autorke.drivers.rkefiles.nodes import RkeNode
from autorke.drivers.rkefiles.rkestate import RkeState
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
        numbers = {"config_revision": view.config_number, "state_revision": view.state_number}
        state = view.state
        if missing(view, [entry]):
            numbers, state = _add_revisions(ctx, view, node, entry, certificates)
            ctx.log("recorded: cluster.yml {config_revision}, rkestate {state_revision}".format(**numbers), node)
        _push_copy(ctx, view, state, node)
    return numbers


def _add_revisions(
    ctx: Context, view: ClusterView, node: Node, entry: RkeNode, certificates: dict[str, Any]
) -> tuple[dict[str, int], RkeState]:
    """Both files with the node, each read back from its text before it is stored; their numbers, and that state."""
    files = view.files
    config = add_workers(view.config, [entry], read=files.config)
    text = state_text(with_workers_added(view.state, [entry], certificates), like=view.rkestate)
    state = read_back(text, view.state, [entry], tuple(certificates), read=files.state)
    with transaction() as session:
        cluster = clusters.get(session, view.id)
        numbers = _append(session, ctx, view, entry, (config, text))
        joined = NewNode(entry, machines.get(session, UUID(node.id)))
        number = numbers["config_revision"]
        cluster_nodes.add(session, cluster, [joined], config_number=number, ticket_id=ctx.ticket_id)
    return numbers, state


def _append(
    session: Session, ctx: Context, view: ClusterView, entry: RkeNode, files: tuple[ClusterYml, str]
) -> dict[str, int]:
    """Both files as a pair; refused when anybody else wrote a revision since the view was taken."""
    shared: dict[str, Any] = {
        "cluster_id": view.id,
        "reason": Reason.AFTER,
        "created_by": f"ticket {ctx.ticket_number}",
        "expected_nodes": [*cluster_nodes.addresses(session, view.id), entry.address],
        "ticket_id": ctx.ticket_id,
    }
    config = configs.add_config(session, cluster=files[0], parent=view.config_number, **shared)
    shared["ca_fingerprint"] = view.ca_fingerprint
    state = configs.add_state(session, content=files[1], parent=view.state_number, read=view.files.state, **shared)
    return {"config_revision": config.number, "state_revision": state.number}


def _push_copy(ctx: Context, view: ClusterView, state: RkeState, node: Node) -> None:
    """Bring `full-cluster-state` to the recorded state; a copy that already says so is left alone."""
    kube = view.kube()
    try:
        store = kube.state_store()
        found = store.read()
        if found is not None and view.files.state(found[1]).document == state.document:
            return
        kind, version = push_state(store, state, resource_version=found[2] if found else None)
        ctx.log(f"full-cluster-state ({kind}) is at resourceVersion {version}", node)
    finally:
        kube.close()
