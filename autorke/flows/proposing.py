"""Add workers, before anything is submitted: which machines could be taken, and what the ticket would change.

A submit and a preview share everything here; only the reservation itself belongs to the submit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from autorke.checks.results import some
from autorke.clusters import service as clusters
from autorke.clusters.models import Cluster
from autorke.clusters.nodes import find_taken
from autorke.configs.masking import mask_cluster
from autorke.core.errors import AutoRkeError, Text, Unprocessable
from autorke.drivers.ansible import tasks_of
from autorke.drivers.rkefiles.nodes import RkeNode
from autorke.drivers.workerplane.config import live_host_info, read_config
from autorke.drivers.workerplane.nodeobject import node_marks
from autorke.drivers.workerplane.spec import worker_containers
from autorke.flows import cluster_view, initialising, joining
from autorke.flows.cluster_view import ClusterView, Serving
from autorke.flows.params import AddWorkers, AddWorkersIn, node_data
from autorke.machines.availability import UNKNOWN, Hindrance, hindrance
from autorke.machines.models import Machine
from autorke.users.access import Actor, scope
from autorke.workflow.definition import Accepted, Node, Policy
from autorke.workflow.models import Ticket
from autorke.workflow.proposal import Change, Proposal, Target

AROUND = 15
"""Lines of cluster.yml shown before and behind the change."""


class FlatNetworkNotManaged(Unprocessable):
    """Steps 5 to 7 are declared; until the network orders are built, such a cluster is refused at submit."""

    code = "flat-network-not-managed"
    text = Text(
        zh="集群 {name} 使用扁平网络，本版本尚不能为其下网络工单",
        en="Cluster {name} has a flat network; this release cannot order its networks yet",
    )
    remedy = Text(zh="选择没有扁平网络的集群", en="Choose a cluster without a flat network")


def cluster_of(session: Session, asked: AddWorkersIn) -> Cluster:
    """The cluster that workers may be added to. Raises NotFound, FlatNetworkNotManaged."""
    cluster = clusters.get(session, asked.cluster_id)
    if cluster.flat_network:
        raise FlatNetworkNotManaged(field="cluster_id", name=cluster.name)
    return cluster


def seen_machines(actor: Actor) -> ColumnElement[bool]:
    return scope(actor, "machine:read", Machine.cluster_id, unowned=True)


def seen_clusters(actor: Actor) -> ColumnElement[bool]:
    return scope(actor, "cluster:read", Cluster.id)


def nodes_of(rows: Iterable[Machine], asked: AddWorkersIn) -> list[Node]:
    """The frozen targets of these machines."""
    wanted = {machine.machine_id: machine for machine in asked.machines}
    return [
        Node(str(row.id), data["hostname"], data) for row in rows for data in [node_data(row, wanted[row.id], asked)]
    ]


def accepted(cluster: Cluster, asked: AddWorkersIn, nodes: Sequence[Node]) -> Accepted[AddWorkers]:
    """What a ticket for these nodes freezes, locks and obeys."""
    return Accepted(
        params=AddWorkers(
            cluster_id=cluster.id,
            cluster_name=cluster.name,
            kubernetes_version=cluster.kubernetes_version,
            flat_network=cluster.flat_network,
            network_plugin=cluster.network_plugin,
            labels=asked.labels,
            taints=asked.taints,
            initialise=asked.initialise,
            batches=asked.batches,
        ),
        nodes=nodes,
        locks=[("cluster", str(cluster.id)), *(("machine", node.id) for node in nodes)],
        scope_id=str(cluster.id),
        policy=Policy(clusters.policy_of(cluster, "add_workers")),
        summary=f"{cluster.name}: +{len(nodes)} worker",
    )


def propose(session: Session, asked: AddWorkersIn, actor: Actor) -> Proposal:
    """Every machine asked for, those that cannot be taken with their reason. A machine that the actor may not see is
    as unknown as one that does not exist."""
    cluster = cluster_of(session, asked)
    ids = [machine.machine_id for machine in asked.machines]
    rows = {row.id: row for row in session.scalars(select(Machine).where(Machine.id.in_(ids), seen_machines(actor)))}
    reasons = _hindrances(session, rows)
    free = nodes_of((rows[key] for key in ids if key in rows and key not in reasons), asked)
    reasons |= _taken(session, free, actor)
    names = {node.id: node for node in nodes_of((rows[key] for key in ids if key in rows), asked)}
    targets = [_target(str(key), names.get(str(key)), reasons.get(key)) for key in ids]
    eligible = [node for node in free if UUID(node.id) not in reasons]
    about = {
        "id": str(cluster.id),
        "name": cluster.name,
        "kubernetes_version": cluster.kubernetes_version,
        "network_plugin": cluster.network_plugin,
        "flat_network": cluster.flat_network,
    }
    return Proposal(accepted(cluster, asked, eligible), targets, about)


def _hindrances(session: Session, rows: Mapping[UUID, Machine]) -> dict[UUID, Hindrance]:
    holders = {row.ticket_id for row in rows.values() if row.ticket_id is not None}
    query = select(Ticket.id, Ticket.number).where(Ticket.id.in_(holders))
    numbers = {ticket_id: f"#{number}" for ticket_id, number in session.execute(query)} if holders else {}
    found = {key: hindrance(row, ticket=numbers.get(row.ticket_id or key)) for key, row in rows.items()}
    return {key: reason for key, reason in found.items() if reason is not None}


def _taken(session: Session, nodes: Sequence[Node], actor: Actor) -> dict[UUID, Hindrance]:
    """Machines whose node name or address serves a cluster already (design §1)."""
    ids = {node.data["address"]: UUID(node.id) for node in nodes}
    wanted = [joining.rke_node(node) for node in nodes]
    found = find_taken(session, wanted, visible=seen_clusters(actor)) if nodes else []
    return {
        ids[taken.wanted.address]: Hindrance(
            "node-taken",
            Text(zh=f"主机名或地址已被节点 {taken.by} 使用", en=f"its name or address already serves: {taken.by}"),
        )
        for taken in found
    }


def _target(key: str, node: Node | None, why: Hindrance | None) -> Target:
    if node is None:
        return Target(key, "", {}, UNKNOWN.code, UNKNOWN.reason)
    return Target(key, node.name, node.data, why.code if why else None, why.reason if why else None)


def show(session: Session, asked: AddWorkersIn, proposal: Proposal) -> Change:
    """cluster.yml around the change and what would be run where; of our own records, nothing is connected to."""
    nodes = proposal.accepted.nodes
    view, serving = cluster_view.recorded(session, asked.cluster_id), cluster_view.serving(session, asked.cluster_id)
    problems: list[AutoRkeError] = []
    config, commands = None, []
    try:
        config = {**joining.config_change(view, nodes), **_texts(view, nodes)}
        if nodes:
            entries = [joining.rke_node(node) for node in nodes]
            commands = [*_initialise(view, serving, asked), *_join(view, entries)]
    except AutoRkeError as error:  # the first plan would say the same; a file of ours or a name in it is at fault
        problems.append(error)
    return Change(config, commands, problems)


def _texts(view: ClusterView, nodes: Sequence[Node]) -> dict[str, Any]:
    """The changed part of the file with a few lines around it, before and after, secrets masked."""
    after, _ = joining.config_after(view, nodes)
    old, new = mask_cluster(view.config).splitlines(), mask_cluster(after).splitlines()
    shortest = min(len(old), len(new))
    head = next((at for at in range(shortest) if old[at] != new[at]), shortest)
    tail = next((at for at in range(shortest - head) if old[-1 - at] != new[-1 - at]), shortest - head)
    first = max(0, head - AROUND)
    shown = {name: lines[first : len(lines) - tail + AROUND] for name, lines in (("before", old), ("after", new))}
    return {"first_line": first + 1, **{name: "\n".join(lines) for name, lines in shown.items()}}


def _initialise(view: ClusterView, serving: Serving, asked: AddWorkersIn) -> list[dict[str, Any]]:
    told = initialising.variables(view, serving, asked.initialise).items()
    lines = [" / ".join(filter(None, (task["role"], task["task"]))) for task in tasks_of(initialising.PLAYBOOK)]
    settings = [f"{name}={some(value) if isinstance(value, list) else value}" for name, value in told]
    return [
        {"step": "initialise", "tool": "ansible-playbook", "what": initialising.PLAYBOOK, "lines": lines},
        {"step": "initialise", "tool": "ansible-vars", "what": "", "lines": settings},
    ]


def _join(view: ClusterView, nodes: Sequence[RkeNode]) -> list[dict[str, Any]]:
    """Containers as they are on every machine; the plan of the step itself shows each in full."""
    config = read_config(view.state.current_config)
    specs = worker_containers(config, nodes[0], live_host_info(config, {}))
    count = len(nodes)
    marks = Counter(line for node in nodes for line in _marks(node))
    files = [
        f"cluster.yml {view.config_number} → {view.config_number + count}",
        f"cluster.rkestate {view.state_number} → {view.state_number + count}",
        "full-cluster-state",
    ]
    return [
        {"step": "join", "tool": "docker", "what": "", "lines": [f"{spec.name}: {spec.image}" for spec in specs]},
        {"step": "join", "tool": "kubernetes", "what": "", "lines": [f"{mark} ({n})" for mark, n in marks.items()]},
        {"step": "join", "tool": "files", "what": "", "lines": files},
    ]


def _marks(node: RkeNode) -> list[str]:
    marks = node_marks(node)
    labels = [f"label {key}={value}" for key, value in marks.labels.items()]
    return labels + [f"taint {taint.key}={taint.value}:{taint.effect}" for taint in marks.taints]
