"""Every fault that the tests inject, one change each to the healthy scene, with the one message it must give.

`words` must all be in the English text (what was seen or the remedy): values, names and the next command, not phrases.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from autorke.checks.context import KnownNode, LiveNode, Taint
from autorke.checks.facts import (
    CaFile,
    ClockOffset,
    Container,
    ControlHostFacts,
    Disk,
    InterfaceAddress,
    Leftover,
    Link,
    Listener,
    Reach,
    Swap,
)
from autorke.checks.results import Level
from autorke.core.errors import AutoRkeError, Text
from autorke.drivers.base import (
    AuthenticationRefused,
    DockerError,
    ForwardingRefused,
    HostKeyMismatch,
    HostKeyMissing,
    RemoteTimeout,
    Unreachable,
)
from autorke.drivers.docker.errors import DockerAbsent, DockerSocketDenied
from tests.checks.healthy import CLUSTER_YML, FIXTURES, GIB, MINE, OTHER_CA, RKESTATE, Break, Scene, node_facts, worker

ERROR, WARNING, UNKNOWN = Level.ERROR, Level.WARNING, Level.UNKNOWN


@dataclass(frozen=True)
class Fault:
    """`node` is whose message it is; "" is the cluster."""

    name: str
    check: str
    level: Level
    words: tuple[str, ...]
    breaks: Break
    node: str = "w3"


def _unreachable(error: AutoRkeError) -> Break:
    return lambda scene: scene.with_facts(
        machine=None, docker=None, clock=None, reach=(), reached_from=(), socket_forwarded=None,
        unreachable=error.as_json(),
    )  # fmt: skip


def _no_docker(error: AutoRkeError, **machine: object) -> Break:
    return lambda scene: scene.with_machine(**machine).with_facts(docker=None, docker_error=error.as_json())


def _container(name: str, state: str = "running") -> Break:
    found = Container(name, "rancher/hyperkube:v1.20.15-rancher2", state)
    return lambda scene: scene.with_docker(containers=(found,))


def _sysctl(key: str, value: str) -> Break:
    def broken(scene: Scene) -> Scene:
        known = scene.facts["w3"].machine
        assert known is not None
        return scene.with_machine(sysctls={**known.sysctls, key: value})

    return broken


def _module(name: str, state: str) -> Break:
    def broken(scene: Scene) -> Scene:
        known = scene.facts["w3"].machine
        assert known is not None
        return scene.with_machine(modules={**known.modules, name: state})

    return broken


def _disk(path: str, **changes: int) -> Break:
    healthy = Disk(path, "/data", 400 * GIB, 300 * GIB, 20_000_000, 19_000_000)
    return lambda scene: scene.with_machine(disks=(dataclasses.replace(healthy, **changes),))


def _listening(protocol: str, port: int, address: str = "0.0.0.0") -> Break:
    return lambda scene: scene.with_machine(listeners=(Listener(protocol, address, port),))


def _address(interface: str, address: str, prefix: int) -> Break:
    def broken(scene: Scene) -> Scene:
        known = scene.facts["w3"].machine
        assert known is not None
        return scene.with_machine(addresses=(*known.addresses, InterfaceAddress(interface, address, prefix)))

    return broken


def _ca(sha256: str) -> Break:
    """What a machine that was once joined looks like: its CA, and the directory that holds it."""
    return lambda scene: scene.with_machine(
        ca_files=(CaFile("/etc/kubernetes/ssl/kube-ca.pem", sha256),),
        leftovers=(Leftover("/etc/kubernetes", readable=True, entry="/etc/kubernetes/ssl/kube-ca.pem"),),
    )


def _leftover(path: str, entry: str = "x", *, readable: bool = True) -> Break:
    return lambda scene: scene.with_machine(
        leftovers=(Leftover(path, readable, f"{path}/{entry}" if readable else ""),)
    )


def _state(edit: object) -> Break:
    """The rkestate after `edit(document)`."""

    def broken(scene: Scene) -> Scene:
        document = json.loads(RKESTATE)
        edit(document)  # type: ignore[operator]
        return scene.with_context(rkestate=json.dumps(document))

    return broken


def _drop_w2(document: dict) -> None:  # type: ignore[type-arg]
    for name in ("desiredState", "currentState"):
        nodes = document[name]["rkeConfig"]["nodes"]
        nodes[:] = [node for node in nodes if node["address"] != "127.0.0.22"]


def _other_dns(document: dict) -> None:  # type: ignore[type-arg]
    document["desiredState"]["rkeConfig"]["services"]["kubelet"]["clusterDnsServer"] = "10.43.0.99"


def _live(**changes: object) -> Break:
    """The Node w2 (or the one of `name`) after the changes."""
    return lambda scene: scene.with_context(
        live=tuple(
            dataclasses.replace(node, **changes) if node.name == "w2" else node for node in scene.context.live or ()
        )
    )


def _second(address: str = "10.0.0.24", **changes: object) -> Break:
    other = dataclasses.replace(worker("w4", "10.0.0.24"), address=address, **changes)
    return lambda scene: scene.with_second(other, node_facts("w4", "w4", address))


def _clone(scene: Scene) -> Scene:
    mine = scene.facts["w3"].machine
    other = node_facts("w4", "w4", "10.0.0.24")
    assert mine is not None
    assert other.machine is not None
    twin = dataclasses.replace(other.machine, machine_id=mine.machine_id)
    return scene.with_second(worker("w4", "10.0.0.24"), dataclasses.replace(other, machine=twin))


def _control_nodes_down(scene: Scene) -> Scene:
    live = scene.context.live or ()
    return scene.with_context(live=tuple(dataclasses.replace(node, ready=node.name != "cp1") for node in live))


def _sick_docker(scene: Scene) -> Scene:
    return scene.with_docker(version="29.0.1", api_version="1.52", min_api_version="1.44")


_SSH = {"name": "w3", "address": "10.0.0.23:22"}
_DENIED = DockerSocketDenied(name="w3", user="ops", socket="/var/run/docker.sock")
_NODE_LINE = "- address: 127.0.0.22\n  user: root\n  role:\n  - worker\n  hostname_override: w2\n"
_EXTRA = LiveNode("stray", "stray", "127.0.0.77", "127.0.0.77")
_PROHIBITED = Reach("127.0.0.11", 6443, open=False, prohibited=True, reason="Administratively prohibited")
_SILENT = Reach("127.0.0.11", 6443, open=False, reason="no answer within 5 s")
_NOT_ROOT = {"root": "no", "product_uuid": ""}
_MINUS = datetime(2036, 10, 1, tzinfo=UTC)
_HYPERKUBE = "rancher/hyperkube:v1.20.15-rancher2"

FAULTS: tuple[Fault, ...] = (
    # the connection
    Fault("ssh refused", "ssh", ERROR, ("10.0.0.23:22", "Connection refused", "sshd port"),
          _unreachable(Unreachable(**_SSH, reason="[Errno 111] Connection refused"))),
    Fault("ssh hanging", "ssh", ERROR, ("no answer within 60 s",),
          _unreachable(Unreachable(**_SSH, reason="no answer within 60 s"))),
    Fault("wrong host key", "ssh", ERROR, ("SHA256:old", "SHA256:new", "reinstalled"),
          _unreachable(HostKeyMismatch(name="w3", pinned="SHA256:old", seen="SHA256:new"))),
    Fault("no host key pinned", "ssh", ERROR, ("Pin the machine's host key",), _unreachable(HostKeyMissing(name="w3"))),
    Fault("login refused", "ssh", ERROR, ("user ops", "authorized_keys"),
          _unreachable(AuthenticationRefused(name="w3", user="ops"))),
    Fault("script hangs", "facts", ERROR, ("sh", "45"), lambda scene: scene.with_facts(
        machine=None, clock=None, machine_error=RemoteTimeout(name="w3", seconds=45, what="sh").as_json())),
    # the request
    Fault("role controlplane", "role-worker-only", ERROR, ("controlplane", "worker"),
          lambda scene: scene.with_worker(roles=("controlplane", "worker"))),
    Fault("role etcd", "role-worker-only", ERROR, ("etcd",), lambda scene: scene.with_worker(roles=("etcd",))),
    Fault("address is no address", "address-syntax", ERROR, ("10.0.0.300",),
          lambda scene: scene.with_worker(address="10.0.0.300", internal_address="10.0.0.23")),
    Fault("internal address is a name", "address-syntax", ERROR, ("internal_address", "w3.lan"),
          lambda scene: scene.with_worker(internal_address="w3.lan")),
    Fault("hostname with underscore", "hostname-syntax", ERROR, ("w_3", "node-01"),
          lambda scene: scene.with_worker(hostname="w_3")),
    Fault("hostname too long", "hostname-syntax", ERROR, ("64 characters",),
          lambda scene: scene.with_worker(hostname="a" * 64)),
    Fault("hostname in capitals", "hostname-syntax", ERROR, ("'W3'",), lambda scene: scene.with_worker(hostname="W3")),
    Fault("bad label", "labels", ERROR, ("bad key!",), lambda scene: scene.with_worker(labels={"bad key!": "x"})),
    Fault("bad taint effect", "taints", ERROR, ("NoRun", "NoExecute"),
          lambda scene: scene.with_worker(taints=(Taint("gpu", "true", "NoRun"),))),
    Fault("taint twice", "taints", ERROR, ("×2",),
          lambda scene: scene.with_worker(taints=(Taint("gpu", "a", "NoSchedule"), Taint("gpu", "b", "NoSchedule")))),
    Fault("role by label", "reserved-keys", ERROR, ("node-role.kubernetes.io/controlplane",),
          lambda scene: scene.with_worker(labels={"node-role.kubernetes.io/controlplane": "true"})),
    Fault("in another cluster by our database", "other-cluster", ERROR, ("prod-b/w9", "10.0.0.23", "remove-workers"),
          lambda scene: scene.with_context(others=(KnownNode("prod-b", "w9", "10.0.0.23", hostname="w9"),))),
    Fault("already a node here", "already-node", ERROR, ("prod-a", "w3", "update-workers"),
          lambda scene: scene.with_context(members=(KnownNode("prod-a", "w3", "10.0.0.23", hostname="w3"),))),
    Fault("duplicate ip", "duplicate-address", ERROR, ("127.0.0.22", "w2", "ip -brief address"),
          lambda scene: _address("eth1", "127.0.0.22", 24)(scene).with_worker(internal_address="127.0.0.22")),
    Fault("duplicate hostname", "duplicate-hostname", ERROR, ("w2", "127.0.0.22"),
          lambda scene: scene.with_worker(hostname="w2").with_machine(hostname="w2")),
    Fault("hostname of another cluster's node", "duplicate-hostname", ERROR, ("prod-b/b7",),
          lambda scene: scene.with_worker(hostname="b7").with_machine(hostname="b7")),
    # another machine of the ticket
    Fault("address twice in the ticket", "twice-in-ticket", ERROR, ("w3", "10.0.0.23"),
          _second(address="10.0.0.23"), node="w4"),
    Fault("hostname twice in the ticket", "twice-in-ticket", ERROR, ("w3",),
          lambda scene: _rename_second(_second(hostname="w3")(scene)), node="w4"),
    Fault("cloned machine", "cloned-machine", ERROR, ("machine-id", "w3", "systemd-machine-id-setup"), _clone, node="w4"),
    # is it free
    Fault("kubelet container runs", "serves-kubernetes", ERROR, ("kubelet", "serves a cluster", "docker inspect"),
          _container("kubelet")),
    Fault("pods run", "serves-kubernetes", ERROR, ("k8s_nginx_web-0",), _container("k8s_nginx_web-0_default_1_0")),
    Fault("kubelet process runs", "serves-kubernetes", ERROR, ("processes kubelet",),
          lambda scene: scene.with_machine(processes={"kubelet": 1})),
    Fault("k3s installed", "other-distribution", ERROR, ("k3s", "/var/lib/rancher/k3s", "k3s-uninstall.sh"),
          lambda scene: scene.with_machine(distributions={"k3s": "/var/lib/rancher/k3s"})),
    Fault("ca of another cluster", "foreign-ca", ERROR, (OTHER_CA[:16], MINE[:16], "clean-machines"), _ca(OTHER_CA)),
    Fault("our own old certificates", "leftover-data", ERROR, ("/etc/kubernetes/ssl/kube-ca.pem", "clean-machines"),
          _ca(MINE)),
    Fault("old kubelet data", "leftover-data", ERROR, ("/var/lib/kubelet/pki",), _leftover("/var/lib/kubelet", "pki")),
    Fault("old etcd member", "leftover-data", ERROR, ("/var/lib/etcd/member",), _leftover("/var/lib/etcd", "member")),
    Fault("old calico interface", "leftover-data", ERROR, ("cali0a1b2c3d4e5",),
          lambda scene: scene.with_machine(links=(Link("eth0", 1500, "02:00", "up"), Link("cali0a1b2c3d4e5", 1450, "ee", "up")))),
    Fault("old calico route", "leftover-data", ERROR, ("blackhole 10.42.5.0/26",),
          lambda scene: scene.with_machine(routes=("blackhole 10.42.5.0/26 proto bird",))),
    Fault("kubelet mounts", "leftover-data", ERROR, ("3 mounts",), lambda scene: scene.with_machine(kubelet_mounts=3)),
    Fault("cni config", "leftover-files", WARNING, ("/etc/cni/net.d/10-calico.conflist",),
          _leftover("/etc/cni", "net.d/10-calico.conflist")),
    Fault("directory that cannot be read", "root", UNKNOWN, ("/var/lib/etcd", "sudo", "NOPASSWD"),
          _leftover("/var/lib/etcd", readable=False)),
    Fault("no sudo", "root", UNKNOWN, ("ops", "product_uuid"), lambda scene: scene.with_machine(**_NOT_ROOT)),
    Fault("ca that cannot be read", "foreign-ca", UNKNOWN, ("/etc/kubernetes/ssl/kube-ca.pem",),
          lambda scene: scene.with_machine(ca_files=(CaFile("/etc/kubernetes/ssl/kube-ca.pem", ""),))),
    Fault("one-shot container", "stale-containers", ERROR, ("rke-port-checker", "docker rm -f -v rke-port-checker"),
          _container("rke-port-checker", "exited")),
    Fault("half-replaced container", "stale-containers", ERROR, ("old-kubelet",), _container("old-kubelet", "exited")),
    Fault("machine known under another address", "same-hardware", ERROR, ("prod-b/b7", "10.0.1.7", "dd" * 16),
          lambda scene: scene.with_machine(machine_id="dd" * 16)),
    Fault("product uuid known", "same-hardware", WARNING, ("prod-b/b7", "product_uuid"),
          lambda scene: scene.with_machine(product_uuid="11111111-2222-3333-4444-555555555555")),
    # docker
    Fault("docker not installed", "docker", ERROR, ("not installed", "initialise"),
          _no_docker(DockerAbsent(name="w3", reason="no socket"), docker_binary="", docker_socket="")),
    Fault("dockerd stopped", "docker", ERROR, ("/var/run/docker.sock", "systemctl enable --now docker"),
          _no_docker(DockerAbsent(name="w3", reason="no socket"), docker_socket="")),
    Fault("docker fails", "docker", ERROR, ("info", "500", "journalctl -u docker"),
          _no_docker(DockerError(name="w3", what="info", reason="500 no space left on device"))),
    Fault("docker socket denied", "docker-access", ERROR, ("ops", "/var/run/docker.sock", "usermod -aG docker ops"),
          _no_docker(_DENIED, docker_socket_denied=True, groups=("ops",))),
    Fault("socket forwarding forbidden", "ssh-forwarding", ERROR, ("AllowStreamLocalForwarding", "/var/run/docker.sock"),
          lambda scene: scene.with_facts(socket_forwarded=False, docker=None, docker_error=ForwardingRefused(
              name="w3", what="/var/run/docker.sock", reason="Administratively prohibited").as_json())),
    Fault("tcp forwarding forbidden", "ssh-forwarding", ERROR, ("AllowTcpForwarding", "127.0.0.11:6443", "reload sshd"),
          lambda scene: scene.with_facts(reach=(_PROHIBITED,))),
    Fault("docker too old", "docker-version", ERROR, ("1.12.6", "v1.20.15-rancher2-1", "20.10"),
          lambda scene: scene.with_docker(version="1.12.6")),
    Fault("docker too new", "docker-version", ERROR, ("29.0.1", "1.44", "1.41"), _sick_docker),
    Fault("docker versions not known", "docker-version", UNKNOWN, ("20.10.24",),
          lambda scene: scene.with_context(supported_docker=())),
    Fault("docker for windows", "docker-os", ERROR, ("windows",), lambda scene: scene.with_docker(os_type="windows")),
    Fault("storage driver", "docker-settings", WARNING, ("devicemapper", "overlay2"),
          lambda scene: scene.with_docker(storage_driver="devicemapper")),
    Fault("log driver", "docker-settings", WARNING, ("journald", "json-file"),
          lambda scene: scene.with_docker(logging_driver="journald")),
    Fault("docker root", "docker-root", WARNING, ("/data/docker", "/var/lib/docker"),
          lambda scene: scene.with_docker(root_dir="/data/docker")),
    Fault("cgroup v2 with old docker", "docker-cgroup", ERROR, ("19.03.15", "20.10"),
          lambda scene: scene.with_machine(cgroup=2).with_docker(version="19.03.15")
          .with_settings(kubernetes_version="v1.25.16-rancher2-1").with_context(cluster_yml=_at("v1.25.16-rancher2-1"))),
    Fault("registry unreachable", "images", WARNING, ("registry-1.docker.io:443", f"docker pull {_HYPERKUBE}"),
          lambda scene: scene.with_docker(images={_HYPERKUBE: False}).with_facts(reach=(
              Reach("127.0.0.11", 6443, open=True), Reach("registry-1.docker.io", 443, open=False, reason="no answer")))),
    # system
    Fault("clock behind", "clock", ERROR, ("behind", "7.5 s", "chronyc makestep"),
          lambda scene: scene.with_facts(clock=ClockOffset(-7600, -7500))),
    Fault("clock ahead", "clock", ERROR, ("ahead of", "3.0 s"),
          lambda scene: scene.with_facts(clock=ClockOffset(3000, 3100))),
    Fault("no time daemon", "ntp", WARNING, ("chrony",), lambda scene: scene.with_machine(ntp="absent")),
    Fault("other architecture", "architecture", WARNING, ("aarch64", "amd64"),
          lambda scene: scene.with_machine(architecture="aarch64")),
    Fault("unknown architecture", "architecture", ERROR, ("mips64",),
          lambda scene: scene.with_machine(architecture="mips64")),
    Fault("old kernel", "kernel", ERROR, ("2.6.32", "3.10"), lambda scene: scene.with_machine(kernel="2.6.32-754.el6")),
    Fault("odd kernel", "kernel", UNKNOWN, ("custom",), lambda scene: scene.with_machine(kernel="custom")),
    Fault("missing kernel module", "kernel-modules", ERROR, ("br_netfilter", "modprobe -a br_netfilter"),
          _module("br_netfilter", "absent")),
    Fault("modules not known", "kernel-modules", UNKNOWN, ("overlay",), _module("overlay", "unknown")),
    Fault("no ip forwarding", "sysctl", ERROR, ("net.ipv4.ip_forward=0", "sysctl -w net.ipv4.ip_forward=1"),
          _sysctl("net.ipv4.ip_forward", "0")),
    Fault("bridge filter off", "sysctl", ERROR, ("bridge-nf-call-iptables=0",),
          _sysctl("net.bridge.bridge-nf-call-iptables", "0")),
    Fault("loose rp_filter", "rp-filter", WARNING, ("rp_filter=2", "rp_filter=1"),
          _sysctl("net.ipv4.conf.all.rp_filter", "2")),
    Fault("low inotify limit", "kernel-limits", WARNING, ("fs.inotify.max_user_instances=16",),
          _sysctl("fs.inotify.max_user_instances", "16")),
    Fault("low nofile", "kernel-limits", WARNING, ("nofile=1024",), lambda scene: scene.with_machine(nofile_hard=1024)),
    Fault("cgroup v2", "cgroup", WARNING, ("v1.20.15-rancher2-1", "unified_cgroup_hierarchy=0"),
          lambda scene: scene.with_machine(cgroup=2)),
    Fault("swap", "swap", WARNING, ("/dev/sda2", "2048 MiB", "swapoff -a"),
          lambda scene: scene.with_machine(swap=(Swap("/dev/sda2", 2 * GIB),))),
    Fault("swap where kubelet refuses it", "swap", ERROR, ("fail_swap_on",),
          lambda scene: scene.with_machine(swap=(Swap("/swapfile", GIB),)).with_settings(fail_swap_on=True)),
    Fault("one cpu", "resources", WARNING, ("1 CPU",), lambda scene: scene.with_machine(cpus=1)),
    Fault("disk full", "disk-space", ERROR, ("/var/lib/docker", "1.0 GiB", "docker system df"),
          _disk("/var/lib/docker", free_kib=GIB)),
    Fault("disk below eviction threshold", "disk-space", ERROR, ("/var/lib/kubelet", "8 %"),
          _disk("/var/lib/kubelet", free_kib=32 * GIB)),
    Fault("disk getting full", "disk-space", WARNING, ("12 %",), _disk("/var/lib/docker", free_kib=48 * GIB)),
    Fault("no inodes", "inodes", ERROR, ("/var/lib/docker", "120", "du --inodes"),
          _disk("/var/lib/docker", inodes_free=120)),
    Fault("selinux policy missing", "selinux", ERROR, ("rke_container_t", "rancher-selinux"),
          lambda scene: scene.with_machine(selinux="enforcing").with_docker(security_options=("name=selinux",))
          .with_settings(kubernetes_version="v1.24.17-rancher1-1").with_context(cluster_yml=_at("v1.24.17-rancher1-1"))),
    # network
    Fault("firewalld", "firewall", WARNING, ("firewalld", "10250/tcp", "systemctl disable --now firewalld"),
          lambda scene: scene.with_machine(firewalls=("firewalld",))),
    Fault("loopback resolver", "resolver", WARNING, ("127.0.0.1", "/etc/resolv.conf"),
          lambda scene: scene.with_machine(resolv=("nameserver 127.0.0.1",))),
    Fault("no nameserver", "resolver", WARNING, ("no nameserver",), lambda scene: scene.with_machine(resolv=())),
    Fault("too many nameservers", "resolver", WARNING, ("4 nameservers",),
          lambda scene: scene.with_machine(resolv=tuple(f"nameserver 10.0.0.{at}" for at in range(4)))),
    Fault("hostname differs", "hostname-matches", WARNING, ("db-07", "w3", "hostnamectl set-hostname w3"),
          lambda scene: scene.with_machine(hostname="db-07", fqdn="db-07.example.com")),
    Fault("internal address not on the machine", "internal-address", ERROR, ("192.168.5.5", "eth0 10.0.0.23"),
          lambda scene: scene.with_worker(internal_address="192.168.5.5")),
    Fault("host subnet within the pod range", "host-subnet", ERROR, ("10.42.7.0/24", "pod 10.42.0.0/16"),
          _address("eth1", "10.42.7.9", 24)),
    Fault("docker0 within the service range", "host-subnet", ERROR, ("10.43.128.0/24", "service", "bip"),
          _address("docker1", "10.43.128.1", 24)),
    Fault("small mtu", "mtu", WARNING, ("1400", "1500", "ip link set eth0 mtu 1500"),
          lambda scene: scene.with_machine(links=(Link("eth0", 1400, "02", "up"),))),
    Fault("port taken", "ports", ERROR, ("10250/tcp (kubelet", "ss -lntup 'sport = :10250'"), _listening("tcp", 10250)),
    Fault("vxlan port taken", "ports", ERROR, ("8472/udp",), _listening("udp", 8472)),
    Fault("ingress port taken", "ports", WARNING, ("80/tcp",), _listening("tcp", 80)),
    Fault("node port taken", "node-ports", WARNING, ("30080/tcp",), _listening("tcp", 30080)),
    Fault("local ports in the node port range", "node-ports", WARNING, ("1024-60999", "32768 60999"),
          _sysctl("net.ipv4.ip_local_port_range", "1024 60999")),
    Fault("controlplane unreachable from the machine", "controlplane-reachable", ERROR,
          ("127.0.0.11:6443", "no answer within 5 s", "curl -k https://127.0.0.11:6443/healthz"),
          lambda scene: scene.with_facts(reach=(_SILENT,))),
    Fault("one of two controlplanes unreachable", "controlplane-reachable", WARNING, ("1 of 2",),
          lambda scene: scene.with_context(controlplane=(*scene.context.controlplane, _endpoint("127.0.0.12")))
          .with_facts(reach=(_SILENT, Reach("127.0.0.12", 6443, open=True)))),
    Fault("kubelet port filtered", "reached-by-controlplane", ERROR, ("10.0.0.23:10250", "cp1"),
          lambda scene: scene.with_facts(reached_from=(Reach("cp1", 10250, open=False, reason="no answer within 5 s"),))),
    # the cluster's files
    Fault("cluster.yml broken", "cluster-yml", ERROR, ("line 3",),
          lambda scene: scene.with_context(cluster_yml="nodes:\n- address: a\n  :\n - b"), node=""),
    Fault("unknown key", "cluster-yml", ERROR, ("kubernetes_versoin", "kubernetes_version"),
          lambda scene: scene.with_context(cluster_yml=CLUSTER_YML.replace("kubernetes_version", "kubernetes_versoin")), node=""),
    Fault("no etcd", "roles-present", ERROR, ("etcd",),
          lambda scene: _without_etcd(scene), node=""),
    Fault("version not pinned", "version-pinned", ERROR, ("kubernetes_version: v1.20.15-rancher2-1",),
          lambda scene: scene.with_context(cluster_yml=CLUSTER_YML.replace("kubernetes_version: v1.20.15-rancher2-1\n", "")), node=""),
    Fault("upgrade not finished", "version-pinned", ERROR, ("v1.21.14-rancher1-1", "v1.20.15-rancher2-1"),
          lambda scene: scene.with_context(cluster_yml=_at("v1.21.14-rancher1-1")), node=""),
    Fault("rkestate truncated", "rkestate", ERROR, ("not whole JSON", "new CA"),
          lambda scene: scene.with_context(rkestate=(FIXTURES / "truncated.rkestate").read_text()), node=""),
    Fault("rkestate of another cluster", "state-ca", ERROR, (OTHER_CA[:16], MINE[:16], "full-cluster-state"),
          lambda scene: scene.with_context(rkestate=(FIXTURES / "other-ca.rkestate").read_text()), node=""),
    Fault("kubeconfig of another cluster", "server-ca", ERROR, (OTHER_CA[:16], "kubeconfig"),
          lambda scene: scene.with_context(server_ca=OTHER_CA), node=""),
    Fault("rke ran elsewhere", "state-copy", ERROR, ("autorke cluster import prod-a",),
          lambda scene: scene.with_context(state_copy_sha256="77" * 32), node=""),
    Fault("phantom node", "phantom-node", ERROR, ("127.0.0.29", "wipe"),
          lambda scene: scene.with_context(rkestate=(FIXTURES / "phantom-node.rkestate").read_text()), node=""),
    Fault("state lacks a node", "state-lacks-node", ERROR, ("w2 (127.0.0.22)",), _state(_drop_w2), node=""),
    Fault("deployed node renamed", "same-nodes", ERROR, ("127.0.0.22", "w2", "w2-new"),
          lambda scene: scene.with_context(cluster_yml=CLUSTER_YML.replace("hostname_override: w2", "hostname_override: w2-new")), node=""),
    Fault("run not finished", "state-settled", ERROR, ("services",), _state(_other_dns), node=""),
    Fault("certificates end soon", "certificates", WARNING, ("kube-ca", "2036-11-19", "rotate-certificates"),
          lambda scene: scene.with_context(now=_MINUS), node=""),
    Fault("certificates expired", "certificates", ERROR, ("have expired",),
          lambda scene: scene.with_context(now=datetime(2037, 1, 1, tzinfo=UTC)), node=""),
    Fault("state too large", "state-size", ERROR, ("1 KiB",),
          lambda scene: scene.with_context(limits=dataclasses.replace(scene.context.limits, state_bytes=1024)), node=""),
    Fault("pods overlap services", "ranges", ERROR, ("10.43.0.0/16",),
          lambda scene: scene.with_settings(pod_cidrs=("10.43.0.0/16",)), node=""),
    Fault("dns outside the service range", "ranges", ERROR, ("10.96.0.10",),
          lambda scene: scene.with_settings(cluster_dns="10.96.0.10"), node=""),
    # the running cluster
    Fault("controlplane dead", "controlplane", ERROR, ("connection refused", "docker logs --tail 50 kube-apiserver"),
          lambda scene: _dead(scene), node=""),
    Fault("control host down", "control-hosts", ERROR, ("cp1 (127.0.0.11)", "no answer within 10 s"),
          lambda scene: dataclasses.replace(scene, control_hosts=(ControlHostFacts("cp1", "127.0.0.11", Unreachable(
              name="cp1", address="127.0.0.11:22", reason="no answer within 10 s").as_json()),)), node=""),
    Fault("controlplane node not ready", "control-nodes", ERROR, ("cp1", "kubectl describe node cp1"),
          _control_nodes_down, node=""),
    Fault("worker not ready", "nodes-ready", WARNING, ("w2", "not held up"), _live(ready=False), node=""),
    Fault("state node never deployed", "undeployed-node", ERROR, ("w2 (127.0.0.22)",),
          lambda scene: scene.with_context(live=tuple(it for it in scene.context.live or () if it.name != "w2")), node=""),
    Fault("node that no file knows", "unmanaged-node", ERROR, ("stray (127.0.0.77)", "autorke cluster import prod-a"),
          lambda scene: scene.with_context(live=(*(scene.context.live or ()), _EXTRA)), node=""),
    Fault("another run", "other-runs", ERROR, ("ticket 41",),
          lambda scene: scene.with_context(other_runs=("ticket 41 (upgrade_cluster)",)), node=""),
)  # fmt: skip


def _at(version: str) -> str:
    return CLUSTER_YML.replace("v1.20.15-rancher2-1", version)


def _endpoint(host: str) -> object:
    from autorke.checks.context import Endpoint

    return Endpoint(host, 6443)


def _rename_second(scene: Scene) -> Scene:
    facts = node_facts("w4", "w3", "10.0.0.24")
    machine = dataclasses.replace(facts.machine, machine_id="4" * 32, product_uuid="")  # type: ignore[type-var]
    return dataclasses.replace(scene, facts={**scene.facts, "w4": dataclasses.replace(facts, machine=machine)})


def _without_etcd(scene: Scene) -> Scene:
    """Neither file has an etcd node, as with an external etcd that was left out."""
    document = json.loads(RKESTATE)
    for name in ("desiredState", "currentState"):
        document[name]["rkeConfig"]["nodes"][0]["role"] = ["controlplane"]
    text = CLUSTER_YML.replace("  - etcd\n", "")
    return scene.with_context(cluster_yml=text, rkestate=json.dumps(document))


def _dead(scene: Scene) -> Scene:
    """API, host and port are all gone; one message says so."""
    error = Unreachable(name="cp1", address="127.0.0.11:22", reason="no answer within 10 s").as_json()
    reason = Text(zh="连接被拒绝", en="connection refused")
    dark = scene.with_context(live=None, live_error=reason, server_ca=None).with_facts(
        reach=(_SILENT,), reached_from=()
    )
    return dataclasses.replace(dark, control_hosts=(ControlHostFacts("cp1", "127.0.0.11", error),))
