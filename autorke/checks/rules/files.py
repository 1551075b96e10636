"""cluster.yml, rkestate and the state's copy in the cluster (rke.md §9 #5, #22-#26, #32, #34, #36).

A worker that joins on a wrong state joins the wrong cluster, or is wiped by the next `rke up`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from autorke.checks.cluster_facts import ClusterFacts
from autorke.checks.context import ClusterContext, NewWorker
from autorke.checks.results import Finding, Level, fault, fine, some
from autorke.core.errors import AutoRkeError, Text
from autorke.drivers.rkefiles.errors import ChangePending
from autorke.drivers.rkefiles.merge import compact_text
from autorke.drivers.rkefiles.rkestate import check_settled

NODE_BYTES = 600
"""What one worker adds to both halves of the state."""


def check_config_file(facts: ClusterFacts, _workers: Sequence[NewWorker], _context: ClusterContext) -> Finding | None:
    """rke ignores unknown and mistyped keys in silence; we refuse them (rke.md §9 #32)."""
    if facts.config_error is not None:
        return _of_error(facts.config_error)
    count = len(facts.config.nodes) if facts.config is not None else 0
    return fine(f"cluster.yml 有效，{count} 个节点", f"cluster.yml is valid, {count} nodes")


def check_state_file(facts: ClusterFacts, _workers: Sequence[NewWorker], _context: ClusterContext) -> Finding | None:
    """rke takes a corrupt state for an empty one and makes a new CA (rke.md §0.12)."""
    if facts.state_error is not None:
        return _of_error(facts.state_error)
    return fine("cluster.rkestate 完整", "cluster.rkestate is whole")


def check_roles_present(facts: ClusterFacts, _workers: Sequence[NewWorker], _context: ClusterContext) -> Finding | None:
    """rke accepts a cluster without controlplane or etcd (rke.md §1.4); ours would be half a cluster.yml."""
    if facts.config is None:
        return None
    roles = {role for node in facts.config.nodes for role in node.roles}
    missing = [role for role in ("controlplane", "etcd") if role not in roles]
    if not missing:
        return fine("有 controlplane 和 etcd 节点", "has controlplane and etcd nodes")
    listed = ", ".join(missing)
    return fault(
        Text(zh=f"cluster.yml 中没有 {listed} 节点", en=f"cluster.yml has no {listed} node"),
        Text(zh="取得完整的 cluster.yml 后重新导入集群", en="Get the whole cluster.yml and import the cluster again"),
    )


def check_version_pinned(facts: ClusterFacts, _workers: Sequence[NewWorker], context: ClusterContext) -> Finding | None:
    """Without a pinned version a newer rke binary upgrades the cluster in passing: a warning. A version that the
    cluster does not run yet is an error (rke.md §9 #26)."""
    if facts.config is None:
        return None
    pinned, running = facts.config.kubernetes_version, context.settings.kubernetes_version
    if pinned and pinned == running:
        return fine(f"Kubernetes {pinned}", f"Kubernetes {pinned}")
    seen = (
        Text(
            zh=f"cluster.yml 写的是 {pinned}，集群运行的是 {running}：升级没有完成",
            en=f"cluster.yml says {pinned}, the cluster runs {running}: an upgrade was not finished",
        )
        if pinned
        else Text(zh="cluster.yml 没有 kubernetes_version", en="cluster.yml has no kubernetes_version")
    )
    return fault(
        seen,
        Text(
            zh=f"在 cluster.yml 中写明 `kubernetes_version: {running}`，或先完成升级工单",
            en=f"Write `kubernetes_version: {running}` into cluster.yml, or finish the upgrade ticket first",
        ),
        level=None if pinned else Level.WARNING,
    )


def check_state_ca(facts: ClusterFacts, _workers: Sequence[NewWorker], context: ClusterContext) -> Finding | None:
    """The state carries no cluster id: its CA is what tells whose it is (rke.md §2.5, §9 #23)."""
    if facts.state is None or not context.expected_ca:
        return None
    seen, expected = facts.state.ca_fingerprint, context.expected_ca.lower()
    if seen == expected:
        return fine(f"CA {seen[:16]}…", f"CA {seen[:16]}…")
    return fault(
        Text(
            zh=f"cluster.rkestate 的 CA 是 {seen[:16]}…，集群 {context.name} 登记的是 {expected[:16]}…：它属于别的集群",
            en=f"the CA of cluster.rkestate is {seen[:16]}…, {context.name} is registered with {expected[:16]}…:"
            " it is another cluster's",
        ),
        Text(
            zh=f"从 {context.name} 取得状态：`kubectl -n kube-system get secret,configmap"
            " full-cluster-state`，重新导入",
            en=f"Get the state of {context.name} (`kubectl -n kube-system get secret,configmap full-cluster-state`)"
            " and import it again",
        ),
    )


def check_server_ca(facts: ClusterFacts, _workers: Sequence[NewWorker], context: ClusterContext) -> Finding | None:
    """The API server that our kubeconfig leads to must be of the cluster that the state describes."""
    if facts.state is None or context.server_ca is None:
        return None
    mine, theirs = facts.state.ca_fingerprint, context.server_ca.lower()
    if mine == theirs:
        return fine(f"API 服务器的 CA {theirs[:16]}…", f"the API server's CA {theirs[:16]}…")
    return fault(
        Text(
            zh=f"API 服务器的 CA 是 {theirs[:16]}…，cluster.rkestate 的是 {mine[:16]}…：kubeconfig"
            " 与状态不是同一个集群",
            en=f"the API server's CA is {theirs[:16]}…, that of cluster.rkestate {mine[:16]}…: kubeconfig and state"
            " are not"
            " of one cluster",
        ),
        Text(
            zh=f"核对 {context.name} 的 kubeconfig 与 cluster.rkestate 后重新导入；若轮换过 CA，取集群内最新的状态",
            en=f"Compare kubeconfig and cluster.rkestate of {context.name} and import again; after a CA rotation"
            " take the"
            " state from inside the cluster",
        ),
    )


def check_state_copy(facts: ClusterFacts, _workers: Sequence[NewWorker], context: ClusterContext) -> Finding | None:
    """Somebody who runs rke by hand changes full-cluster-state: then our revision is stale (rke.md §9 #34)."""
    if facts.state is None or context.recorded_copy_sha256 is None:
        return None
    if context.state_copy_sha256 == context.recorded_copy_sha256:
        return fine("集群内的状态副本没有变化", "the copy in the cluster is unchanged")
    if context.state_copy_sha256 is not None and context.state_copy_sha256 == context.earlier_copy_sha256:
        return fine(
            "集群内的状态副本是较早的版本：本平台的写入曾被中断，下一次加入会补上",
            "the copy in the cluster is an earlier one of ours: writing it was cut off, the next join makes up for it",
        )
    seen = (context.state_copy_sha256 or "-")[:16]
    return fault(
        Text(
            zh=f"集群内的 full-cluster-state（{seen}）与平台记录的（{context.recorded_copy_sha256[:16]}）不同："
            "有人在别处运行过 rke",
            en=f"full-cluster-state in the cluster ({seen}) is not the one on record"
            f" ({context.recorded_copy_sha256[:16]}):"
            " somebody ran rke elsewhere",
        ),
        Text(
            zh=f"查明是谁做的变更，然后重新导入：`autorke cluster import {context.name}`",
            en=f"Find out who changed what, then import it again: `autorke cluster import {context.name}`",
        ),
    )


def check_phantom_nodes(facts: ClusterFacts, workers: Sequence[NewWorker], _context: ClusterContext) -> Finding | None:
    """In the state but not in cluster.yml: the next `rke up` wipes the machine at that address (rke.md §0.1)."""
    if facts.config is None or facts.state is None:
        return None
    listed = {node.address for node in facts.config.nodes} | _resumed(workers)
    phantoms = [f"{node.hostname} ({node.address})" for node in facts.state.nodes if node.address not in listed]
    if not phantoms:
        return fine("状态中没有多余的节点", "no node too many in the state")
    return fault(
        Text(
            zh=f"cluster.rkestate 中的节点 {some(phantoms)} 不在 cluster.yml 里，下一次 rke up 会清空它们",
            en=f"cluster.rkestate holds {some(phantoms)}, which cluster.yml does not: the next rke up would wipe them",
        ),
        Text(
            zh="查明机器现在归谁用；若属于本集群，补回 cluster.yml，否则用“移除节点”工单把它从状态中去掉",
            en="Find out who uses the machine now; put it back into cluster.yml if it is this cluster's, else take"
            " it out"
            " of the state with a remove-workers ticket",
        ),
    )


def check_state_lacks(facts: ClusterFacts, workers: Sequence[NewWorker], _context: ClusterContext) -> Finding | None:
    """A node that is in cluster.yml only was never deployed, or its run failed: rke would deploy it with ours."""
    if facts.config is None or facts.state is None:
        return None
    deployed = {node.address for node in facts.state.nodes} | _resumed(workers)
    missing = [f"{node.hostname} ({node.address})" for node in facts.config.nodes if node.address not in deployed]
    if not missing:
        return fine("cluster.yml 的节点都在状态中", "every node of cluster.yml is in the state")
    return fault(
        Text(
            zh=f"cluster.yml 中的节点 {some(missing)} 不在 cluster.rkestate 里：那次变更没有完成",
            en=f"cluster.yml holds {some(missing)}, which cluster.rkestate does not: that change was not finished",
        ),
        Text(
            zh="先完成或撤销那次变更（重试原工单，或从 cluster.yml 中删除该节点）",
            en="Finish that change or undo it (retry its ticket, or take the node out of cluster.yml)",
        ),
    )


def check_same_nodes(facts: ClusterFacts, _workers: Sequence[NewWorker], _context: ClusterContext) -> Finding | None:
    """A node whose name, internal address or role was edited in cluster.yml is replaced by the next rke up."""
    if facts.config is None or facts.state is None:
        return None
    deployed = {node.address: node for node in facts.state.nodes}
    different = []
    for node in facts.config.nodes:
        old = deployed.get(node.address)
        if old is None:
            continue
        for what in ("hostname", "internal_address"):
            if getattr(node, what) != getattr(old, what):
                different.append(f"{node.address} {what} {getattr(old, what)} → {getattr(node, what)}")
        if set(node.roles) != set(old.roles):
            different.append(f"{node.address} role {'+'.join(old.roles)} → {'+'.join(node.roles)}")
    if not different:
        return fine("cluster.yml 与状态的节点一致", "nodes of cluster.yml and state agree")
    return fault(
        Text(
            zh=f"已部署的节点在 cluster.yml 中被改动：{some(different)}",
            en=f"deployed nodes were edited in cluster.yml: {some(different)}",
        ),
        Text(
            zh="在 cluster.yml 中改回原值，或为该改动另开工单", en="Change them back, or open a ticket for that change"
        ),
    )


def check_state_settled(facts: ClusterFacts, workers: Sequence[NewWorker], _context: ClusterContext) -> Finding | None:
    """A run that failed half-way leaves a desiredState that nobody reached; the next `rke up` would reach for it."""
    if facts.state is None or _resumed(workers):
        return None
    try:
        check_settled(facts.state)
    except ChangePending as error:
        return _of_error(error)
    return fine("上一次 rke 运行已完成", "the last rke run was finished")


def check_certificates(facts: ClusterFacts, _workers: Sequence[NewWorker], context: ClusterContext) -> Finding | None:
    """The new worker gets the CA, kube-node and kube-proxy certificates as they are (rke.md §9 #36)."""
    if not facts.certificates:
        return None
    soon = [
        (certificate, (certificate.not_after - context.now).days)
        for certificate in sorted(facts.certificates, key=lambda it: it.not_after)
        if (certificate.not_after - context.now).days < context.limits.certificate_days
    ]
    first = min(certificate.not_after for certificate in facts.certificates)
    if not soon:
        return fine(f"证书最早 {first:%Y-%m-%d} 到期", f"the first certificate ends on {first:%Y-%m-%d}")
    expired = any(days < 0 for _, days in soon)
    listed = some([f"{certificate.name} {certificate.not_after:%Y-%m-%d}" for certificate, _ in soon])
    return fault(
        Text(
            zh=f"证书{'已过期' if expired else f'将在 {context.limits.certificate_days} 天内过期'}：{listed}",
            en="certificates"
            f" {'have expired' if expired else f'end within {context.limits.certificate_days} days'}: {listed}",
        ),
        Text(
            zh=f"为 {context.name} 开“轮换证书”工单；它会重启所有节点的组件",
            en=f"Open a rotate-certificates ticket for {context.name}; it restarts components on every node",
        ),
        level=Level.ERROR if expired else None,
    )


def check_state_size(facts: ClusterFacts, workers: Sequence[NewWorker], context: ClusterContext) -> Finding | None:
    """The copy in the cluster is one Kubernetes object of at most 1 MiB (rke.md §2.4)."""
    if facts.state is None:
        return None
    size, limit = len(compact_text(facts.state).encode()) + NODE_BYTES * len(workers), context.limits.state_bytes
    if size <= limit * 9 // 10:
        return fine(f"状态约 {size // 1024} KiB", f"the state has about {size // 1024} KiB")
    return fault(
        Text(
            zh=f"加入后状态约 {size // 1024} KiB，集群内副本的上限是 {limit // 1024} KiB",
            en=f"the state will have about {size // 1024} KiB, its copy in the cluster may have {limit // 1024} KiB",
        ),
        Text(
            zh="关闭 generate_serving_certificate 或拆分集群",
            en="Turn off generate_serving_certificate, or split the cluster",
        ),
        level=Level.ERROR if size > limit else None,
    )


def check_ranges(_facts: ClusterFacts, _workers: Sequence[NewWorker], context: ClusterContext) -> Finding | None:
    """rke checks none of this: overlapping ranges route some pods into nowhere (rke.md §9 #30)."""
    settings = context.settings
    faults = []
    try:
        pods = [ipaddress.ip_network(it, strict=False) for it in settings.pod_cidrs]
        services = [ipaddress.ip_network(it, strict=False) for it in settings.service_cidrs]
        dns = [ipaddress.ip_address(it.strip()) for it in settings.cluster_dns.split(",")]
    except ValueError as error:
        faults.append(str(error))
    else:
        faults += [f"pod {pod} ∩ service {it}" for pod in pods for it in services if pod.overlaps(it)]
        faults += [
            f"cluster_dns_server {it} ∉ service {settings.service_cidrs[0]}" for it in dns if not _inside(it, services)
        ]
    if not faults:
        seen = f"pod {', '.join(settings.pod_cidrs)}; service {', '.join(settings.service_cidrs)}"
        return fine(seen, seen)
    return fault(
        Text(zh=f"集群网段有误：{some(faults)}", en=f"the cluster's ranges are wrong: {some(faults)}"),
        Text(
            zh="核对 cluster_cidr、service_cluster_ip_range 与 cluster_dns_server；已运行的集群不要直接修改，"
            "请先找管理员",
            en="Compare cluster_cidr, service_cluster_ip_range and cluster_dns_server; do not change them on a running"
            " cluster, ask an admin",
        ),
    )


def _inside(address: ipaddress.IPv4Address | ipaddress.IPv6Address, ranges: Iterable[object]) -> bool:
    """nodelocal DNS answers on a link-local address, which is right."""
    return address.is_link_local or any(
        isinstance(it, ipaddress.IPv4Network | ipaddress.IPv6Network) and address in it for it in ranges
    )


def _resumed(workers: Iterable[NewWorker]) -> set[str]:
    return {worker.address for worker in workers if worker.resumed}


def _of_error(error: AutoRkeError) -> Finding:
    return fault(error.message, error.hint)
