"""The running cluster: its API, its control hosts, its nodes (rke.md §9 #23-#25, #27, #28, #34)."""

from __future__ import annotations

from collections.abc import Sequence

from autorke.checks.cluster_facts import ClusterFacts
from autorke.checks.context import ClusterContext, NewWorker
from autorke.checks.results import Finding, fault, fine, some
from autorke.core.errors import Text


def check_controlplane(_facts: ClusterFacts, _workers: Sequence[NewWorker], context: ClusterContext) -> Finding | None:
    """A worker cannot join a cluster whose API does not answer; each worker would only time out."""
    if context.live is not None:
        return fine(f"API 可用，{len(context.live)} 个节点", f"the API answers, {len(context.live)} nodes")
    reason = context.live_error or Text(zh="没有读取", en="it was not read")
    return fault(
        Text(zh=f"Kubernetes API 不可用：{reason.zh}", en=f"the Kubernetes API does not answer: {reason.en}"),
        Text(
            zh=f"先恢复 {context.name} 的控制面：在控制面节点上看 `docker ps -a --filter name=kube-apiserver`、"
            "`docker logs --tail 50 kube-apiserver`",
            en=f"Bring back the controlplane of {context.name} first: on its nodes look at `docker ps -a --filter"
            " name=kube-apiserver` and `docker logs --tail 50 kube-apiserver`",
        ),
    )


def check_control_hosts(facts: ClusterFacts, _workers: Sequence[NewWorker], context: ClusterContext) -> Finding | None:
    """A dead etcd or controlplane host makes the next rke run recreate members elsewhere (rke.md §9 #28)."""
    if not facts.control_hosts:
        return None
    lost = [it for it in facts.control_hosts if it.error is not None]
    if not lost:
        count = len(facts.control_hosts)
        return fine(f"{count} 个控制面/etcd 主机可达", f"{count} controlplane and etcd hosts answer")
    zh = "；".join(str((it.error or {}).get("cause", {}).get("zh", it.name)) for it in lost)
    en = "; ".join(str((it.error or {}).get("cause", {}).get("en", it.name)) for it in lost)
    names = ", ".join(f"{it.name} ({it.address})" for it in lost)
    return fault(
        Text(
            zh=f"{len(lost)}/{len(facts.control_hosts)} 个控制面/etcd 主机不可达：{names}。{zh}",
            en=f"{len(lost)} of {len(facts.control_hosts)} controlplane or etcd hosts do not answer: {names}. {en}",
        ),
        Text(
            zh=f"先恢复这些主机：`ssh {lost[0].address}`；集群 {context.name} 此时不应做任何变更",
            en=f"Bring them back first: `ssh {lost[0].address}`; nothing should be changed in {context.name}"
            " until then",
        ),
    )


def check_control_nodes(_facts: ClusterFacts, _workers: Sequence[NewWorker], context: ClusterContext) -> Finding | None:
    """A sick controlplane or etcd node comes first: joining adds load to a cluster that is losing quorum."""
    if context.live is None:
        return None
    control = [node for node in context.live if {"controlplane", "etcd"} & set(node.roles)]
    sick = [node for node in control if not node.ready]
    if not sick:
        return fine(f"{len(control)} 个控制面/etcd 节点 Ready", f"{len(control)} controlplane and etcd nodes are Ready")
    listed = ", ".join(f"{node.name} ({', '.join(node.roles)})" for node in sick)
    return fault(
        Text(zh=f"控制面/etcd 节点 NotReady：{listed}", en=f"controlplane or etcd nodes are NotReady: {listed}"),
        Text(
            zh=f"先修复：`kubectl describe node {sick[0].name}`",
            en=f"Mend them first: `kubectl describe node {sick[0].name}`",
        ),
    )


def check_nodes_ready(_facts: ClusterFacts, workers: Sequence[NewWorker], context: ClusterContext) -> Finding | None:
    """A sick worker does not block others here, unlike in stock rke; it is shown."""
    if context.live is None:
        return None
    asked = {worker.address for worker in workers if worker.resumed}
    plain = [node for node in context.live if not {"controlplane", "etcd"} & set(node.roles)]
    sick = [node.name for node in plain if not node.ready and node.address not in asked]
    if not sick:
        return fine("所有 worker 节点 Ready", "all worker nodes are Ready")
    listed = some(sick)
    return fault(
        Text(
            zh=f"{len(sick)} 个 worker 节点 NotReady：{listed}", en=f"{len(sick)} worker nodes are NotReady: {listed}"
        ),
        Text(
            zh=f"不影响本工单；用 `kubectl describe node {sick[0]}` 查明原因",
            en=f"This ticket is not held up; see why with `kubectl describe node {sick[0]}`",
        ),
    )


def check_undeployed(facts: ClusterFacts, workers: Sequence[NewWorker], context: ClusterContext) -> Finding | None:
    """In cluster.yml and state, but no Node: a run failed half-way, and `--update-only` skips it (rke.md §9 #24)."""
    if facts.state is None or facts.config is None or context.live is None:
        return None
    names = {name.lower() for node in context.live for name in (node.name, node.hostname)}
    listed = {node.address for node in facts.config.nodes}
    resumed = {worker.address for worker in workers if worker.resumed}
    missing = [
        f"{node.hostname} ({node.address})"
        for node in facts.state.nodes
        if node.hostname not in names and node.address in listed and node.address not in resumed
    ]
    if not missing:
        return fine("状态中的节点都已注册", "every node of the state is registered")
    return fault(
        Text(
            zh=f"cluster.rkestate 中的节点 {some(missing)} 在集群里没有 Node 对象：从未部署成功，或被手工删除",
            en=f"cluster.rkestate holds {some(missing)}, for which the cluster has no Node: never deployed, or"
            " deleted by"
            " hand",
        ),
        Text(
            zh="先用“移除节点”工单去掉它，或重试当初添加它的工单",
            en="Take it out with a remove-workers ticket first, or retry the ticket that was to add it",
        ),
    )


def check_unmanaged(facts: ClusterFacts, workers: Sequence[NewWorker], context: ClusterContext) -> Finding | None:
    """A Node that no file knows was joined by hand: the next state would be built on a wrong one (rke.md §9 #25)."""
    if facts.state is None or context.live is None:
        return None
    files = (*facts.state.nodes, *(facts.config.nodes if facts.config is not None else ()))
    known = {node.hostname for node in files} | {worker.node_name.lower() for worker in workers if worker.resumed}
    asked = {worker.address for worker in workers}
    strangers = [
        f"{node.name} ({node.address})"
        for node in context.live
        if not {node.hostname.lower(), node.name.lower()} & known and node.address not in asked
    ]
    if not strangers:
        return fine("没有来历不明的节点", "no node of unknown origin")
    return fault(
        Text(
            zh=f"集群里有 cluster.yml 和 cluster.rkestate 都没有的节点：{some(strangers)}",
            en=f"the cluster has nodes that neither cluster.yml nor cluster.rkestate knows: {some(strangers)}",
        ),
        Text(
            zh=f"查明是谁加入的，然后重新导入集群：`autorke cluster import {context.name}`",
            en=f"Find out who joined them, then import the cluster again: `autorke cluster import {context.name}`",
        ),
    )


def check_other_runs(_facts: ClusterFacts, _workers: Sequence[NewWorker], context: ClusterContext) -> Finding | None:
    """Two changes of one cluster at a time lose one of the two states (rke.md §9 #34)."""
    if not context.other_runs:
        return fine("没有其他变更在进行", "no other change is under way")
    listed = some(list(context.other_runs))
    return fault(
        Text(
            zh=f"{context.name} 上有其他变更在进行：{listed}",
            en=f"another change of {context.name} is under way: {listed}",
        ),
        Text(zh="等它结束后重新校验", en="Wait until it has ended, then check again"),
    )
