"""What changes between two cluster.yml files, for people: nodes by address, every other setting by path.

Settings that are dangerous on a live cluster carry a warning (rke.md §1.5); values that are secrets are masked (§1.6).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autorke.core.errors import Text
from autorke.drivers.rkefiles.cluster_yml import ClusterYml
from autorke.drivers.rkefiles.nodes import RkeNode

MASK = "••••••"


@dataclass(frozen=True)
class Change:
    """One setting. `before`/`after` are None where it is absent; `danger` tells what it would do to a live cluster."""

    path: str
    before: Any
    after: Any
    danger: Text | None = None


@dataclass(frozen=True)
class NodeChange:
    address: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class ClusterDiff:
    added: tuple[RkeNode, ...]
    removed: tuple[RkeNode, ...]
    changed: tuple[NodeChange, ...]
    settings: tuple[Change, ...]

    @property
    def dangerous(self) -> tuple[Change, ...]:
        changes = (*self.settings, *(change for node in self.changed for change in node.changes))
        return tuple(change for change in changes if change.danger is not None)


def diff_clusters(before: ClusterYml, after: ClusterYml) -> ClusterDiff:
    """Nodes are matched by address, as rke does: a changed address is one node removed and one added."""
    old = {node.address: node for node in before.nodes}
    new = {node.address: node for node in after.nodes}
    changed = tuple(
        NodeChange(address, changes)
        for address in old
        if address in new and (changes := tuple(_node_changes(old[address], new[address])))
    )
    return ClusterDiff(
        added=tuple(node for address, node in new.items() if address not in old),
        removed=tuple(node for address, node in old.items() if address not in new),
        changed=changed,
        settings=(*_settings(before, after), *_controlplane(before, after)),
    )


def _node_changes(old: RkeNode, new: RkeNode) -> Iterator[Change]:
    for name in old.__dataclass_fields__:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            if name in ("ssh_key", "ssh_cert"):
                before, after = _shown(before or None, True), _shown(after or None, True)
            yield Change(f"nodes[{old.address}].{name}", before, after, _NODE_DANGERS.get(name))


def _controlplane(before: ClusterYml, after: ClusterYml) -> Iterator[Change]:
    old = [node.internal_address for node in before.nodes if node.is_controlplane]
    new = [node.internal_address for node in after.nodes if node.is_controlplane]
    if old != new:
        yield Change("nodes[].role=controlplane", old, new, _CONTROLPLANE_DANGER)


def _settings(before: ClusterYml, after: ClusterYml) -> Iterator[Change]:
    old = dict(_flatten(before.document))
    new = dict(_flatten(after.document))
    for path in sorted({*old, *new}):
        if old.get(path) == new.get(path):
            continue
        secret = _SECRET.search(path) is not None
        yield Change(path, _shown(old.get(path), secret), _shown(new.get(path), secret), _danger_of(path))


def _shown(value: Any, secret: bool) -> Any:
    return MASK if secret and value is not None else value


def _flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if path or key != "nodes":
                yield from _flatten(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for index, item in enumerate(value):
            yield from _flatten(item, f"{path}[{index}]")
    elif value not in (None, "", [], {}):
        yield path, value


def _danger_of(path: str) -> Text | None:
    return next((text for pattern, text in _DANGERS if pattern.match(path)), None)


_SECRET = re.compile(
    r"(^|[.\]])(ssh_key|ssh_cert|password|access_key|secret_key|apic_user_key|token|custom_config|config_file|addons"
    r"|aadClientSecret|aadClientCertPassword|customCloudProvider|cloud_config|aws_secret_access_key|aws_session_token"
    r"|kafka_client_key|key)(\.|\[|$)"
)

_REDEPLOY = Text(zh="所有工作节点的容器会被滚动重建", en="The containers of every worker are recreated, rolling")
_CIDR = Text(
    zh="运行中的集群不支持修改网段；已有 Pod 保留旧地址", en="Not supported on a live cluster; pods keep old addresses"
)
_CONTROLPLANE_DANGER = Text(
    zh="控制面节点或其顺序变化：所有工作节点的 nginx-proxy 会被重建",
    en="Controlplane nodes or their order change: nginx-proxy is recreated on every worker",
)

_DANGERS = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"services\.kube-controller\.(cluster_cidr|service_cluster_ip_range)$", _CIDR),
        (r"services\.kube-api\.service_cluster_ip_range$", _CIDR),
        (r"services\.kubelet\.(cluster_dns_server|cluster_domain)$", _CIDR),
        (
            r"authentication\.sans",
            Text(
                zh="会重签 kube-apiserver 证书并重启组件",
                en="Reissues the kube-apiserver certificate and restarts components",
            ),
        ),
        (r"network\.plugin$", Text(zh="旧网络插件的资源不会被清理", en="The old plugin's resources stay behind")),
        (r"private_registries", Text(zh="所有 kubelet 会被重建", en="Every kubelet is recreated")),
        (r"services\.(kubelet|kubeproxy)\.", _REDEPLOY),
        (r"system_images\.(kubernetes|nginx_proxy|kubernetes_services_sidecar)$", _REDEPLOY),
        (r"cloud_provider", _REDEPLOY),
        (r"kubernetes_version$", Text(zh="升级或降级整个集群", en="Upgrades or downgrades the whole cluster")),
        (r"prefix_path$", Text(zh="所有路径改变，旧数据留在原处", en="Every path moves; old data stays where it is")),
        (
            r"services\.kube-api\.secrets_encryption_config",
            Text(zh="会改写全部 Secret", en="Rewrites every Secret"),
        ),
        (
            r"services\.etcd\.(uid|gid)$",
            Text(zh="会修改 etcd 数据与证书的属主", en="Changes the owner of etcd data and certificates"),
        ),
        (r"addons", Text(zh="每次 rke up 都会重新应用 addons", en="Add-ons are applied again on every rke up")),
        (
            r"(rotate_certificates|rotate_encryption_key|restore)",
            Text(zh="会把这次 rke up 变成轮换或恢复", en="Turns the next rke up into a rotation or a restore"),
        ),
    )
)

_NODE_DANGERS = {
    "hostname": Text(
        zh="会注册新的 Node，旧 Node 残留为 NotReady", en="A new Node registers; the old one stays behind NotReady"
    ),
    "internal_address": Text(
        zh="影响 etcd 证书、node-ip 与所有 nginx-proxy", en="Changes etcd certificates, node-ip and every nginx-proxy"
    ),
    "roles": Text(zh="增减角色会部署或拆除组件", en="Adds or tears down components on this node"),
}
