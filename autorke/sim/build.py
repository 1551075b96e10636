"""Turns a fleet description into a world: addresses, facts, certificates, state files, running containers."""

from __future__ import annotations

import hashlib
import random
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autorke.sim.fleet import ClusterSpec, Fleet, KindName, MachineGroup, OsName, Place
from autorke.sim.hardware import SYSTEMS, Model, model_of
from autorke.sim.kube.cluster import Cluster
from autorke.sim.kube.kinds import CALICO_KINDS, CONFIG_MAPS, SECRETS
from autorke.sim.kube.pki import SSL, Bundle, ClusterPki
from autorke.sim.machine.facts import DiskFacts, DockerFacts, Facts, GpuFacts, InterfaceFacts
from autorke.sim.machine.host import Host
from autorke.sim.rke import config, containers
from autorke.sim.rke.config import Node
from autorke.sim.rke.versions import line_of, versions_of
from autorke.sim.world import World

PER_NET = 250
"""Addresses used of each third octet."""
CONTRADICTED = ("memory_gb", "cpu_cores", "os_version", "docker_version")
"""What the CMDB may say wrongly of a free machine, in its own field names."""


@dataclass(frozen=True)
class Machine:
    """A machine of the fleet as an inventory sees it; `host` is what it really is.

    The CMDB is wrong about some: `contradicts` names what the machine itself does not confirm.
    """

    host: Host
    model: Model
    kind: KindName
    os: OsName
    place: Place
    rack: int
    unit: int
    owner: str
    business: str
    cluster: str = ""
    roles: tuple[str, ...] = ()
    prepared: bool = True
    faulty: bool = False
    contradicts: str = ""


@dataclass(frozen=True)
class BuiltCluster:
    """A cluster with the files an operator keeps for it."""

    spec: ClusterSpec
    cluster: Cluster
    cluster_yml: str
    state: str
    kubeconfig: str


@dataclass(frozen=True)
class Built:
    machines: list[Machine]
    clusters: list[BuiltCluster]


def build(world: World, fleet: Fleet, net: int, key_path: str, known: Mapping[str, Bundle]) -> Built:
    """Fill a world. Machines get 127.<net>.x.y, clusters first. `known` has the certificates of an earlier run."""
    maker = _Machines(world, fleet, net)
    machines: list[Machine] = []
    clusters: list[BuiltCluster] = []
    for spec in fleet.clusters:
        members = [maker.member(spec, n) for n in range(spec.masters + spec.workers)]
        machines += members
        clusters.append(_cluster(world, fleet, spec, members, key_path, known.get(spec.name)))
    for group in fleet.machines:
        machines += [maker.free(group, n) for n in range(1, group.count + 1)]
    return Built(machines, clusters)


class _Machines:
    """Makes machines with addresses, racks and hardware ids that are the same in every run."""

    def __init__(self, world: World, fleet: Fleet, net: int) -> None:
        self._world = world
        self._seed = fleet.seed
        self._timing = fleet.timing
        self._net = net
        self._addresses = self._all_addresses()
        self._placed: dict[Place, int] = {}

    def _all_addresses(self) -> Iterator[str]:
        for third in range(250):
            for fourth in range(1, PER_NET + 1):
                yield f"127.{self._net}.{third}.{fourth}"

    def member(self, spec: ClusterSpec, n: int) -> Machine:
        master = n < spec.masters
        name = f"{spec.name}-{'m' if master else 'w'}{n + 1 if master else n + 1 - spec.masters:03d}"
        kind = spec.master_kind or spec.kind if master else spec.kind
        made = self._make(name, kind, spec.os, spec.place, prepared=True)
        roles = ("controlplane", "etcd") if master else ("worker",)
        renamed = not master and n + 1 - spec.masters in spec.renamed
        return Machine(*made, spec.owner, spec.business, spec.name, roles, contradicts="hostname" if renamed else "")

    def free(self, group: MachineGroup, n: int) -> Machine:
        made = self._make(f"{group.prefix}-{n:03d}", group.kind, group.os, group.place, prepared=group.prepared)
        faulty = n in group.faulty
        made[0].dead = faulty
        contradicts = CONTRADICTED[n % len(CONTRADICTED)] if n in group.contradicts else ""
        owner, prepared = group.owner, group.prepared
        return Machine(*made, owner, group.business, prepared=prepared, faulty=faulty, contradicts=contradicts)

    def _make(
        self, name: str, kind: KindName, os: OsName, place: Place, *, prepared: bool
    ) -> tuple[Host, Model, KindName, OsName, Place, int, int]:
        address = next(self._addresses)
        digest = hashlib.sha256(f"{self._seed}/{name}".encode()).digest()
        n = self._placed.get(place, 0)
        self._placed[place] = n + 1
        rack, unit = n // place.per_rack + 1, n % place.per_rack + 1
        model = model_of(kind, self._seed, place, rack)
        facts = _facts(name, address, model, os, digest, prepared=prepared)
        facts.docker.pull_seconds = self._timing.pull_seconds
        host = self._world.add_host(name, address, facts)
        return host, model, kind, os, place, rack, unit


def _facts(name: str, address: str, model: Model, os: OsName, digest: bytes, *, prepared: bool) -> Facts:
    system, kernel = SYSTEMS[os]
    dice = random.Random(digest)  # noqa: S311 - variety, not secrets
    disks = [
        DiskFacts(
            mount="/" if n == 0 else "/var/lib/docker" if n == 1 else f"/data{n - 1}",
            device=f"/dev/sd{chr(97 + n)}1",
            size_kb=size * 1_000_000,
            used_kb=int(size * 1_000_000 * dice.uniform(0.04, 0.35)),
        )
        for n, size in enumerate(model.disks)
    ]
    mac = "02:" + ":".join(f"{byte:02x}" for byte in digest[:5])
    gateway = address.rpartition(".")[0] + ".254"
    return Facts(
        hostname=name,
        os=system.model_copy(),
        kernel=kernel,
        cpus=model.cpus,
        cpu_model=model.cpu_model,
        memory_mb=model.memory_gb * 1024,
        available_mb=int(model.memory_gb * 1024 * dice.uniform(0.5, 0.95)),
        disks=disks,
        interfaces=[InterfaceFacts(address=address, mac=mac)],
        gateway=gateway,
        gpus=[GpuFacts(model=model.gpu_model, pci=f"0000:{n:02x}:00.0") for n in range(0x3B, 0x3B + model.gpus)],
        vendor=model.vendor,
        model=model.name,
        serial=serial(digest),
        product_uuid=str(uuid.UUID(bytes=digest[:16], version=4)),
        machine_id=digest[16:].hex(),
        boot_seconds=float(dice.randrange(86_400, 40_000_000)),
        docker=DockerFacts(installed=prepared, running=prepared),
    )


def serial(digest: bytes) -> str:
    return "SN" + digest[:5].hex().upper()


def _cluster(
    world: World, fleet: Fleet, spec: ClusterSpec, members: list[Machine], key_path: str, known: Bundle | None
) -> BuiltCluster:
    masters = [machine.host for machine in members[: spec.masters]]
    pairs = [(host.name, host.address) for host in masters]
    pki = ClusterPki(pairs, pairs, "10.43.0.1", known)
    versions = versions_of(spec.version)
    cluster = Cluster(world, spec.name, versions, pki, masters)
    world.add_cluster(cluster)
    nodes = [
        Node(machine.host.address, world.ssh_port, machine.host.name, machine.roles, fleet.user, key_path)
        for machine in members
    ]
    settings = config.rke_config(versions, nodes, spec.cluster_cidr)
    bundle = cluster.bundle
    state = config.rke_state(settings, bundle)
    for machine in members:
        _deploy(cluster, machine, bundle)
    kind, obj = config.state_object(state, line_of(spec.version))
    stored = CONFIG_MAPS if kind == "ConfigMap" else SECRETS
    cluster.store.create(stored, api_form(obj), "kube-system")
    _network(cluster, spec)
    yml = config.cluster_yml(spec.name, versions, nodes, spec.cluster_cidr)
    return BuiltCluster(spec, cluster, yml, config.state_text(state), pki.kubeconfig())


def api_form(obj: dict[str, object]) -> dict[str, object]:
    """A Secret's `stringData` as the API stores it."""
    import base64

    given = obj.pop("stringData", None)
    if isinstance(given, dict):
        obj["data"] = {key: base64.b64encode(str(value).encode()).decode() for key, value in given.items()}
    return obj


def _deploy(cluster: Cluster, machine: Machine, bundle: dict[str, dict[str, str]]) -> None:
    """What rke has left on a node: files, images, containers, the Node object."""
    host = machine.host
    master = "controlplane" in machine.roles
    names = ["kube-ca", "kube-node", "kube-proxy"]
    if master:
        etcd = f"kube-etcd-{host.address.replace('.', '-')}"
        names += ["kube-apiserver", "kube-controller-manager", "kube-scheduler", etcd]
    for name in names:
        entry = bundle[name]
        host.files.write(f"{SSL}/{name}.pem", entry["certificatePEM"].encode())
        if name != "kube-ca" or master:
            host.files.write(f"{SSL}/{name}-key.pem", entry["keyPEM"].encode())
        if entry["config"]:
            host.files.write(entry["configPath"], entry["config"].encode())
    masters = [other.address for other in cluster.masters]
    bodies = containers.control_plane(cluster.versions, host.address) if master else {}
    bodies |= containers.worker(cluster.versions, host.name, masters, host.facts.docker.root_dir, proxy=not master)
    for name, body in bodies.items():
        found = host.engine.adopt(name, body, host.engine.add_image(body["Image"]))
        if name != "service-sidekick":
            found.state, found.started = "running", found.created
    host.engine.add_image(cluster.versions.images["podInfraContainer"])
    taints = [{"key": "node-role.kubernetes.io/controlplane", "value": "true", "effect": "NoSchedule"}]
    taints += [{"key": "node-role.kubernetes.io/etcd", "value": "true", "effect": "NoExecute"}]
    change = {
        "labels": {f"node-role.kubernetes.io/{role}": "true" for role in machine.roles},
        "annotations": {"rke.cattle.io/external-ip": host.address, "rke.cattle.io/internal-ip": host.address},
        "spec": {"taints": taints} if master else {},
    }
    cluster.add_ready_node(host, host.name, host.address, change)
    cluster.world.adopt_kubelet(host, cluster, host.name)


def _network(cluster: Cluster, spec: ClusterSpec) -> None:
    pool = {
        "cidr": spec.cluster_cidr,
        "blockSize": 26,
        "ipipMode": "Never" if spec.flat_network else "Always",
        "vxlanMode": "Never",
        "natOutgoing": not spec.flat_network,
        "nodeSelector": "all()",
    }
    cluster.store.create(CALICO_KINDS["ippools"], {"metadata": {"name": "default-ipv4-ippool"}, "spec": pool})
    bgp = {"asNumber": 64512, "nodeToNodeMeshEnabled": not spec.flat_network, "logSeverityScreen": "Info"}
    cluster.store.create(CALICO_KINDS["bgpconfigurations"], {"metadata": {"name": "default"}, "spec": bgp})
    about = {
        "calicoVersion": "v{}.{}".format(*cluster.versions.calico),
        "clusterType": "k8s,bgp",
        "datastoreReady": True,
    }
    cluster.store.create(CALICO_KINDS["clusterinformations"], {"metadata": {"name": "default"}, "spec": about})
    if spec.flat_network:
        for n, master in enumerate(cluster.masters, start=1):
            peer = {"peerIP": master.address, "asNumber": 64512, "nodeSelector": "!has(route-reflector)"}
            cluster.store.create(CALICO_KINDS["bgppeers"], {"metadata": {"name": f"route-reflector-{n}"}, "spec": peer})
