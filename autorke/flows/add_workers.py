"""Add workers to a running cluster. File order is execution order.

configure → validate → initialise → join → network order → ippool → network labels. The last three belong to clusters
with a flat network and are skipped, with that reason, on any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from autorke.clusters.nodes import refuse_taken
from autorke.core.errors import Text
from autorke.flows import checking, examining, initialising, joining, proposing
from autorke.flows.params import AddWorkers, AddWorkersIn
from autorke.machines import service as machines
from autorke.users.access import Actor, person
from autorke.workflow.context import Context
from autorke.workflow.definition import Accepted, Effect, Flow, Node, Outcome, Plan, Unit, register
from autorke.workflow.proposal import Asking, Change, Proposal

flow = Flow(
    "add_workers",
    1,
    Text(zh="添加 worker 节点", en="Add workers"),
    request=AddWorkersIn,
    params=AddWorkers,
)


@flow.accept
def accept(session: Session, asked: AddWorkersIn, requester: str, ticket_id: str) -> Accepted[AddWorkers]:
    """Inside the submit transaction: reserve the machines, all or none, and freeze what they are."""
    cluster = proposing.cluster_of(session, asked)
    ids = [machine.machine_id for machine in asked.machines]
    who = person(session, UUID(requester))
    rows = machines.reserve(session, ids=ids, ticket_id=UUID(ticket_id), visible=proposing.seen_machines(who))
    nodes = proposing.nodes_of(rows, asked)
    refuse_taken(session, [joining.rke_node(node) for node in nodes], visible=proposing.seen_clusters(who))
    return proposing.accepted(cluster, asked, nodes)


@flow.propose
def propose(session: Session, asked: AddWorkersIn, actor: Actor) -> Proposal:
    """The same without a reservation, for a wizard: each machine that a submit would refuse with its reason."""
    return proposing.propose(session, asked, actor)


@flow.show
def show(session: Session, asked: AddWorkersIn, proposal: Proposal) -> Change:
    return proposing.show(session, asked, proposal)


@flow.examine
def examine(asked: AddWorkersIn, proposal: Proposal, asking: Asking) -> None:
    """What the validate step will check, at once and for one person."""
    examining.examine(asked, proposal, asking)


@flow.release
def release(session: Session, ticket_id: str, _nodes: Sequence[Node], _succeeded: bool) -> None:
    """Machines that did not become nodes are free again; those that did belong to their cluster."""
    machines.release(session, ticket_id=UUID(ticket_id))


# 1 ---------------------------------------------------------------------------------------------------------------
configure = flow.step(
    "configure",
    title=Text(zh="配置", en="Configure"),
    does=Text(
        zh="确定机器、角色（仅 worker）、标签、污点与批次；展示配置差异与校验结果",
        en="Machines, role (worker only), labels, taints and batches; shows the diff of the config and all checks",
    ),
    effect=Effect.READ_ONLY,
    unit=Unit.TICKET,
    timeout=timedelta(minutes=5),
)


@configure.plan
def plan_configure(ctx: Context) -> Plan:
    """The whole change on one page: every later step works on exactly this list."""
    checked = checking.check(ctx, ctx.all_nodes, initialise_follows=True)
    report = checked.report
    body = {
        **joining.config_change(checked.view, ctx.all_nodes),
        "targets": [dict(node.data) for node in ctx.all_nodes],
        "checks": report.as_json(),
    }
    return Plan(body, problems=checking.problems(report, blocking=checking.of_cluster(report)))


@configure.run
def run_configure(ctx: Context) -> Outcome:
    """Nothing is touched: the step's approval fixes the list."""
    ctx.result = {"nodes": [node.name for node in ctx.all_nodes], "cluster": ctx.params.cluster_name}
    return Outcome.ok(f"{len(ctx.all_nodes)} machines for {ctx.params.cluster_name}")


# 2 ---------------------------------------------------------------------------------------------------------------
validate = flow.step(
    "validate",
    title=Text(zh="校验", en="Validate"),
    does=Text(zh="逐台执行全部校验，只读", en="Runs every check on every machine; reads only"),
    effect=Effect.READ_ONLY,
    unit=Unit.BATCH,
    timeout=timedelta(minutes=5),
    together=True,
)


@validate.plan
def plan_validate(ctx: Context) -> Plan:
    return Plan({"machines": [node.name for node in ctx.nodes], "checks": checking.catalogue()})


@validate.run
def run_validate(ctx: Context, nodes: Sequence[Node]) -> Mapping[str, Outcome]:
    return checking.verdicts(nodes, checking.check(ctx, nodes, initialise_follows=True).report)


# 3 ---------------------------------------------------------------------------------------------------------------
initialise = flow.step(
    "initialise",
    title=Text(zh="初始化", en="Initialise"),
    does=Text(
        zh="用 Ansible 设置 Docker、内核参数与 GPU 驱动；带有任何 Kubernetes 组件的机器会被拒绝",
        en="Ansible: Docker, kernel settings, GPU driver; refuses a machine that carries any Kubernetes component",
    ),
    effect=Effect.CONVERGENT,
    unit=Unit.BATCH,
    timeout=timedelta(minutes=40),
)


@initialise.plan
def plan_initialise(ctx: Context) -> Plan:
    return Plan(initialising.shown(ctx), fingerprint=checking.fingerprint(ctx, ctx.nodes, initialise_follows=True))


@initialise.observe
def observe_initialise(ctx: Context) -> dict[str, Any]:
    return checking.fingerprint(ctx, ctx.nodes, initialise_follows=True)


@initialise.run
def run_initialise(ctx: Context, nodes: Sequence[Node]) -> Mapping[str, Outcome]:
    return initialising.run(ctx, nodes)


@initialise.probe
def probe_initialise(ctx: Context, node: Node) -> Outcome:
    return initialising.probe(ctx, node)


# 4 ---------------------------------------------------------------------------------------------------------------
join = flow.step(
    "join",
    title=Text(zh="加入集群", en="Join"),
    does=Text(
        zh="部署 worker 组件，等待 Ready，设置标签与污点，写入新的 cluster.yml 与 rkestate 版本",
        en="Deploys the worker's containers, waits for Ready, sets labels and taints, writes new file revisions",
    ),
    effect=Effect.CONVERGENT,
    unit=Unit.NODE,
    timeout=timedelta(minutes=30),
)


@join.plan
def plan_join(ctx: Context) -> Plan:
    """Container specs from rkeConfig, proven on a running worker; the checks once more, now with everything set up."""
    checked = checking.check(ctx, ctx.nodes, initialise_follows=False)
    body = {**joining.config_change(checked.view, ctx.all_nodes), **joining.shown(ctx, checked.report)}
    return Plan(body, fingerprint=joining.fingerprint(checked), problems=checking.problems(checked.report))


@join.observe
def observe_join(ctx: Context) -> dict[str, Any]:
    return joining.fingerprint(checking.check(ctx, ctx.nodes, initialise_follows=False))


@join.run
def run_join(ctx: Context, node: Node) -> Outcome:
    return joining.run(ctx, node)


@join.probe
def probe_join(ctx: Context, node: Node) -> Outcome:
    return joining.probe(ctx, node)


# 5-7 -------------------------------------------------------------------------------------------------------------
def only_with_flat_network(params: AddWorkers) -> Text | None:
    """Why the network steps are skipped; None on a cluster with a flat network."""
    if params.flat_network:
        return None
    return Text(
        zh=f"集群 {params.cluster_name} 没有扁平网络，无需向网络系统下单",
        en=f"Cluster {params.cluster_name} has no flat network, so nothing is ordered from the network system",
    )


network_order = flow.step(
    "network_order",
    title=Text(zh="网络工单", en="Network order"),
    does=Text(zh="核对后向 VCalico 提交网络工单", en="The reviewed order is submitted to VCalico, once"),
    effect=Effect.KEYED,
    unit=Unit.TICKET,
    timeout=timedelta(minutes=5),
    wait_callback=timedelta(hours=72),
    permission="network:approve",
)
ippool = flow.step(
    "ippool",
    title=Text(zh="网段", en="IP pool"),
    does=Text(
        zh="网络系统回调后，由管理员确认并创建 ippool",
        en="On the callback an admin confirms the pools, then they are made",
    ),
    effect=Effect.DANGEROUS,
    unit=Unit.TICKET,
    timeout=timedelta(minutes=5),
    permission="network:approve",
)
network_labels = flow.step(
    "network_labels",
    title=Text(zh="网络标签", en="Network labels"),
    does=Text(
        zh="为节点设置网络标签，允许调度，最终核验",
        en="Sets the nodes' network labels, lets pods in, verifies the end state",
    ),
    effect=Effect.CONVERGENT,
    unit=Unit.NODE,
    timeout=timedelta(minutes=10),
)
for _step in (network_order, ippool, network_labels):
    _step.skip_when(only_with_flat_network)

register(flow)
