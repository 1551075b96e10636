"""What checks are told: the machines that shall become workers, and the cluster they shall join.

All of it is values. The flow fills them from its frozen node list, the database and the cluster's files; nothing here
is looked up while rules run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from autorke.core.errors import Text
from autorke.drivers.base import SshTarget
from autorke.drivers.rkefiles.files import Files
from autorke.drivers.rkefiles.nodes import Taint

__all__ = [
    "ClusterContext",
    "ClusterSettings",
    "ControlHost",
    "Endpoint",
    "KnownNode",
    "Limits",
    "LiveNode",
    "NewWorker",
    "Port",
    "Taint",
    "live_node",
]


@dataclass(frozen=True)
class NewWorker:
    """One machine of the ticket. `internal_address` and `hostname` default as rke defaults them (rke.md §1.2).

    `resumed` is true when an earlier attempt of the same ticket already began to join this machine: what that attempt
    made (our CA, our containers, our entry in the state) is then no fault.
    """

    node: str
    target: SshTarget
    address: str
    internal_address: str = ""
    hostname: str = ""
    roles: tuple[str, ...] = ("worker",)
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    resumed: bool = False

    @property
    def internal(self) -> str:
        return self.internal_address or self.address

    @property
    def node_name(self) -> str:
        """The Kubernetes node name that rke gives it, before rke lower-cases it."""
        return self.hostname or self.address


@dataclass(frozen=True)
class KnownNode:
    """A node of any managed cluster, as our database has it."""

    cluster: str
    name: str
    address: str
    internal_address: str = ""
    hostname: str = ""
    machine_id: str = ""
    product_uuid: str = ""
    roles: tuple[str, ...] = ("worker",)

    @property
    def internal(self) -> str:
        return self.internal_address or self.address

    @property
    def node_name(self) -> str:
        return (self.hostname or self.address).lower()


@dataclass(frozen=True)
class LiveNode:
    """A Node object of the running cluster."""

    name: str
    hostname: str
    address: str
    internal_address: str
    roles: tuple[str, ...] = ("worker",)
    ready: bool = True
    machine_id: str = ""
    product_uuid: str = ""
    architecture: str = "amd64"


@dataclass(frozen=True)
class Port:
    """A port that a component of the cluster opens on every worker; `blocking` when the node cannot work without."""

    number: int
    protocol: str
    component: str
    blocking: bool = True


@dataclass(frozen=True)
class Endpoint:
    host: str
    port: int


@dataclass(frozen=True)
class ControlHost:
    """A controlplane or etcd host of the cluster; only connected to, never changed."""

    target: SshTarget
    roles: tuple[str, ...]


@dataclass(frozen=True)
class Limits:
    """Thresholds of the checks. Sizes in KiB, times in ms or days."""

    clock_skew_ms: int = 2000
    docker_root_free_kib: int = 10 * 1024 * 1024
    kubelet_free_kib: int = 2 * 1024 * 1024
    root_free_kib: int = 1024 * 1024
    backup_free_kib: int = 100 * 1024
    disk_free_percent_error: int = 10
    disk_free_percent_warning: int = 15
    inodes_free_percent: int = 5
    memory_kib: int = 2 * 1024 * 1024 * 9 // 10
    cpus: int = 2
    nofile: int = 4096
    file_max: int = 100_000
    inotify_instances: int = 128
    inotify_watches: int = 8192
    conntrack_max: int = 65_536
    pid_max: int = 32_768
    certificate_days: int = 90
    state_bytes: int = 1024 * 1024


@dataclass(frozen=True)
class ClusterSettings:
    """What the cluster's rkeConfig means for a new worker. Made by `settings_of(rke_config)`."""

    kubernetes_version: str
    plugin: str = "canal"
    pod_cidrs: tuple[str, ...] = ("10.42.0.0/16",)
    service_cidrs: tuple[str, ...] = ("10.43.0.0/16",)
    cluster_dns: str = "10.43.0.10"
    mtu: int = 0
    prefix_path: str = "/"
    fail_swap_on: bool = False
    proxy_mode: str = "iptables"
    images: tuple[str, ...] = ()
    node_port_range: tuple[int, int] = (30000, 32767)
    ports: tuple[Port, ...] = ()

    @property
    def minor(self) -> tuple[int, int]:
        """(1, 20) of v1.20.15-rancher2-2; (0, 0) when unknown."""
        found = re.match(r"v?([0-9]{1,3})\.([0-9]{1,3})", self.kubernetes_version)
        return (int(found[1]), int(found[2])) if found else (0, 0)


@dataclass(frozen=True)
class ClusterContext:
    """The cluster as the platform knows it at `now`. Both texts hold secrets, so they are left out of repr().

    `cluster_yml` and `rkestate` are the texts of the current revisions. `members` are this cluster's nodes in our
    database, `others` those of all other clusters. `live` is None when the Kubernetes API could not be read, and
    `live_error` says why. CA fingerprints are the SHA-256 of the DER form in lower-case hex: `expected_ca` as recorded
    at import, `server_ca` as seen in the TLS handshake. `state_copy_sha256` is of the text of the in-cluster object
    `full-cluster-state`, `recorded_copy_sha256` of the copy that we wrote or imported last,
    `earlier_copy_sha256` of a copy on which only tickets of ours have built since; None = not known.
    `controlplane` is where a worker's nginx-proxy connects to; `control_hosts` are all controlplane and etcd hosts.
    `other_runs` names changes of this cluster that are under way. `initialise_follows` is true for the check before the
    initialise step: what that step sets up (Docker, kernel settings) is then a warning.
    """

    id: str
    name: str
    cluster_yml: str = field(repr=False)
    rkestate: str = field(repr=False)
    settings: ClusterSettings
    now: datetime
    expected_ca: str = ""
    server_ca: str | None = None
    members: tuple[KnownNode, ...] = ()
    others: tuple[KnownNode, ...] = ()
    live: tuple[LiveNode, ...] | None = None
    live_error: Text | None = None
    state_copy_sha256: str | None = None
    recorded_copy_sha256: str | None = None
    earlier_copy_sha256: str | None = None
    supported_docker: tuple[str, ...] = ()
    docker_root: str = ""
    controlplane: tuple[Endpoint, ...] = ()
    control_hosts: tuple[ControlHost, ...] = ()
    other_runs: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    initialise_follows: bool = False
    files: Files = field(default_factory=Files, repr=False, compare=False)
    """Reads both texts."""


def live_node(body: Mapping[str, Any]) -> LiveNode:
    """A LiveNode of a Node object as the Kubernetes API returns it. rke finds nodes by label (rke.md §4.8)."""
    metadata, status = body.get("metadata", {}), body.get("status", {})
    labels = metadata.get("labels") or {}
    annotations = metadata.get("annotations") or {}
    info = status.get("nodeInfo") or {}
    internal = next((it["address"] for it in status.get("addresses") or () if it.get("type") == "InternalIP"), "")
    ready = any(it.get("type") == "Ready" and it.get("status") == "True" for it in status.get("conditions") or ())
    roles = ("worker", "etcd", "controlplane")
    return LiveNode(
        name=metadata.get("name", ""),
        hostname=labels.get("kubernetes.io/hostname", metadata.get("name", "")),
        address=annotations.get("rke.cattle.io/external-ip", internal),
        internal_address=annotations.get("rke.cattle.io/internal-ip", internal),
        roles=tuple(role for role in roles if labels.get(f"node-role.kubernetes.io/{role}") == "true"),
        ready=ready,
        machine_id=info.get("machineID", ""),
        product_uuid=str(info.get("systemUUID", "")).lower(),
        architecture=info.get("architecture", ""),
    )
