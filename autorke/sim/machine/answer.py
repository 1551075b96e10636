"""A machine's answer to the facts script of the product (protocol 1): one fact a line, columns separated by TAB.

The script itself is not run: it is recognised, and answered from the machine's state with the lines it would print
there. Contract tests run the real script beside this one and compare.
"""

from __future__ import annotations

import binascii
import hashlib
import re
import struct
from base64 import b64decode
from collections.abc import Iterator
from ipaddress import IPv4Address, ip_interface
from typing import TYPE_CHECKING

from autorke.sim.docker.engine import published
from autorke.sim.docker.programs import PORTS, service
from autorke.sim.machine import procfs

if TYPE_CHECKING:
    from autorke.sim.machine.facts import DiskFacts
    from autorke.sim.machine.host import Host

MARK = b"fact facts 1"
MODULES = [
    "br_netfilter",
    "overlay",
    "nf_conntrack",
    "ip_tables",
    "ip_set",
    "xt_set",
    "ip_vs",
    "ip_vs_rr",
    "vxlan",
    "ipip",
]
SYSCTLS = [
    "net.ipv4.ip_forward",
    "net.bridge.bridge-nf-call-iptables",
    "net.bridge.bridge-nf-call-ip6tables",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.default.rp_filter",
    "net.netfilter.nf_conntrack_max",
    "fs.file-max",
    "fs.inotify.max_user_instances",
    "fs.inotify.max_user_watches",
    "net.ipv4.ip_local_port_range",
    "kernel.pid_max",
]
LEFTOVERS = [
    "/etc/kubernetes",
    "/etc/cni",
    "/opt/cni",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/lib/etcd",
    "/var/lib/calico",
    "/run/calico",
    "/run/flannel",
    "/var/lib/rancher",
    "/var/lib/cri-dockerd",
    "/opt/rke",
]
COMPONENTS = [
    "kubelet",
    "kube-proxy",
    "kube-apiserver",
    "kube-controller",
    "kube-controller-manager",
    "kube-scheduler",
    "etcd",
    "hyperkube",
    "k3s",
    "k3s-server",
    "k3s-agent",
    "rke2",
    "k0s",
    "kubelite",
    "cri-dockerd",
    "calico-node",
    "flanneld",
]
DISTRIBUTIONS = [
    "k3s:/var/lib/rancher/k3s",
    "k3s:/etc/rancher/k3s",
    "rke2:/var/lib/rancher/rke2",
    "rke2:/etc/rancher/rke2",
    "k0s:/var/lib/k0s",
    "microk8s:/var/snap/microk8s",
    "kubeadm:/etc/kubernetes/admin.conf",
    "kubeadm:/etc/kubernetes/kubelet.conf",
    "kubeadm:/var/lib/kubelet/kubeadm-flags.env",
]

Row = tuple[object, ...]


def facts(
    host: Host, user: str, docker_root: str = "/var/lib/docker", socket: str = "/var/run/docker.sock", prefix: str = "/"
) -> str:
    """The whole answer, first line `facts 1`, last line `end`."""
    prefix = prefix.rstrip("/")
    clock = int(procfs.now(host.facts) * 1e9)
    rows: list[Row] = [("facts", 1), ("time", clock)]
    rows += _identity(host, user)
    rows += _kernel(host)
    rows += _network(host)
    rows += _disks(host, docker_root, prefix)
    rows += _docker(host, socket)
    rows += _leftovers(host, user, prefix)
    rows += _gpus(host)
    rows += [("time-end", int(procfs.now(host.facts) * 1e9)), ("end",)]
    return "".join("\t".join(_clean(value) for value in row) + "\n" for row in rows)


def _clean(value: object) -> str:
    return re.sub(r"[\x00-\x1f]", " ", str(value))


def _identity(host: Host, user: str) -> Iterator[Row]:
    known = host.facts
    root = user == "root"
    yield "user", user, 0 if root else 1000, "root" if root else ",".join([user, *known.groups])
    yield "root", "direct" if root else "sudo" if known.sudo == "nopasswd" else "no"
    yield "hostname", known.hostname
    yield "fqdn", known.fqdn or known.hostname
    yield "os", known.os.id, known.os.version_id, known.os.pretty_name
    yield "kernel", known.kernel, known.arch
    yield "machine-id", known.machine_id
    yield "uptime", int(known.boot_seconds)
    yield "cpus", known.cpus
    yield "memory", known.memory_mb * 1024, known.available_mb * 1024
    yield "nofile", 1024, known.nofile
    daemon = bool({"chronyd", "ntpd", "systemd-timesyn"} & set(known.processes))
    yield "ntp", "synchronized" if known.ntp_synced else "running" if daemon else "absent"


def _kernel(host: Host) -> Iterator[Row]:
    known = host.facts
    for swap in known.swap:
        yield "swap", swap.path, swap.size_kb
    yield "cgroup", known.docker.cgroup_version
    for module in MODULES:
        yield (
            "module",
            module,
            "loaded"
            if module in known.loaded_modules
            else "absent"
            if module in known.missing_modules
            else "available",
        )
    for name in SYSCTLS:
        if name in known.sysctls:
            yield "sysctl", name, known.sysctls[name]
    yield "selinux", "disabled" if known.selinux == "absent" else known.selinux.lower()


def _network(host: Host) -> Iterator[Row]:
    known = host.facts
    yield "address", "lo", "127.0.0.1/8"
    for nic in known.interfaces:
        yield "address", nic.name, f"{nic.address}/{nic.prefix}"
    if known.gateway and known.interfaces:
        yield "route", f"default via {known.gateway} dev {known.interfaces[0].name} proto static "
    for nic in known.interfaces:
        network = ip_interface(f"{nic.address}/{nic.prefix}").network
        yield "route", f"{network} dev {nic.name} proto kernel scope link src {nic.address} "
    for nic in known.interfaces:
        yield "link", nic.name, nic.mtu, nic.mac, "up" if nic.up else "down"
    yield "link", "lo", 65536, "00:00:00:00:00:00", "unknown"
    yield from _listeners(host)
    if known.search:
        yield "resolv", f"search {' '.join(known.search)}"
    for server in known.nameservers:
        yield "resolv", f"nameserver {server}"
    if known.firewalld:
        yield "firewall", "firewalld"
    if known.ufw:
        yield "firewall", "ufw"


def _listeners(host: Host) -> Iterator[Row]:
    yield "listen", "tcp", _socket("0.0.0.0", 22)  # noqa: S104 - printed, not bound
    for running in host.engine.all():
        if running.state == "running":
            own = (
                PORTS.get(service(running), ())
                if running.host_config.get("NetworkMode") == "host"
                else published(running)
            )
            for port in sorted(own):
                yield "listen", "tcp", _socket("0.0.0.0", port)  # noqa: S104
    for entry in host.facts.listeners:
        yield "listen", entry.protocol, _socket(entry.address, entry.port)


def _socket(address: str, port: int) -> str:
    """As /proc/net/tcp prints it: the address as a little-endian word."""
    (word,) = struct.unpack("<I", IPv4Address(address).packed)
    return f"{word:08X}:{port:04X}"


def _disks(host: Host, docker_root: str, prefix: str) -> Iterator[Row]:
    for path in ("/", docker_root, f"{prefix}/var/lib/kubelet", "/opt/rke"):
        disk: DiskFacts | None = host.disk_of(path)
        if disk is not None:
            yield (
                "disk",
                path,
                disk.size_kb,
                disk.size_kb - disk.used_kb,
                disk.inodes,
                disk.inodes - disk.inodes_used,
                disk.mount,
            )


def _docker(host: Host, socket: str) -> Iterator[Row]:
    docker = host.facts.docker
    if not docker.installed:
        return
    yield "docker", "binary", "/usr/bin/dockerd"
    if docker.running and docker.socket != "absent":
        yield "docker", "socket", socket
        if docker.socket == "denied":
            yield "docker", "denied", socket


def _leftovers(host: Host, user: str, prefix: str) -> Iterator[Row]:
    rooted = user == "root" or host.facts.sudo == "nopasswd"
    if rooted and host.facts.product_uuid:
        yield "product-uuid", host.facts.product_uuid
    for folder in LEFTOVERS:
        for place in _places(folder, prefix):
            if host.files.is_dir(place):
                yield from _leftover(host, place, rooted=rooted)
    for place in _places("/etc/kubernetes/ssl/kube-ca.pem", prefix):
        pem = host.files.read(place)
        if pem is not None:
            yield "ca", place, _fingerprint(pem) if rooted else "unreadable"
    yield "mounts", f"{prefix}/var/lib/kubelet", 0
    yield from _processes(host)
    for item in DISTRIBUTIONS:
        name, path = item.split(":")
        if host.files.exists(path):
            yield "distribution", name, path


def _places(path: str, prefix: str) -> list[str]:
    return [path, prefix + path] if prefix else [path]


def _leftover(host: Host, place: str, *, rooted: bool) -> Iterator[Row]:
    first = next(iter(host.files.files_below(place)), None)
    if not rooted and host.files.secret(place):
        yield "leftover", place, "unreadable"
    elif first is not None:
        yield "leftover", place, "content", first


def _fingerprint(pem: bytes) -> str:
    """SHA-256 of the first certificate's DER; of nothing when the text is no certificate, as `base64 -d | sha256sum`
    has it.
    """
    found = re.search(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", pem, re.DOTALL)
    try:
        der = b64decode(b"".join(found[1].split())) if found else b""
    except binascii.Error:
        der = b""
    return hashlib.sha256(der).hexdigest()


def _processes(host: Host) -> Iterator[Row]:
    names = [service(found)[:15] for found in host.engine.all() if found.state == "running"] + host.facts.processes
    for name in COMPONENTS:
        if (count := names.count(name)) > 0:
            yield "process", name, count


def _gpus(host: Host) -> Iterator[Row]:
    if host.facts.gpus:
        yield "gpu", "nvidia", len(host.facts.gpus), host.facts.gpus[0].driver
