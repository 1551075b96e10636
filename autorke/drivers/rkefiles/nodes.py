"""One node of an rke cluster as a value, and its two written forms: cluster.yml (snake_case) and state (camelCase)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from autorke.core import labels
from autorke.core.errors import Text
from autorke.drivers.rkefiles.errors import DuplicateNode, InvalidNode, NotAWorker

ROLES = ("controlplane", "worker", "etcd")
_ACCESS = ("ssh_key", "ssh_key_path", "ssh_cert", "ssh_cert_path")
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_DNS_1123 = re.compile(rf"{_LABEL}(\.{_LABEL})*\Z")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@\\-]{0,63}\Z")
_ABSOLUTE_PATH = re.compile(r"/[A-Za-z0-9._/+-]{1,254}\Z")


@dataclass(frozen=True, order=True)
class Taint:
    key: str
    value: str
    effect: str


@dataclass(frozen=True)
class RkeNode:
    """A node with rke's defaults filled in (rke.md §1.2): hostname in lower case, internal address never empty."""

    address: str
    roles: tuple[str, ...]
    user: str
    hostname: str
    internal_address: str
    port: str = "22"
    docker_socket: str = ""
    ssh_key_path: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    ssh_key: str = field(default="", repr=False)
    ssh_cert: str = field(default="", repr=False)
    ssh_cert_path: str = ""
    node_name: str = ""

    @property
    def is_controlplane(self) -> bool:
        return "controlplane" in self.roles

    @property
    def is_worker(self) -> bool:
        return "worker" in self.roles

    @property
    def is_etcd(self) -> bool:
        return "etcd" in self.roles


def node_from_state(entry: Mapping[str, Any]) -> RkeNode:
    """A node entry of `rkeConfig.nodes`."""
    address = str(entry.get("address", ""))
    return RkeNode(
        address=address,
        roles=tuple(entry.get("role") or ()),
        user=str(entry.get("user", "")),
        hostname=str(entry.get("hostnameOverride") or address).lower(),
        internal_address=str(entry.get("internalAddress") or address),
        port=str(entry.get("port") or "22"),
        docker_socket=str(entry.get("dockerSocket") or ""),
        ssh_key_path=str(entry.get("sshKeyPath") or ""),
        labels=dict(entry.get("labels") or {}),
        taints=_taints(entry.get("taints")),
        ssh_key=str(entry.get("sshKey") or ""),
        ssh_cert=str(entry.get("sshCert") or ""),
        ssh_cert_path=str(entry.get("sshCertPath") or ""),
        node_name=str(entry.get("nodeName") or ""),
    )


def node_from_yaml(entry: Mapping[str, Any], *, default_key_path: str = "") -> RkeNode:
    """A node entry of cluster.yml, checked by the schema before."""
    address = _text(entry.get("address"))
    return RkeNode(
        address=address,
        roles=tuple(_text(role) for role in entry.get("role") or ()),
        user=_text(entry.get("user")),
        hostname=(_text(entry.get("hostname_override")) or address).lower(),
        internal_address=_text(entry.get("internal_address")) or address,
        port=_text(entry.get("port")) or "22",
        docker_socket=_text(entry.get("docker_socket")),
        ssh_key_path=_text(entry.get("ssh_key_path")) or default_key_path,
        labels={_text(key): _text(value) for key, value in (entry.get("labels") or {}).items()},
        taints=_taints(entry.get("taints")),
        ssh_key=_text(entry.get("ssh_key")),
        ssh_cert=_text(entry.get("ssh_cert")),
        ssh_cert_path=_text(entry.get("ssh_cert_path")),
        node_name=_text(entry.get("nodeName")),
    )


def with_usual_access(node: RkeNode, others: Iterable[RkeNode], *, default_key_path: str = "") -> RkeNode:
    """The node with the SSH settings that all others have in common, unless it brings its own.

    rke knows one global key path; where every node names its own instead, a node without one could not be reached by
    the next `rke up`, which would then drop it from the state (rke.md §5.3).
    """
    own = replace(node, ssh_key_path="" if node.ssh_key_path == default_key_path else node.ssh_key_path)
    if any(getattr(own, name) for name in _ACCESS):
        return node
    found = {name: {getattr(other, name) for other in others} for name in _ACCESS}
    common = {name: values.pop() for name, values in found.items() if len(values) == 1}
    return replace(node, **{name: value for name, value in common.items() if value})


def _taints(entries: Iterable[Mapping[str, Any]] | None) -> tuple[Taint, ...]:
    return tuple(
        Taint(key=_text(entry.get("key")), value=_text(entry.get("value")), effect=_text(entry.get("effect")))
        for entry in entries or ()
    )


def _text(value: object) -> str:
    """A scalar as rke's YAML reader hands it to a string field."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def yaml_entry(node: RkeNode, *, default_key_path: str = "") -> dict[str, Any]:
    """The cluster.yml form, with the keys that say more than rke's defaults."""
    entry: dict[str, Any] = {"nodeName": node.node_name} if node.node_name else {}
    entry["address"] = node.address
    if node.port != "22":
        entry["port"] = node.port
    if node.internal_address != node.address:
        entry["internal_address"] = node.internal_address
    entry["user"] = node.user
    entry["role"] = list(node.roles)
    if node.hostname != node.address.lower():
        entry["hostname_override"] = node.hostname
    if node.docker_socket:
        entry["docker_socket"] = node.docker_socket
    if node.ssh_key:
        entry["ssh_key"] = node.ssh_key
    if node.ssh_key_path and node.ssh_key_path != default_key_path:
        entry["ssh_key_path"] = node.ssh_key_path
    entry.update({name: value for name in ("ssh_cert", "ssh_cert_path") if (value := getattr(node, name))})
    if node.labels:
        entry["labels"] = dict(node.labels)
    if node.taints:
        entry["taints"] = [{"key": t.key, "value": t.value, "effect": t.effect} for t in node.taints]
    return entry


def state_entry(node: RkeNode, config: Mapping[str, Any]) -> dict[str, Any]:
    """The state form in the key order of rke's own struct, with the defaults that rke takes from the whole rkeConfig.

    Whether the SSH agent is used is a setting of the cluster only; rke overwrites a node's own.
    """
    entry: dict[str, Any] = {
        "nodeName": node.node_name,
        "address": node.address,
        "port": node.port,
        "internalAddress": node.internal_address,
        "role": list(node.roles),
        "hostnameOverride": node.hostname,
        "user": node.user,
        "dockerSocket": node.docker_socket,
        "sshAgentAuth": bool(config.get("sshAgentAuth")),
        "sshKey": node.ssh_key,
        "sshKeyPath": node.ssh_key_path or str(config.get("sshKeyPath") or ""),
        "sshCert": node.ssh_cert,
        "sshCertPath": node.ssh_cert_path,
        "labels": {key: node.labels[key] for key in sorted(node.labels)},
        "taints": [_taint_entry(taint) for taint in node.taints],
    }
    return {key: value for key, value in entry.items() if value}


def _taint_entry(taint: Taint) -> dict[str, str]:
    entry = {"key": taint.key, "value": taint.value, "effect": taint.effect}
    return {key: value for key, value in entry.items() if value}


def check_node(node: RkeNode) -> None:
    """Refuse what rke would refuse late or never (rke.md §1.4): raises InvalidNode naming the field."""
    _check_host(node, "address", node.address)
    if node.internal_address != node.address:
        _check_host(node, "internal_address", node.internal_address)
    if not _DNS_1123.match(node.hostname) or len(node.hostname) > 63:
        raise _invalid(
            node, "hostname_override", "须符合 DNS-1123 且不超过 63 个字符", "must be DNS-1123, at most 63 characters"
        )
    if not _USER.match(node.user):
        raise _invalid(node, "user", "不是合法的用户名", "not a user name")
    if not (node.port.isascii() and node.port.isdigit() and 0 < int(node.port) < 65536):
        raise _invalid(node, "port", "不是 1 到 65535 的数", "not a number from 1 to 65535")
    if node.docker_socket and not _ABSOLUTE_PATH.match(node.docker_socket):
        raise _invalid(node, "docker_socket", "不是绝对路径", "not an absolute path")
    if not node.roles or set(node.roles) - set(ROLES):
        raise _invalid(node, "role", "须为 controlplane、worker、etcd", "must be controlplane, worker or etcd")
    _check_labels(node)


def _check_host(node: RkeNode, what: str, value: str) -> None:
    if not _is_host(value):
        raise _invalid(node, what, "既不是 IP 也不是小写主机名", "neither an IP address nor a lower-case host name")


def _check_labels(node: RkeNode) -> None:
    for key, value in node.labels.items():
        _refuse(node, f"labels.{key[:80]}", labels.key_problem(key) or labels.value_problem(key, value))
    for taint in node.taints:
        where = f"taints.{taint.key[:80]}"
        _refuse(node, where, labels.key_problem(taint.key) or labels.value_problem(taint.key, taint.value))
        _refuse(node, f"{where}.effect", labels.effect_problem(taint.effect))


def _check_given(node: RkeNode) -> None:
    """What an old cluster.yml may hold and a new worker may not: marks that others set, and taints given twice."""
    for key in node.labels:
        _refuse(node, f"labels.{key[:80]}", labels.reserved_label(key))
    for taint in node.taints:
        _refuse(node, f"taints.{taint.key[:80]}", labels.reserved_taint(taint.key))
    _refuse(node, "taints", labels.repeated_taint((taint.key, taint.effect) for taint in node.taints))


def _refuse(node: RkeNode, what: str, problem: Text | None) -> None:
    if problem is not None:
        raise _invalid(node, what, problem.zh, problem.en)


def _invalid(node: RkeNode, what: str, zh: str, en: str) -> InvalidNode:
    return InvalidNode(field=f"nodes.{what}", node=repr(node.address[:80]), what=what, reason_zh=zh, reason_en=en)


def _is_host(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return bool(_DNS_1123.match(value)) and len(value) <= 253 and not value.replace(".", "").isdigit()
    return "%" not in value


def check_new_workers(existing: Iterable[RkeNode], new: Iterable[RkeNode]) -> None:
    """Only workers, and no address, internal address or hostname used twice. Raises NotAWorker or DuplicateNode."""
    taken = list(existing)
    for node in new:
        check_node(node)
        _check_given(node)
        if node.roles != ("worker",):
            raise NotAWorker(field="nodes.role", node=node.address, roles=", ".join(node.roles))
        for other in taken:
            _check_distinct(node, other)
        taken.append(node)


def _check_distinct(node: RkeNode, other: RkeNode) -> None:
    if node.hostname == other.hostname:
        raise _duplicate(node, other, "hostname_override", node.hostname)
    used = {other.address, other.internal_address}
    if node.address in used:
        raise _duplicate(node, other, "address", node.address)
    if node.internal_address in used:
        raise _duplicate(node, other, "internal_address", node.internal_address)


def _duplicate(node: RkeNode, other: RkeNode, what: str, value: str) -> DuplicateNode:
    return DuplicateNode(field=f"nodes.{what}", node=node.address, other=other.address, what=what, value=value)
