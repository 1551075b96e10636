"""The initialise step: one playbook run for each batch, one outcome for each machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from autorke.checks.settings import settings_of, supported_docker_versions
from autorke.core.db import transaction
from autorke.core.settings import get_settings
from autorke.drivers.ansible import AnsibleHost, HostResult, PlaybookFailed, require_ready, run_playbook, tasks_of
from autorke.drivers.docker import docker_over
from autorke.drivers.ssh import connect
from autorke.drivers.workerplane.probe import probe_worker
from autorke.flows import cluster_view
from autorke.flows.cluster_view import ClusterView, Serving
from autorke.flows.params import InitialiseIn
from autorke.flows.targets import ssh_targets
from autorke.workflow.context import Context
from autorke.workflow.definition import Node, Outcome
from autorke.workflow.states import NodeState

PLAYBOOK = "init_worker"


def variables(view: ClusterView, serving: Serving, asked: InitialiseIn) -> dict[str, Any]:
    """What the roles are told; package sources come from the settings of the installation (air gap)."""
    settings = settings_of(view.state.current_config)
    return {
        "autorke_docker": asked.docker,
        "autorke_kernel": asked.kernel,
        "autorke_gpu": asked.gpu,
        "autorke_docker_versions": list(supported_docker_versions(settings)),
        "autorke_proxy_mode": settings.proxy_mode,
        "autorke_fail_swap_on": settings.fail_swap_on,
        "autorke_listed_addresses": sorted(
            {it for node in (*serving.members, *serving.others) for it in (node.address, node.internal)}
        ),
        **get_settings().package_sources,
    }


def shown(ctx: Context) -> dict[str, Any]:
    """The playbook's tasks and variables, per machine what differs: what the approver reads.

    A worker host on which Ansible cannot start says so here, before anybody signs.
    """
    require_ready(ctx.run_dir)
    with transaction() as session:
        serving = cluster_view.serving(session, ctx.params.cluster_id)
    return {
        "playbook": PLAYBOOK,
        "tasks": tasks_of(PLAYBOOK),
        "variables": variables(cluster_view.of(ctx), serving, ctx.params.initialise),
        "machines": [
            {"name": node.name, "address": node.data["address"], "gpu": node.data["has_gpu"]} for node in ctx.nodes
        ],
        "on_failure": "the machine keeps what was set up; a retry repeats the playbook, which changes nothing twice",
    }


def run(ctx: Context, nodes: Sequence[Node]) -> Mapping[str, Outcome]:
    """Run the approved playbook on these machines, with the approved variables."""
    with transaction() as session:
        names = {UUID(node.id): node.name for node in nodes}
        purpose = f"initialise, ticket {ctx.ticket_number}"
        targets = ssh_targets(session, names, purpose=purpose, secrets=ctx.secrets, names=names)
    hosts = [
        AnsibleHost(
            targets[UUID(node.id)], {"autorke_ssh_user": node.data["ssh_user"], "autorke_ticket": str(ctx.ticket_id)}
        )
        for node in nodes
    ]
    results = run_playbook(
        PLAYBOOK,
        hosts,
        variables=dict(ctx.plan["variables"]),
        run_dir=ctx.run_dir,
        emit=ctx.emit,
        cancelled=lambda: False,  # a batch that has begun finishes: the step's safe point lies between batches
        timeout=35 * 60,
    )
    return {node.id: _outcome(node, results.get(node.name)) for node in nodes}


def _outcome(node: Node, result: HostResult | None) -> Outcome:
    if result is None:
        return Outcome(NodeState.UNKNOWN, "ansible said nothing of this machine")
    if result.ok:
        return Outcome.ok(f"{result.ran} tasks, {result.changed} changed", ran=result.ran, changed=result.changed)
    state = NodeState.UNREACHABLE if result.unreachable else NodeState.FAILED
    error = PlaybookFailed(name=node.name, task=result.failed_task or "-", reason=result.message)
    return Outcome(state, error.message.en, {"task": result.failed_task}, error.as_json())


def probe(ctx: Context, node: Node) -> Outcome:
    """Read-only: is the machine as the playbook leaves it? Running it again is safe, so a doubt says FAILED."""
    with transaction() as session:
        ids = {UUID(node.id): node.name}
        targets = ssh_targets(session, ids, purpose="probe", secrets=ctx.secrets, names=ids)
    with connect(targets[UUID(node.id)]) as remote:
        done = remote.run(["cat", "/etc/autorke/initialised"], timeout=10)
        docker = docker_over(remote)
        version, empty = docker.version().get("Version"), probe_worker(docker).is_empty
    evidence = {"marker": done.stdout.strip(), "docker": version, "no_kubernetes": empty}
    if done.ok and done.stdout.strip() == str(ctx.ticket_id):
        return Outcome(NodeState.SUCCEEDED, "the playbook's last task has run", evidence)
    return Outcome(NodeState.FAILED, "the playbook did not reach its end", evidence)
