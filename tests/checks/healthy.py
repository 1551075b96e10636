"""A healthy machine, a sound cluster and a proper request: the ground on which each test breaks exactly one thing."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autorke.checks.context import ClusterContext, ControlHost, Endpoint, KnownNode, LiveNode, NewWorker
from autorke.checks.facts import (
    ClockOffset,
    Container,
    ControlHostFacts,
    Disk,
    DockerFacts,
    InterfaceAddress,
    Link,
    Listener,
    MachineFacts,
    NodeFacts,
    Reach,
)
from autorke.checks.judge import judge
from autorke.checks.results import Report
from autorke.checks.settings import settings_of, supported_docker_versions
from autorke.drivers.base import SshTarget
from autorke.drivers.rkefiles.rkestate import read_state

FIXTURES = Path(__file__).parent.parent / "fixtures" / "rke" / "rkestate"
CLUSTER_YML = (FIXTURES / "cluster.yml").read_text()
RKESTATE = (FIXTURES / "cluster.rkestate").read_text()
OTHER_CA = "bc99a5e2bc7fd04f7be6437c3ec1d0ec583855e8fa8f49b2dcf1109ab6c7d2c4"
MINE = "e0c2aa1287c9dd6ea7f939c7443f0dbbdce93d45a8304c82966ff920dacc1ac8"
NOW = datetime(2026, 12, 1, tzinfo=UTC)
GIB = 1024 * 1024
CONTROL = ("controlplane", "etcd")
MODULES = ("br_netfilter", "overlay", "nf_conntrack", "ip_tables", "ip_set", "xt_set", "vxlan", "ipip")


def machine(hostname: str = "w3", address: str = "10.0.0.23") -> MachineFacts:
    own = hashlib.sha256(hostname.encode()).hexdigest()[:32]
    return MachineFacts(
        user="ops",
        groups=("ops", "docker"),
        root="sudo",
        hostname=hostname,
        fqdn=f"{hostname}.example.com",
        os_id="ubuntu",
        os_version="22.04",
        os_name="Ubuntu 22.04.4 LTS",
        kernel="5.15.0-105-generic",
        architecture="x86_64",
        machine_id=own,
        product_uuid=f"4c4c4544-0000-1000-8000-{own[:12]}",
        uptime_s=86_400,
        cpus=32,
        memory_kib=128 * GIB,
        memory_available_kib=120 * GIB,
        ntp="synchronized",
        cgroup=1,
        selinux="disabled",
        nofile_hard=1_048_576,
        started_ns=1_780_000_000_000_000_000,
        ended_ns=1_780_000_000_500_000_000,
        docker_binary="/usr/bin/dockerd",
        docker_socket="/var/run/docker.sock",
        modules=dict.fromkeys(MODULES, "loaded"),
        sysctls={
            "net.ipv4.ip_forward": "1",
            "net.bridge.bridge-nf-call-iptables": "1",
            "net.ipv4.conf.all.rp_filter": "1",
            "net.ipv4.ip_local_port_range": "32768 60999",
            "fs.inotify.max_user_instances": "8192",
            "fs.inotify.max_user_watches": "524288",
            "fs.file-max": "2097152",
            "net.netfilter.nf_conntrack_max": "1048576",
            "kernel.pid_max": "4194304",
        },
        addresses=(
            InterfaceAddress("lo", "127.0.0.1", 8),
            InterfaceAddress("eth0", address, 24),
            InterfaceAddress("docker0", "172.17.0.1", 16),
            InterfaceAddress("eth0", "fe80::1", 64),
        ),
        links=(Link("eth0", 1500, "52:54:00:00:00:01", "up"), Link("lo", 65536, "00:00:00:00:00:00", "unknown")),
        routes=("default via 10.0.0.1 dev eth0",),
        listeners=(Listener("tcp", "0.0.0.0", 22), Listener("udp", "127.0.0.1", 323)),
        disks=tuple(
            Disk(path, "/", 400 * GIB, 300 * GIB, 20_000_000, 19_000_000)
            for path in ("/", "/var/lib/docker", "/var/lib/kubelet", "/opt/rke")
        ),
        resolv=("nameserver 10.0.0.2", "search example.com"),
    )


def docker() -> DockerFacts:
    return DockerFacts(
        version="20.10.24",
        api_version="1.41",
        min_api_version="1.12",
        root_dir="/var/lib/docker",
        os_type="linux",
        operating_system="Ubuntu 22.04.4 LTS",
        storage_driver="overlay2",
        logging_driver="json-file",
        cgroup_driver="cgroupfs",
        cgroup_version="1",
        security_options=("name=apparmor", "name=seccomp,profile=default"),
        live_restore=False,
        proxied=False,
        mirrors=(),
        containers=(Container("node-exporter", "prom/node-exporter:v1.8.1", "running"),),
        images={"rancher/hyperkube:v1.20.15-rancher2": True},
    )


def node_facts(node: str = "w3", hostname: str = "w3", address: str = "10.0.0.23") -> NodeFacts:
    return NodeFacts(
        node=node,
        machine=machine(hostname, address),
        docker=docker(),
        clock=ClockOffset(-20, 15),
        reach=(Reach("127.0.0.11", 6443, open=True),),
        reached_from=(Reach("cp1", 10250, open=False, refused=True, reason="Connect failed"),),
        socket_forwarded=True,
    )


def worker(node: str = "w3", address: str = "10.0.0.23") -> NewWorker:
    return NewWorker(
        node=node,
        target=SshTarget(name=node, address=address, user="ops", host_key="ssh-ed25519 AAAA"),
        address=address,
        hostname=node,
        labels={"team": "search", "example.com/rack": "r12"},
    )


def context() -> ClusterContext:
    settings = dataclasses.replace(settings_of(read_state(RKESTATE).current_config), mtu=1500)
    return ClusterContext(
        id="c-1",
        name="prod-a",
        cluster_yml=CLUSTER_YML,
        rkestate=RKESTATE,
        settings=settings,
        now=NOW,
        expected_ca=MINE,
        server_ca=MINE,
        members=(
            KnownNode("prod-a", "cp1", "127.0.0.11", hostname="cp1", roles=CONTROL, machine_id="aa" * 16),
            KnownNode("prod-a", "w1", "127.0.0.21", hostname="w1", machine_id="bb" * 16),
            KnownNode("prod-a", "w2", "127.0.0.22", hostname="w2", machine_id="cc" * 16),
        ),
        others=(
            KnownNode(
                "prod-b", "b7", "10.0.1.7", internal_address="192.168.9.7", hostname="b7", machine_id="dd" * 16,
                product_uuid="11111111-2222-3333-4444-555555555555",
            ),
        ),
        live=(
            LiveNode("cp1", "cp1", "127.0.0.11", "127.0.0.11", roles=CONTROL, machine_id="aa" * 16),
            LiveNode("w1", "w1", "127.0.0.21", "127.0.0.21", machine_id="bb" * 16),
            LiveNode("w2", "w2", "127.0.0.22", "127.0.0.22", machine_id="cc" * 16),
        ),
        state_copy_sha256="5a" * 32,
        recorded_copy_sha256="5a" * 32,
        supported_docker=supported_docker_versions(settings),
        docker_root="/var/lib/docker",
        controlplane=(Endpoint("127.0.0.11", 6443),),
        control_hosts=(
            ControlHost(SshTarget(name="cp1", address="127.0.0.11", user="ops", host_key="ssh-ed25519 AAAA"), CONTROL),
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """One request with everything around it. The `with_…` calls break one thing and return the broken scene."""

    workers: tuple[NewWorker, ...] = field(default_factory=lambda: (worker(),))
    context: ClusterContext = field(default_factory=context)
    facts: Mapping[str, NodeFacts] = field(default_factory=lambda: {"w3": node_facts()})
    control_hosts: tuple[ControlHostFacts, ...] = (ControlHostFacts("cp1", "127.0.0.11"),)

    @property
    def live(self) -> tuple[LiveNode, ...]:
        return self.context.live or ()

    def judge(self) -> Report:
        return judge(self.workers, self.context, self.facts, self.control_hosts)

    def with_worker(self, **changes: Any) -> Scene:
        return dataclasses.replace(self, workers=(dataclasses.replace(self.workers[0], **changes),))

    def with_context(self, **changes: Any) -> Scene:
        return dataclasses.replace(self, context=dataclasses.replace(self.context, **changes))

    def with_settings(self, **changes: Any) -> Scene:
        return self.with_context(settings=dataclasses.replace(self.context.settings, **changes))

    def with_facts(self, **changes: Any) -> Scene:
        return dataclasses.replace(self, facts={"w3": dataclasses.replace(self.facts["w3"], **changes)})

    def with_machine(self, **changes: Any) -> Scene:
        known = self.facts["w3"].machine
        assert known is not None
        return self.with_facts(machine=dataclasses.replace(known, **changes))

    def with_docker(self, **changes: Any) -> Scene:
        known = self.facts["w3"].docker
        assert known is not None
        return self.with_facts(docker=dataclasses.replace(known, **changes))

    def with_second(self, second: NewWorker, facts: NodeFacts) -> Scene:
        return dataclasses.replace(self, workers=(*self.workers, second), facts={**self.facts, second.node: facts})


Break = Callable[[Scene], Scene]
