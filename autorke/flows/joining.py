"""The join step: what is shown, what is done to one machine, and how its success is written down.

A machine becomes part of cluster.yml, rkestate and the copy inside Kubernetes only after its Node is Ready: a join that
breaks half-way never leaves a phantom node (rke.md §0.5, §10.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any
from uuid import UUID

from autorke.checks.facts import DockerFacts
from autorke.checks.results import Report
from autorke.configs.compare import compare_clusters
from autorke.core.db import transaction
from autorke.drivers.base import SshTarget
from autorke.drivers.docker import docker_over
from autorke.drivers.rkefiles.cluster_yml import ClusterYml
from autorke.drivers.rkefiles.edit import add_workers
from autorke.drivers.rkefiles.merge import with_workers_added
from autorke.drivers.rkefiles.nodes import RkeNode, Taint
from autorke.drivers.rkefiles.rkestate import RkeState
from autorke.drivers.ssh import connect
from autorke.drivers.workerplane.certificates import serving_certificate
from autorke.drivers.workerplane.clone import compare_with_worker, require_equal
from autorke.drivers.workerplane.config import ClusterConfig, live_host_info, read_config
from autorke.drivers.workerplane.join import join_worker
from autorke.drivers.workerplane.nodeobject import marks_patch, node_marks
from autorke.drivers.workerplane.plan import JoinPlan, plan_join
from autorke.drivers.workerplane.probe import probe_worker
from autorke.drivers.workerplane.spec import serving_certificate_name
from autorke.flows import checking, cluster_view, recording
from autorke.flows.checking import Checked
from autorke.flows.cluster_view import ClusterView
from autorke.flows.targets import ssh_targets
from autorke.workflow.context import Context
from autorke.workflow.definition import Node, Outcome
from autorke.workflow.states import NodeState

READY_SECONDS = 300


def rke_node(node: Node) -> RkeNode:
    """The node as cluster.yml will name it: a worker and nothing else."""
    data = node.data
    return RkeNode(
        address=data["address"],
        roles=("worker",),
        user=data["ssh_user"],
        hostname=data["hostname"],
        internal_address=data["internal_address"],
        port=str(data["ssh_port"]),
        labels=dict(data["labels"]),
        taints=tuple(Taint(**taint) for taint in data["taints"]),
    )


def _target(ctx: Context, node: Node) -> SshTarget:
    with transaction() as session:
        ids = {UUID(node.id): node.name}
        purpose = f"add_workers {ctx.step_key}, ticket {ctx.ticket_number}"
        return ssh_targets(session, ids, purpose=purpose, secrets=ctx.secrets, names=ids)[UUID(node.id)]


def config_after(view: ClusterView, nodes: Sequence[Node]) -> tuple[ClusterYml, list[RkeNode]]:
    """cluster.yml with these workers, and those that it does not name yet. Raises RkeFileError."""
    added = recording.missing(view, [rke_node(node) for node in nodes])
    return add_workers(view.config, added, read=view.files.config) if added else view.config, added


def config_change(view: ClusterView, nodes: Sequence[Node]) -> dict[str, Any]:
    """cluster.yml before and after, as text diff and as settings, secrets masked."""
    after, added = config_after(view, nodes)
    diff = compare_clusters(view.config, after, labels=(f"cluster.yml {view.config_number}", "cluster.yml (after)"))
    return {
        "cluster": view.name,
        "config_revision": view.config_number,
        "state_revision": view.state_number,
        "diff": list(diff.text),
        "settings": [setting.path for setting in diff.settings],
        "adds": [{"hostname": node.hostname, "address": node.address, "role": ["worker"]} for node in added],
    }


def _sample(view: ClusterView, config: ClusterConfig) -> dict[str, Any]:
    """Read-only proof on a running worker that our specs are what runs there; stops on any difference.

    A pure worker is preferred; without one that answers the specs stand as computed for the known version.
    """
    members = {node.address: node for node in config.nodes}
    workers = sorted(
        (node for node in members.values() if node.is_worker and node.address in view.reachable),
        key=lambda node: (node.is_controlplane or node.is_etcd, node.hostname),
    )
    unreadable = []
    for worker in workers:
        try:
            with connect(view.reachable[worker.address]) as remote:
                found = compare_with_worker(config, worker, docker_over(remote))
        except OSError as error:
            unreadable.append({"worker": worker.hostname, "reason": str(error)})
            continue
        require_equal(worker, found)
        return {"compared_with": worker.hostname, "differences": []}
    return {"compared_with": None, "unreadable": unreadable, "computed_for": config.version}


def shown(ctx: Context, report: Report) -> dict[str, Any]:
    """Every container that will be created, masked, and the checks made again just now."""
    view = cluster_view.of(ctx, logins="sample")
    config = read_config(view.state.current_config)
    docker = {name: facts.docker for name, facts in report.facts.items()}
    plans = {}
    for node in ctx.nodes:
        info = _docker_info(docker.get(node.name))
        state, _ = _state_with(ctx, view, node)
        plan = _plan(config, state, rke_node(node), info)
        plans[node.name] = plan.shown()
        plans[node.name]["node_object"] = _marks(rke_node(node))
    return {
        "sample": _sample(view, config),
        "nodes": plans,
        "network_plugin": ctx.params.network_plugin,
        "checks": report.as_json(),
        "on_failure": "the node keeps what was made; a retry completes it; cluster.yml and rkestate do not name it yet",
    }


def _docker_info(docker: DockerFacts | None) -> dict[str, Any]:
    """The part of `docker info` that container definitions depend on, as the checks have seen it."""
    if docker is None:
        return {}
    return {
        "DockerRootDir": docker.root_dir,
        "OperatingSystem": docker.operating_system,
        "OSType": docker.os_type,
        "SecurityOptions": list(docker.security_options),
    }


def _marks(node: RkeNode) -> dict[str, Any]:
    marks = node_marks(node)
    taints = [f"{taint.key}={taint.value}:{taint.effect}" for taint in marks.taints]
    return {"labels": dict(marks.labels), "annotations": dict(marks.annotations), "taints": taints}


def _state_with(ctx: Context, view: ClusterView, node: Node) -> tuple[RkeState, dict[str, Any]]:
    """The state as it will be with the node, and its new serving certificate where the cluster uses those.

    The certificate is kept sealed with the ticket: a retry must find the one that is on the machine already.
    """
    state, entry = view.state, rke_node(node)
    config = read_config(state.current_config)
    if not recording.missing(view, [entry]):
        return state, {}
    made: dict[str, Any] = {}
    if config.serving_certificates:
        name = serving_certificate_name(entry)
        ca_entry = state.certificates["kube-ca"]
        made[name] = ctx.kept_secret(f"{node.id}/{name}", lambda: serving_certificate(entry, ca_entry))
        ctx.secrets.add(made[name].get("keyPEM"))
    return with_workers_added(state, [entry], made), made


def _plan(config: ClusterConfig, state: RkeState, node: RkeNode, info: Any) -> JoinPlan:
    return plan_join(config, node, live_host_info(config, info), state.certificates, cluster_nodes=state.nodes)


def fingerprint(checked: Checked) -> dict[str, Any]:
    """What the plan rests on: the revisions, the copy inside Kubernetes, each machine's facts and errors."""
    return {
        "config_revision": checked.view.config_number,
        "state_revision": checked.view.state_number,
        "state_copy": checked.live.state_copy_sha256,
        **checking.report_fingerprint(checked.report),
    }


def run(ctx: Context, node: Node) -> Outcome:
    """Join one machine, wait until its Node is Ready, mark it, and write it down."""
    view = cluster_view.of(ctx)
    config = read_config(view.state.current_config)
    entry = rke_node(node)
    for secret in _private_keys(view.state):
        ctx.secrets.add(secret)
    state, certificates = _state_with(ctx, view, node)
    with ExitStack() as stack:
        remote = stack.enter_context(connect(_target(ctx, node)))
        docker = docker_over(remote)
        plan = _plan(config, state, entry, docker.info())
        report = join_worker(docker, remote, plan, ctx.emit)
        kube = view.kube()
        stack.callback(kube.close)
        kube.wait_ready(entry.hostname, timeout=READY_SECONDS, emit=ctx.emit)
        marks = node_marks(entry)
        live = kube.change_node(entry.hostname, lambda body: marks_patch(body, marks))
        ctx.log(f"node {live.name} is Ready and marked", node)
        numbers = recording.record(ctx, node, entry, certificates)
    return Outcome.ok(
        f"joined and Ready in {report.seconds:.0f} s",
        node=live.name,
        changes=list(report.changes),
        kept=list(report.kept),
        **numbers,
    )


def _private_keys(state: RkeState) -> list[str]:
    return [entry["keyPEM"] for entry in state.certificates.values() if entry.get("keyPEM")]


def probe(ctx: Context, node: Node) -> Outcome:
    """Read-only evidence after a lost runner: containers on the machine, the Node, the recorded files."""
    view = cluster_view.of(ctx)
    entry = rke_node(node)
    with connect(_target(ctx, node)) as remote:
        found = probe_worker(docker_over(remote))
    kube = view.kube()
    try:
        live = kube.node_by_hostname(entry.hostname)
        copy = kube.state_store().read()
    finally:
        kube.close()
    recorded = not recording.missing(view, [entry])
    copied = cluster_view.copy_is(copy[1] if copy else None, view)
    ready = bool(live and live.ready)
    evidence = {"containers": found.as_json(), "node_ready": ready, "recorded": recorded, "copied": copied}
    if ready and recorded and copied:
        return Outcome(NodeState.SUCCEEDED, "the node is Ready and recorded", evidence)
    return Outcome(NodeState.FAILED, "the join is not complete; a retry would complete it", evidence)
