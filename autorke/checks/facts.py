"""What is known of one machine: values read once, over SSH and the Docker API, and never changed.

Rules read these and nothing else, so a rule is tested without a machine, and a plan can store what it was based on.
Whole numbers only (KiB, ms): facts become part of hashed plans, and floats have no canonical form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Swap:
    device: str
    kib: int


@dataclass(frozen=True)
class InterfaceAddress:
    """One address of one interface; `prefix` in bits."""

    interface: str
    address: str
    prefix: int


@dataclass(frozen=True)
class Link:
    name: str
    mtu: int
    mac: str
    state: str


@dataclass(frozen=True)
class Listener:
    """A socket that listens (tcp) or is bound (udp); `address` in its usual written form."""

    protocol: str
    address: str
    port: int


@dataclass(frozen=True)
class Disk:
    """The file system that holds `path`. Inodes are None where the file system does not count them (btrfs)."""

    path: str
    mountpoint: str
    total_kib: int
    free_kib: int
    inodes: int | None
    inodes_free: int | None


@dataclass(frozen=True)
class Leftover:
    """A directory of an earlier cluster that holds files (`entry` is the first one) or could not be looked into."""

    path: str
    readable: bool
    entry: str = ""


@dataclass(frozen=True)
class CaFile:
    """A kube-ca.pem on the machine: SHA-256 of its DER form, empty when it could not be read."""

    path: str
    sha256: str


@dataclass(frozen=True)
class MachineFacts:
    """The answer of `facts_script.sh`."""

    user: str
    groups: tuple[str, ...]
    root: str
    hostname: str
    fqdn: str
    os_id: str
    os_version: str
    os_name: str
    kernel: str
    architecture: str
    machine_id: str
    product_uuid: str
    uptime_s: int
    cpus: int
    memory_kib: int
    memory_available_kib: int
    ntp: str
    cgroup: int
    selinux: str
    nofile_hard: int
    started_ns: int
    ended_ns: int
    docker_binary: str = ""
    docker_socket: str = ""
    docker_socket_denied: bool = False
    swap: tuple[Swap, ...] = ()
    modules: Mapping[str, str] = field(default_factory=dict)
    sysctls: Mapping[str, str] = field(default_factory=dict)
    addresses: tuple[InterfaceAddress, ...] = ()
    links: tuple[Link, ...] = ()
    routes: tuple[str, ...] = ()
    listeners: tuple[Listener, ...] = ()
    disks: tuple[Disk, ...] = ()
    resolv: tuple[str, ...] = ()
    resolved: bool = False
    selinux_modules: tuple[str, ...] = ()
    firewalls: tuple[str, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    kubelet_mounts: int = 0
    ca_files: tuple[CaFile, ...] = ()
    processes: Mapping[str, int] = field(default_factory=dict)
    distributions: Mapping[str, str] = field(default_factory=dict)
    gpus: int = 0
    gpu_driver: str = ""


@dataclass(frozen=True)
class Container:
    """One container of `docker ps --all`; `state` as Docker says it (running, exited, created …)."""

    name: str
    image: str
    state: str


@dataclass(frozen=True)
class DockerFacts:
    """What the Docker Engine says of itself, and which of the images that joining needs are there already."""

    version: str
    api_version: str
    min_api_version: str
    root_dir: str
    os_type: str
    operating_system: str
    storage_driver: str
    logging_driver: str
    cgroup_driver: str
    cgroup_version: str
    security_options: tuple[str, ...]
    live_restore: bool
    proxied: bool
    mirrors: tuple[str, ...]
    containers: tuple[Container, ...]
    images: Mapping[str, bool]


@dataclass(frozen=True)
class Reach:
    """One connection attempt: was `host:port` answered, and if not, what was said. A refusal by the far end itself
    (`refused`) proves that packets pass, which a silent drop does not."""

    host: str
    port: int
    open: bool
    refused: bool = False
    prohibited: bool = False
    reason: str = ""


@dataclass(frozen=True)
class ClockOffset:
    """How far the machine's clock is ahead of ours: the true value lies between the two bounds (ms)."""

    at_least_ms: int
    at_most_ms: int


@dataclass(frozen=True)
class NodeFacts:
    """Everything read from one machine. Where something could not be asked, the error (`AutoRkeError.as_json`) stands
    in its place: `unreachable` for the machine, `machine_error` for the script, `docker_error` for the engine.
    `reach` is what the machine reaches, `reached_from` which control hosts reach its kubelet port. `socket_forwarded`
    tells whether sshd itself forwards the Docker socket, as rke needs it; None when it was not tried."""

    node: str
    machine: MachineFacts | None = None
    docker: DockerFacts | None = None
    clock: ClockOffset | None = None
    reach: tuple[Reach, ...] = ()
    reached_from: tuple[Reach, ...] = ()
    socket_forwarded: bool | None = None
    unreachable: Mapping[str, Any] | None = None
    machine_error: Mapping[str, Any] | None = None
    docker_error: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class ControlHostFacts:
    """Whether a controlplane or etcd host of the cluster can be reached over SSH, or the error."""

    name: str
    address: str
    error: Mapping[str, Any] | None = None
