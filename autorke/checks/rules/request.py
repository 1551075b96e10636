"""What the ticket itself says of a new worker. These need no connection: they hold for machines that are down, too."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from autorke.checks.context import ClusterContext, KnownNode, NewWorker
from autorke.checks.results import Finding, fault, fine
from autorke.core import labels
from autorke.core.errors import Text
from autorke.core.labels import EFFECTS, is_dns_subdomain

NODE_NAME_MOST = 63
"""The name is also the value of the label kubernetes.io/hostname."""


def is_address(text: str) -> bool:
    """An IP address that one machine can have."""
    if not is_ip(text):
        return False
    address = ipaddress.ip_address(text)
    return not (address.is_unspecified or address.is_multicast)


def is_ip(text: str) -> bool:
    """A plain IP address, without a zone."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def is_host_name(text: str) -> bool:
    """A DNS name, and not a mistyped IP address such as 10.0.0.300."""
    return is_dns_subdomain(text) and not text.replace(".", "").isdigit()


def check_role(worker: NewWorker, context: ClusterContext) -> Finding:
    """A worker ticket adds workers: any other role is how a worker once joined as controlplane (design §1)."""
    if worker.roles == ("worker",):
        return fine("角色：worker", "role: worker")
    roles = ", ".join(worker.roles) or "-"
    return fault(
        Text(
            zh=f"要求的角色是 {roles}，本流程只能添加 worker", en=f"asks for role {roles}; this flow adds workers only"
        ),
        Text(
            zh=f"把角色改为 worker；要给集群 {context.name} 增加 controlplane 或 etcd，请另开相应工单",
            en="Set the role to worker; open the ticket kind made for it to add a controlplane or etcd to"
            f" {context.name}",
        ),
    )


def check_address_syntax(worker: NewWorker, _context: ClusterContext) -> Finding:
    """`internal_address` becomes kubelet --node-ip, which must be an IP; `address` may be a host name."""
    wrong = []
    if not is_address(worker.address) and not is_host_name(worker.address):
        wrong.append(f"address {worker.address!r}")
    if worker.internal_address and not is_address(worker.internal_address):
        wrong.append(f"internal_address {worker.internal_address!r}")
    if not wrong:
        return fine(
            f"地址 {worker.address}，内网 {worker.internal}", f"address {worker.address}, internal {worker.internal}"
        )
    listed = ", ".join(wrong)
    return fault(
        Text(zh=f"不是可用的地址：{listed}", en=f"not a usable address: {listed}"),
        Text(
            zh="填写这台机器自己的 IPv4/IPv6 地址（address 也可以是小写主机名）",
            en="Give the machine's own IPv4 or IPv6 address (address may also be a lower-case host name)",
        ),
    )


def check_hostname_syntax(worker: NewWorker, _context: ClusterContext) -> Finding:
    """rke refuses names that are no DNS-1123 subdomain, and lower-cases the rest; we refuse both (rke.md §9 #12)."""
    name = worker.node_name
    if is_dns_subdomain(name, most=NODE_NAME_MOST) or (not worker.hostname and is_address(name)):
        return fine(f"节点名 {name}", f"node name {name}")
    return fault(
        Text(
            zh=f"节点名 {name!r}（{len(name)} 个字符）不符合 DNS-1123",
            en=f"node name {name!r} ({len(name)} characters) is not a DNS-1123 name",
        ),
        Text(
            zh=f"改用小写字母、数字、“-”、“.”，首尾为字母或数字，最长 {NODE_NAME_MOST} 个字符，例如 node-01",
            en="Use lower-case letters, digits, '-' and '.', begin and end with a letter or digit, at most"
            f" {NODE_NAME_MOST}"
            " characters, such as node-01",
        ),
    )


def check_labels(worker: NewWorker, _context: ClusterContext) -> Finding:
    """rke does not check label syntax: a bad label fails at the very end, on the Node object (rke.md §1.4)."""
    wrong = [
        f"{key!r}={value!r}"
        for key, value in sorted(worker.labels.items())
        if labels.key_problem(key) or labels.value_problem(key, value)
    ]
    if not wrong:
        return fine(f"{len(worker.labels)} 个标签", f"{len(worker.labels)} labels")
    listed = ", ".join(wrong)
    return fault(
        Text(zh=f"标签不合法：{listed}", en=f"not valid labels: {listed}"),
        Text(
            zh="键为 [DNS 前缀/]名称，名称和值最长 63 个字符，只用字母、数字、“-”、“_”、“.”，首尾为字母或数字",
            en="A key is [DNS prefix/]name; names and values have at most 63 letters, digits, '-', '_', '.', and"
            " begin and"
            " end with a letter or digit",
        ),
    )


def check_role_labels(worker: NewWorker, _context: ClusterContext) -> Finding:
    """A role given by a label would make the node a controlplane or etcd node in everything but name."""
    reserved = [
        *(key for key in worker.labels if labels.reserved_label(key)),
        *(taint.key for taint in worker.taints if labels.reserved_taint(taint.key)),
    ]
    if not reserved:
        return fine("没有保留的标签或污点", "no reserved label or taint")
    listed = ", ".join(sorted(set(reserved)))
    return fault(
        Text(zh=f"保留的标签或污点不能由工单指定：{listed}", en=f"reserved labels or taints cannot be given: {listed}"),
        Text(
            zh="删除它们；rke、kubelet 与控制器自行设置",
            en="Remove them; rke, kubelet and the controllers set them by themselves",
        ),
    )


def check_taints(worker: NewWorker, _context: ClusterContext) -> Finding:
    """rke drops duplicate and reserved taints with a warning, and does not check their syntax (rke.md §12)."""
    wrong = [
        f"{taint.key!r}={taint.value!r}:{taint.effect}"
        for taint in worker.taints
        if labels.key_problem(taint.key)
        or labels.value_problem(taint.key, taint.value)
        or labels.effect_problem(taint.effect)
    ]
    seen = [(taint.key, taint.effect) for taint in worker.taints]
    wrong += [
        f"{key!r}:{effect} ×{seen.count((key, effect))}"
        for key, effect in sorted(set(seen))
        if seen.count((key, effect)) > 1
    ]
    if not wrong:
        return fine(f"{len(worker.taints)} 个污点", f"{len(worker.taints)} taints")
    listed = ", ".join(wrong)
    return fault(
        Text(zh=f"污点不合法或重复：{listed}", en=f"not valid, or given twice, taints: {listed}"),
        Text(
            zh=f"键和值按标签的写法，效果为 {'、'.join(EFFECTS)} 之一，同一键和效果只写一次",
            en=f"Key and value as for labels, effect one of {', '.join(EFFECTS)}, each key and effect once",
        ),
    )


def check_other_cluster(worker: NewWorker, context: ClusterContext) -> Finding:
    """A machine that our database has in another cluster is never added to this one (design §1, rke.md §9 #7)."""
    wanted = {worker.address, worker.internal}
    taken = [node for node in context.others if wanted & {node.address, node.internal}]
    if not taken:
        return fine("不属于其他集群", "in no other cluster")
    listed = _listed(taken)
    return fault(
        Text(
            zh=f"{worker.address} 已是其他集群的节点：{listed}",
            en=f"{worker.address} already is a node of another cluster: {listed}",
        ),
        Text(
            zh=f"不要加入 {context.name}。若机器确已退役，先在集群 {taken[0].cluster} 开“移除节点”工单并清理机器",
            en=f"Do not add it to {context.name}. If it was taken out of service, first run a remove-workers ticket"
            " on cluster"
            f" {taken[0].cluster} and clean the machine",
        ),
    )


def check_this_cluster(worker: NewWorker, context: ClusterContext) -> Finding:
    """A machine that serves this cluster already must not be initialised because a stale list names it (design §1)."""
    if worker.resumed:
        return fine("本工单此前已开始加入它", "an earlier attempt of this ticket began to join it")
    found = [f"{node.node_name} ({node.address})" for node in context.members if node.address == worker.address]
    found += [f"Node {node.name} ({node.address})" for node in context.live or () if node.address == worker.address]
    if not found:
        return fine(f"尚不是 {context.name} 的节点", f"not yet a node of {context.name}")
    listed = ", ".join(found)
    return fault(
        Text(
            zh=f"{worker.address} 已是集群 {context.name} 的节点：{listed}",
            en=f"{worker.address} already is a node of cluster {context.name}: {listed}",
        ),
        Text(
            zh="从工单中删除这台机器（它正在服务）；要改它的标签或配置，请用“更新节点”工单",
            en="Take it out of the ticket (it is serving); to change its labels or settings open an update-workers"
            " ticket",
        ),
    )


def check_duplicate_address(worker: NewWorker, context: ClusterContext) -> Finding:
    """rke does not see a duplicate internal_address (rke.md §1.4)."""
    wanted = {worker.address, worker.internal}
    taken = [
        f"{node.node_name} ({node.address}, {node.internal})"
        for node in context.members
        if node.address != worker.address and wanted & {node.address, node.internal}
    ]
    taken += [
        f"Node {node.name} ({node.address}, {node.internal_address})"
        for node in context.live or ()
        if node.address != worker.address and wanted & {node.address, node.internal_address}
    ]
    if not taken:
        return fine("地址没有被占用", "addresses are free")
    listed = ", ".join(taken)
    return fault(
        Text(
            zh=f"地址 {'、'.join(sorted(wanted))} 已被 {context.name} 的节点使用：{listed}",
            en=f"{', '.join(sorted(wanted))} is already used in {context.name} by {listed}",
        ),
        Text(
            zh="核对 address 与 internal_address（在机器上执行 `ip -brief address`），填写它自己的地址",
            en="Compare address and internal_address with `ip -brief address` on the machine and give its own",
        ),
    )


def check_duplicate_hostname(worker: NewWorker, context: ClusterContext) -> Finding:
    """Two nodes of one name overwrite each other's Node object; across clusters they cannot be told apart in logs."""
    name = worker.node_name.lower()
    taken = [
        f"{node.cluster}/{node.node_name} ({node.address})"
        for node in (*context.members, *context.others)
        if node.node_name == name and node.address != worker.address
    ]
    live = [] if worker.resumed else list(context.live or ())
    taken += [
        f"Node {node.name} ({node.address})"
        for node in live
        if name in (node.name.lower(), node.hostname.lower()) and node.address != worker.address
    ]
    if not taken:
        return fine(f"节点名 {name} 没有被占用", f"node name {name} is free")
    listed = ", ".join(taken)
    return fault(
        Text(zh=f"节点名 {name} 已被使用：{listed}", en=f"node name {name} is already used by {listed}"),
        Text(zh="为这台机器另取一个 hostname", en="Give this machine another hostname"),
    )


def _listed(nodes: Sequence[KnownNode]) -> str:
    return ", ".join(f"{node.cluster}/{node.node_name} ({node.address}, {', '.join(node.roles)})" for node in nodes)
