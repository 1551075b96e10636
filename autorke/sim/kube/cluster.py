"""A simulated cluster: its objects, its certificates, and how its nodes follow the kubelets of the machines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autorke.sim.kube import calico, nodes
from autorke.sim.kube.kinds import CRDS, LEASES, NAMESPACES, NODES, PODS, Catalogue
from autorke.sim.kube.pki import ClusterPki
from autorke.sim.kube.store import Kind, Object, Store, clone

if TYPE_CHECKING:
    from autorke.sim.machine.host import Host
    from autorke.sim.world import World


@dataclass(frozen=True)
class Versions:
    """`rke` as in cluster.yml (v1.20.15-rancher2-1), `kubelet` as nodes report it, `calico` as (major, minor)."""

    rke: str
    kubelet: str
    calico: tuple[int, int]
    images: Mapping[str, str]


class Cluster:
    """Nodes appear when a kubelet that trusts this cluster's CA runs and reaches its API; they go silent when it
    stops.
    """

    def __init__(self, world: World, name: str, versions: Versions, pki: ClusterPki, masters: Sequence[Host]) -> None:
        self.world = world
        self.name = name
        self.versions = versions
        self.pki = pki
        self.masters = list(masters)
        self.bundle = pki.bundle()
        self.store = Store()
        self.catalogue = Catalogue(calico.served(versions.calico))
        self._kubelets: dict[str, Host] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        for namespace in ("default", "kube-system", "kube-public", "kube-node-lease"):
            self.store.create(NAMESPACES, {"metadata": {"name": namespace}, "status": {"phase": "Active"}})
        for definition in calico.definitions(versions.calico):
            self.store.create(CRDS, definition)

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *(master.address for master in self.masters))

    def add_ready_node(self, host: Host, node_name: str, address: str, change: Mapping[str, Any]) -> None:
        """A node that has been there since before the simulation began; `change` is laid over its metadata and spec."""
        self._kubelets[node_name] = host
        self._register(node_name, host, address)
        self._become_ready(node_name, host, change)

    # -- what kubelets do

    def kubelet_up(self, host: Host, node_name: str, address: str) -> None:
        """A kubelet started and trusts our CA: it registers, then the network plugin makes it ready."""
        if self._kubelets.get(node_name) is host and node_name not in self._timers:
            return
        self._kubelets[node_name] = host
        self._later(node_name, self.world.timing.join_seconds, lambda: self._join(node_name, host, address))

    def kubelet_down(self, host: Host, node_name: str) -> None:
        """A kubelet stopped: after the grace period its node is Unknown."""
        if self._kubelets.get(node_name) is host:
            del self._kubelets[node_name]
            self._later(node_name, self.world.timing.lost_seconds, lambda: self._go_silent(node_name))

    def node_deleted(self, node_name: str) -> None:
        """Pods of a deleted node go with it; a kubelet that still runs registers it again (rke.md §4.9)."""
        for obj in self.store.select(PODS, fields=f"spec.nodeName={node_name}"):
            self.store.delete(PODS, obj["metadata"]["name"], obj["metadata"]["namespace"])
        if self.store.find(LEASES, node_name, "kube-node-lease") is not None:
            self.store.delete(LEASES, node_name, "kube-node-lease")
        host = self._kubelets.get(node_name)
        if host is not None:
            self._later(node_name, self.world.timing.lost_seconds, lambda: self._join(node_name, host, host.address))

    def _later(self, node_name: str, seconds: float, work: Any) -> None:
        old = self._timers.pop(node_name, None)
        if old is not None:
            old.cancel()

        def due() -> None:
            self._timers.pop(node_name, None)
            work()

        self._timers[node_name] = asyncio.get_running_loop().call_later(seconds, due)

    def _join(self, node_name: str, host: Host, address: str) -> None:
        if self._kubelets.get(node_name) is not host:
            return
        hindered = self.world.faults.peek(host.names, "node", "register") is not None
        if hindered or self.world.api_behind(host) is None or not self.serving:
            self._later(node_name, 1.0, lambda: self._join(node_name, host, address))
            return
        if self.store.find(NODES, node_name) is None:
            self._register(node_name, host, address)
        self._later(node_name, self.world.timing.ready_seconds, lambda: self._await_network(node_name, host))

    def _await_network(self, node_name: str, host: Host) -> None:
        if self._kubelets.get(node_name) is not host or self.store.find(NODES, node_name) is None:
            return
        if self.world.faults.peek(host.names, "node", "ready") is not None:
            self._later(node_name, 0.5, lambda: self._await_network(node_name, host))
            return
        self._become_ready(node_name, host, {})

    @property
    def serving(self) -> bool:
        return any(master.running("kube-apiserver") and not master.dead for master in self.masters)

    # -- objects

    def _register(self, node_name: str, host: Host, address: str) -> None:
        image = self.versions.images["kubernetes"]
        self.store.create(NODES, nodes.node(node_name, address, host.facts, self.versions.kubelet, image))
        self.world.record.note(self.name, "node.registered", node=node_name, machine=host.name)

    def _become_ready(self, node_name: str, host: Host, change: Mapping[str, Any]) -> None:
        said = "kubelet is posting ready status"
        obj = clone(self.store.get(NODES, node_name))
        obj["status"]["conditions"] = nodes.conditions(ready=True, why="KubeletReady", said=said)
        obj["metadata"]["annotations"].setdefault("projectcalico.org/IPv4Address", f"{host.address}/24")
        for part in ("labels", "annotations"):
            obj["metadata"][part] |= change.get(part, {})
        obj["spec"] |= change.get("spec", {})
        self.store.replace(NODES, node_name, obj)
        self._daemon_pod(node_name, host)
        self.world.record.note(self.name, "node.ready", node=node_name, machine=host.name)

    def _daemon_pod(self, node_name: str, host: Host) -> None:
        name = f"calico-node-{host.name[-20:]}"
        if self.store.find(PODS, name, "kube-system") is None:
            image = self.versions.images["calicoNode"]
            made = nodes.pod(name, node_name, host.address, "calico-node", image, "DaemonSet")
            self.store.create(PODS, made, "kube-system")
            host.files.write(
                "/etc/cni/net.d/10-calico.conflist", b'{"name": "k8s-pod-network", "cniVersion": "0.3.1"}\n', 0o644
            )

    def _go_silent(self, node_name: str) -> None:
        found = self.store.find(NODES, node_name)
        if found is None:
            return
        obj = clone(found)
        said = "Kubelet stopped posting node status."
        obj["status"]["conditions"] = nodes.conditions(ready=None, why="NodeStatusUnknown", said=said)
        self.store.replace(NODES, node_name, obj)
        self.world.record.note(self.name, "node.silent", node=node_name)

    def fresh(self, kind: Kind, obj: Object) -> Object:
        """An object as read now: heartbeats of living kubelets are not stored, they are made when someone looks."""
        name = obj["metadata"]["name"]
        if kind is NODES and name in self._kubelets:
            moment = nodes.stamp()
            beats = [entry | {"lastHeartbeatTime": moment} for entry in obj["status"].get("conditions", [])]
            return obj | {"status": obj["status"] | {"conditions": beats}}
        return obj

    def renew_leases(self) -> None:
        """Bring the leases up to date: no one renews them in the background, they are made when someone looks."""
        now = time.time()
        for name in self._kubelets:
            if self.store.find(NODES, name):
                self._renew("kube-node-lease", nodes.lease(name, name, now, 40))
        for service in ("kube-scheduler", "kube-controller-manager"):
            found = [(master, master.running(service)) for master in self.masters if not master.dead]
            leader = next((master.name for master, container in found if container), None)
            if leader is not None:
                self._renew("kube-system", nodes.lease(service, f"{leader}_{service}", now, 15))

    def _renew(self, namespace: str, lease: Object) -> None:
        name = lease["metadata"]["name"]
        old = self.store.find(LEASES, name, namespace)
        if old is None:
            self.store.create(LEASES, lease, namespace)
        else:
            self.store.replace(LEASES, name, old | {"spec": lease["spec"]}, namespace)

    def checks(self) -> dict[str, bool]:
        """What `/readyz?verbose` lists."""
        return {"ping": True, "etcd": any(master.running("etcd") for master in self.masters if not master.dead)}
