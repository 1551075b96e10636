"""The simulated world: machines, clusters, faults and the record of what was done to them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from autorke.sim.docker import programs
from autorke.sim.docker.engine import Container
from autorke.sim.faults import Fault, FaultBook
from autorke.sim.kube.cluster import Cluster
from autorke.sim.kube.server import ClusterServer
from autorke.sim.machine.facts import Facts, merge
from autorke.sim.machine.host import Host
from autorke.sim.record import Record

if TYPE_CHECKING:
    from autorke.sim.machine.ssh import Door


class Timing(BaseModel):
    """How long things take, in seconds."""

    model_config = ConfigDict(extra="forbid")

    join_seconds: float = 0.2
    ready_seconds: float = 0.3
    lost_seconds: float = 3.0
    pull_seconds: float = 0.05
    package_seconds: float = 0.05


@dataclass(frozen=True)
class Login:
    """How one gets into every machine of the fleet."""

    users: frozenset[str]
    public_key: str
    private_key: str = field(repr=False)
    password: str | None = field(default=None, repr=False)


class World:
    """Everything that is simulated. Made and used inside one event loop."""

    def __init__(self, seed: int, login: Login, ssh_port: int, timing: Timing, record: Record) -> None:
        self.seed = seed
        self.login = login
        self.ssh_port = ssh_port
        self.timing = timing
        self.record = record
        self.faults = FaultBook()
        self.hosts: dict[str, Host] = {}
        self.by_address: dict[str, Host] = {}
        self.clusters: dict[str, Cluster] = {}
        self.doors: dict[str, Door] = {}
        self.servers: dict[str, ClusterServer] = {}
        self._by_ca: dict[bytes, Cluster] = {}
        self._kubelets: dict[str, tuple[Cluster, str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add_host(self, name: str, address: str, facts: Facts) -> Host:
        host = Host(self, name, address, facts)
        self.hosts[name] = self.by_address[address] = host
        return host

    def add_cluster(self, cluster: Cluster) -> None:
        self.clusters[cluster.name] = cluster
        self._by_ca[cluster.pki.ca.pair.certificate.strip().encode()] = cluster

    def host(self, key: str) -> Host:
        """By name or address. Raises KeyError."""
        return self.hosts.get(key) or self.by_address[key]

    # -- kubelets and the way to an API server

    def kubelet(self, host: Host, found: Container | None) -> None:
        """A kubelet started, stopped, or lost its way: bring the cluster it belongs to up to date."""
        known = self._kubelets.get(host.name)
        cluster = self.cluster_trusted_by(host) if found is not None else None
        name = (programs.flag(found, "hostname-override") or host.facts.hostname) if found is not None else ""
        if known is not None and known != (cluster, name):
            del self._kubelets[host.name]
            known[0].kubelet_down(host, known[1])
        if cluster is not None and known != (cluster, name):
            self._kubelets[host.name] = (cluster, name)
            address = (programs.flag(found, "node-ip") if found else None) or host.address
            cluster.kubelet_up(host, name, address)
        if any(host in cluster.masters for cluster in self.clusters.values()):
            self.settle_later()

    def adopt_kubelet(self, host: Host, cluster: Cluster, node_name: str) -> None:
        """A kubelet that has been running since before the simulation began."""
        self._kubelets[host.name] = (cluster, node_name)

    def cluster_trusted_by(self, host: Host) -> Cluster | None:
        """The cluster whose CA lies on a machine."""
        pem = host.files.read("/etc/kubernetes/ssl/kube-ca.pem")
        return self._by_ca.get(pem.strip()) if pem else None

    def api_behind(self, host: Host) -> str | None:
        """Address of an API server that a machine's 127.0.0.1:6443 leads to: its own, or one behind its nginx-proxy."""
        if host.running("kube-apiserver"):
            return host.address
        proxy = host.running("nginx-proxy")
        if proxy is None:
            return None
        upstreams = next((entry.partition("=")[2] for entry in proxy.env if entry.startswith("CP_HOSTS=")), "")
        masters = (self.by_address.get(address) for address in upstreams.split(",") if host.reaches(address, 6443))
        return next((master.address for master in masters if master), None)

    # -- faults and changes from outside

    def add_fault(self, fault: Fault) -> Fault:
        self.faults.add(fault)
        self._apply(fault)
        return fault

    def lift_faults(self, fault_id: int | None = None) -> int:
        gone = self.faults.remove(fault_id)
        for fault in gone:
            self._apply(fault)
        return len(gone)

    def _apply(self, fault: Fault) -> None:
        """Faults that are states, not events: a closed port must be closed before anyone comes."""
        for name, door in self.doors.items():
            if fault.fits(self.hosts[name].names, ("connect",)):
                door.settle()
        self.settle_later()

    def change_facts(self, host: Host, change: dict[str, object]) -> None:
        """Lay a change over a machine's facts. Raises pydantic.ValidationError."""
        host.facts = merge(host.facts, change)
        self.record.note(host.name, "facts.changed", keys=sorted(change))

    def revive(self, host: Host) -> None:
        """Power a dead machine on again; its containers were not lost."""
        host.dead = False
        if host.name in self.doors:
            self.doors[host.name].settle()
        host.kubelet_changed()
        self.settle_later()

    def settle_later(self) -> None:
        """Let every cluster open or close its ports, soon."""
        if self.servers:
            task = asyncio.get_running_loop().create_task(self._settle())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _settle(self) -> None:
        for server in self.servers.values():
            await server.settle()
