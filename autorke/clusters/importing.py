"""Import a running cluster from its three files. No connection is made: `verify` compares with the live cluster later.

Everything is checked before the first row is written, and all of it is one transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from autorke.clusters import nodes
from autorke.clusters.errors import ClusterKnown, KubeconfigOfOtherCluster, MachineAmbiguous, VersionUnknown
from autorke.clusters.models import Cluster, ClusterState
from autorke.clusters.nodes import NewNode
from autorke.configs import service as configs
from autorke.configs.models import Reason
from autorke.core.errors import AutoRkeError
from autorke.credentials import service as credentials
from autorke.credentials.kinds import Kubeconfig, Material
from autorke.drivers.rkefiles.cluster_yml import ClusterYml, read_cluster_yml
from autorke.drivers.rkefiles.errors import ChangePending
from autorke.drivers.rkefiles.nodes import RkeNode
from autorke.drivers.rkefiles.rkestate import RkeState, check_belongs, check_settled, read_state
from autorke.machines import conflicts
from autorke.machines.models import Machine, MachineState
from autorke.users import audit
from autorke.users.access import Actor

WHOLE_FILES = ("cluster.yml", "cluster.rkestate")
"""What the readers of these files call a fault of the file as a whole."""


@dataclass(frozen=True)
class Files:
    """The three files as they were sent; they hold secrets, so no repr()."""

    cluster_yml: str = field(repr=False)
    rkestate: str = field(repr=False)
    kubeconfig: str = field(repr=False)


@dataclass(frozen=True)
class Checked:
    """Files that belong together."""

    config: ClusterYml
    state: RkeState
    kubeconfig: Material
    kubernetes_version: str
    drift: list[dict[str, Any]]


@contextmanager
def _named(file: str) -> Iterator[None]:
    """Whatever is refused inside names the file in front of its field: `cluster_yml.nodes.address`."""
    try:
        yield
    except AutoRkeError as error:
        inner = (error.field or file).removeprefix("secret.")
        error.field = file if inner in (file, *WHOLE_FILES) else f"{file}.{inner}"
        raise


def check_files(files: Files) -> Checked:
    """The three files, each valid and all of one cluster. Raises RkeFileError and others that name file and field."""
    with _named("cluster_yml"):
        config = read_cluster_yml(files.cluster_yml)
    with _named("rkestate"):
        state = read_state(files.rkestate)
        check_belongs(state, config)
    with _named("kubeconfig"):
        material = Kubeconfig(kind="kubeconfig", kubeconfig=SecretStr(files.kubeconfig)).material()
        seen = material.public["ca_sha256"]
        if seen != state.ca_fingerprint:
            raise KubeconfigOfOtherCluster(actual=str(seen)[:16], expected=state.ca_fingerprint[:16])
    deployed = str(state.current_config["kubernetesVersion"])
    if config.kubernetes_version and config.kubernetes_version != deployed:
        raise VersionUnknown(
            field="cluster_yml.kubernetes_version", configured=config.kubernetes_version, deployed=deployed
        )
    drift: list[dict[str, Any]] = []
    try:
        check_settled(state)
    except ChangePending as error:  # no reason to refuse: the cluster runs, and each change checks this again
        drift.append(error.as_json())
    return Checked(config, state, material, deployed, drift)


def import_cluster(session: Session, *, actor: Actor, name: str, files: Files, fields: Mapping[str, Any]) -> Cluster:
    """The cluster with its nodes, its first config and state revision, and its machines linked.

    `fields`: description, flat_network, gate_policy. Raises what `check_files` raises, ClusterKnown, NodesTaken,
    MachineAmbiguous, MachinesUnavailable.
    """
    checked = check_files(files)
    _refuse_known(session, name, checked.state.ca_fingerprint)
    nodes.refuse_taken(session, checked.config.nodes)
    machines = link_machines(session, checked.config.nodes)
    cluster = _new_cluster(session, name, checked, actor, fields)
    _first_revisions(session, cluster, files, checked, actor)
    joined = [NewNode(node, machines.get(node.address)) for node in checked.config.nodes]
    nodes.add(session, cluster, joined, config_number=1, ticket_id=None)
    conflicts.refresh(session, [machine.id for machine in machines.values()])
    audit.record(
        session,
        actor,
        action="cluster.import",
        object_type="cluster",
        object_id=cluster.id,
        name=name,
        nodes=len(joined),
        machines=len(machines),
    )
    return cluster


def _new_cluster(session: Session, name: str, checked: Checked, actor: Actor, fields: Mapping[str, Any]) -> Cluster:
    """The cluster's row, with its kubeconfig sealed as a credential of its own."""
    credential = credentials.create(
        session,
        actor=actor,
        name=f"kubeconfig-{name}",
        note=f"cluster {name}",
        kind="kubeconfig",
        material=checked.kubeconfig,
    )
    cluster = Cluster(
        name=name,
        kubernetes_version=checked.kubernetes_version,
        api_url=checked.kubeconfig.public["server"],
        ca_fingerprint=checked.state.ca_fingerprint,
        kubeconfig_credential_id=credential.id,
        network_plugin=_network_plugin(checked.state),
        private_registry=bool(checked.config.document.get("private_registries")),
        drift=checked.drift,
        created_by=actor.name,
        **fields,
    )
    session.add(cluster)
    session.flush()
    return cluster


def _network_plugin(state: RkeState) -> str:
    network = state.current_config.get("network")
    return str(network.get("plugin") or "") if isinstance(network, Mapping) else ""


def _refuse_known(session: Session, name: str, ca_fingerprint: str) -> None:
    query = select(Cluster).where(or_(Cluster.name == name, Cluster.ca_fingerprint == ca_fingerprint))
    for cluster in session.scalars(query):
        if cluster.name == name:
            raise ClusterKnown(field="name", what=name, name=cluster.name)
        if cluster.state == ClusterState.ACTIVE.value:
            raise ClusterKnown(field="rkestate", what=f"CA {ca_fingerprint[:16]}", name=cluster.name)


def _first_revisions(session: Session, cluster: Cluster, files: Files, checked: Checked, actor: Actor) -> None:
    addresses = [node.address for node in checked.config.nodes]
    configs.add_config(
        session,
        cluster_id=cluster.id,
        cluster=checked.config,
        reason=Reason.IMPORT,
        created_by=actor.name,
        expected_nodes=addresses,
    )
    configs.add_state(
        session,
        cluster_id=cluster.id,
        content=files.rkestate,
        reason=Reason.IMPORT,
        created_by=actor.name,
        expected_nodes=addresses,
        ca_fingerprint=cluster.ca_fingerprint,
    )


def link_machines(session: Session, found: Sequence[RkeNode]) -> dict[str, Machine]:
    """Node address → the machine behind it, known by address, else by internal address, else by host name.

    A host name alone links too: a serving machine that stayed "free" because the CMDB has another address of it is how
    a serving node came to be initialised (design §1). Raises MachineAmbiguous.
    """
    candidates = _candidates(session, found)
    linked: dict[str, Machine] = {}
    owner: dict[object, str] = {}
    for node in found:
        machine = _machine_of(node, candidates)
        if machine is None:
            continue
        if machine.id in owner:
            raise MachineAmbiguous(field="cluster_yml.nodes", node=node.address, machines=machine.hostname)
        owner[machine.id] = node.address
        linked[node.address] = machine
    return linked


@dataclass
class _Candidates:
    """Machines that may be behind nodes, by each way in which one is known: a cluster has thousands of both."""

    by_address: dict[str, list[Machine]] = field(default_factory=lambda: defaultdict(list))
    by_any_address: dict[str, list[Machine]] = field(default_factory=lambda: defaultdict(list))
    by_name: dict[str, list[Machine]] = field(default_factory=lambda: defaultdict(list))

    def add(self, machine: Machine) -> None:
        self.by_address[machine.address].append(machine)
        for address in {machine.address, machine.internal_address}:
            self.by_any_address[address].append(machine)
        self.by_name[machine.hostname].append(machine)

    def of(self, node: RkeNode) -> Iterator[list[Machine]]:
        """Those that fit, the surest way first."""
        address, internal = nodes.canonical(node.address), nodes.canonical(node.internal_address)
        yield self.by_address.get(address, [])
        yield _found(self.by_any_address, {address, internal})
        yield _found(self.by_name, {node.hostname, node.address})


def _found(by: Mapping[str, list[Machine]], keys: Iterable[str]) -> list[Machine]:
    """Each machine once, whatever it is found by."""
    return list({machine.id: machine for key in keys for machine in by.get(key, [])}.values())


def _candidates(session: Session, found: Iterable[RkeNode]) -> _Candidates:
    addresses = {text for node in found for text in (node.address, node.internal_address) if nodes.is_ip(text)}
    names = {text for node in found for text in (node.address, node.hostname) if not nodes.is_ip(text)}
    query = select(Machine).where(
        or_(Machine.address.in_(addresses), Machine.internal_address.in_(addresses), Machine.hostname.in_(names)),
        Machine.state != MachineState.RETIRED.value,
    )
    candidates = _Candidates()
    for machine in session.scalars(query):
        candidates.add(machine)
    return candidates


def _machine_of(node: RkeNode, candidates: _Candidates) -> Machine | None:
    for hits in candidates.of(node):
        if len(hits) > 1:
            names = ", ".join(sorted(f"{machine.hostname} {machine.address}" for machine in hits))
            raise MachineAmbiguous(field="cluster_yml.nodes", node=node.address, machines=names)
        if hits:
            return hits[0]
    return None
