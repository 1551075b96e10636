"""What a machine is: hardware, operating system, kernel, network, Docker. Changing a fact is how a test breaks a
machine.

Defaults describe a healthy machine on which every check passes. Units: memory in MB, disks in KB (as `df -P` prints),
times in seconds.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Fact(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class OsFacts(Fact):
    id: str = "debian"
    version_id: str = "12"
    pretty_name: str = "Debian GNU/Linux 12 (bookworm)"
    id_like: str = ""
    codename: str = "bookworm"


class DockerFacts(Fact):
    """The engine as `docker info` and `docker version` show it. `socket` is what the SSH user meets when opening it."""

    version: str = "20.10.24"
    api: str = "1.41"
    min_api: str = "1.12"
    root_dir: str = "/var/lib/docker"
    driver: str = "overlay2"
    cgroup_driver: str = "cgroupfs"
    cgroup_version: str = "1"
    log_driver: str = "json-file"
    live_restore: bool = False
    os_type: str = "linux"
    security_options: list[str] = ["name=apparmor", "name=seccomp,profile=default"]
    socket: Literal["ok", "denied", "absent"] = "ok"
    installed: bool = True
    running: bool = True
    registry: Literal["ok", "unreachable", "denied"] = "ok"
    pull_seconds: float = 0.05


class DiskFacts(Fact):
    mount: str
    device: str = "/dev/sda1"
    kind: str = "ext4"
    size_kb: int = 480_000_000
    used_kb: int = 60_000_000
    inodes: int = 30_000_000
    inodes_used: int = 500_000


class InterfaceFacts(Fact):
    name: str = "eth0"
    address: str
    prefix: int = 24
    mac: str = "02:00:00:00:00:01"
    mtu: int = 1500
    up: bool = True


class ListenerFacts(Fact):
    """A port in use by something that is not one of our containers."""

    port: int
    protocol: Literal["tcp", "udp"] = "tcp"
    address: str = "0.0.0.0"  # noqa: S104 - a fact that is printed, never bound
    process: str = "someapp"
    pid: int = 4242


class SwapFacts(Fact):
    path: str = "/dev/sda2"
    kind: Literal["partition", "file"] = "partition"
    size_kb: int = 4_194_300
    used_kb: int = 0
    priority: int = -2


class GpuFacts(Fact):
    model: str = "NVIDIA A100-SXM4-80GB"
    pci: str = "0000:3b:00.0"
    driver: str = ""


MODULES = (
    "br_netfilter", "overlay", "ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh", "nf_conntrack", "ip_set", "ip_set_hash_ip",
    "ip_set_hash_net", "xt_set", "xt_comment", "xt_mark", "xt_addrtype", "xt_conntrack", "xt_multiport", "xt_nat",
    "xt_recent", "xt_statistic", "xt_tcpudp", "iptable_filter", "iptable_mangle", "iptable_nat", "iptable_raw",
    "ip_tables", "x_tables", "nf_nat", "nf_defrag_ipv4", "veth", "vxlan", "ipip", "tunnel4", "bridge", "llc", "stp",
    "dummy", "tun",
)  # fmt: skip

SYSCTLS = {
    "net.ipv4.ip_forward": "1",
    "net.bridge.bridge-nf-call-iptables": "1",
    "net.bridge.bridge-nf-call-ip6tables": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.netfilter.nf_conntrack_max": "1048576",
    "fs.inotify.max_user_watches": "1048576",
    "fs.inotify.max_user_instances": "8192",
    "fs.file-max": "2097152",
    "fs.nr_open": "1048576",
    "kernel.pid_max": "4194304",
    "vm.max_map_count": "262144",
    "vm.swappiness": "0",
    "vm.overcommit_memory": "1",
    "kernel.panic": "10",
    "kernel.panic_on_oops": "1",
    "user.max_user_namespaces": "0",
}


class Facts(Fact):
    """All facts of one machine. `missing_modules` are not on disk; `loaded_modules` are in the kernel now."""

    hostname: str
    fqdn: str = ""
    os: OsFacts = Field(default_factory=OsFacts)
    kernel: str = "5.10.0-28-amd64"
    arch: str = "x86_64"
    cpus: int = 32
    cpu_model: str = "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz"
    memory_mb: int = 192_000
    available_mb: int = 180_000
    swap: list[SwapFacts] = []
    disks: list[DiskFacts] = Field(default_factory=lambda: [DiskFacts(mount="/")])
    interfaces: list[InterfaceFacts] = []
    gateway: str = ""
    nameservers: list[str] = ["10.0.0.2", "10.0.0.3"]
    search: list[str] = []
    loaded_modules: list[str] = list(MODULES)
    missing_modules: list[str] = []
    sysctls: dict[str, str] = Field(default_factory=lambda: dict(SYSCTLS))
    selinux: Literal["Disabled", "Permissive", "Enforcing", "absent"] = "absent"
    firewalld: bool = False
    ufw: bool = False
    ntp_synced: bool = True
    timezone: str = "Asia/Shanghai"
    time_skew: float = 0.0
    boot_seconds: float = 864_000.0
    listeners: list[ListenerFacts] = []
    processes: list[str] = []
    gpus: list[GpuFacts] = []
    vendor: str = "Dell Inc."
    model: str = "PowerEdge R740"
    serial: str = ""
    product_uuid: str = ""
    machine_id: str = ""
    groups: list[str] = ["docker", "sudo"]
    sudo: Literal["nopasswd", "password", "denied"] = "nopasswd"
    tcp_forwarding: bool = True
    streamlocal_forwarding: bool = True
    python3: str | None = "3.9.2"
    nofile: int = 1_048_576
    docker: DockerFacts = Field(default_factory=DockerFacts)
    blocked: list[str] = Field(default=[], description="`address:port` or `*:port` that this machine cannot reach")


def merge(facts: Facts, change: dict[str, object]) -> Facts:
    """Facts with a change laid over them, dictionaries merged, lists and values replaced. Raises
    pydantic.ValidationError.
    """
    return Facts.model_validate(_overlay(facts.model_dump(), change))


def _overlay(base: dict[str, object], change: dict[str, object]) -> dict[str, object]:
    out = dict(base)
    for key, value in change.items():
        old = out.get(key)
        out[key] = _overlay(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return out
