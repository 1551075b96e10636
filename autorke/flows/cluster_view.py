"""The cluster as a step sees it: our revisions and nodes from one transaction, the live side read afterwards."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from autorke.checks.context import ClusterContext, ControlHost, Endpoint, KnownNode, LiveNode, live_node
from autorke.checks.settings import settings_in, supported_docker_versions
from autorke.clusters.models import Cluster
from autorke.clusters.models import Node as ClusterNode
from autorke.configs import service as configs
from autorke.configs.models import ConfigRevision, Reason, StateRevision
from autorke.core.db import transaction
from autorke.core.errors import AutoRkeError, Text
from autorke.core.redact import Secrets
from autorke.credentials import service as credentials
from autorke.drivers.base import SshTarget
from autorke.drivers.kube import Kube
from autorke.drivers.rkefiles.cluster_yml import ClusterYml
from autorke.drivers.rkefiles.files import Files
from autorke.drivers.rkefiles.merge import compact_text
from autorke.drivers.rkefiles.rkestate import RkeState
from autorke.flows.targets import ssh_targets
from autorke.machines.models import Machine
from autorke.users.access import Actor
from autorke.workflow.context import Context

API_PORT = 6443
Logins = Literal["none", "control", "sample"]
"""Whose SSH logins are opened: nobody's, those of controlplane and etcd hosts, those of a few workers. A cluster has
thousands of nodes, and a step seldom wants to log in to any of them."""
CONTROL = ("controlplane", "etcd")
SAMPLE = 3
"""Workers that may be asked one after another what runs on a worker of this cluster."""


@dataclass(frozen=True)
class ClusterView:
    """One consistent look at our database. Texts and kubeconfig hold secrets, so they are left out of repr()."""

    id: UUID
    name: str
    ca_fingerprint: str
    config_number: int
    state_number: int
    cluster_yml: str = field(repr=False)
    rkestate: str = field(repr=False)
    kubeconfig: str = field(repr=False)
    reachable: dict[str, SshTarget] = field(repr=False)
    """SSH targets of the cluster's own nodes by address, where we know the machine; for reads only."""
    files: Files = field(repr=False, compare=False)

    @property
    def config(self) -> ClusterYml:
        """The recorded cluster.yml. Raises RkeFileError."""
        return self.files.config(self.cluster_yml)

    @property
    def state(self) -> RkeState:
        """The recorded state. Raises RkeFileError."""
        return self.files.state(self.rkestate)

    @cached_property
    def state_sha256(self) -> str:
        """Of the state's canonical form, as that of a copy."""
        return _canonical_sha256(self.rkestate, self.files)

    def kube(self) -> Kube:
        """A client of the cluster's API; opens no connection yet."""
        return Kube(self.kubeconfig)


def recorded(session: Session, cluster_id: UUID, files: Files | None = None) -> ClusterView:
    """Our own records of it, no login opened; `files` has read some of them before. Raises NotFound."""
    cluster = session.get_one(Cluster, cluster_id)
    config = configs.current(session, ConfigRevision, cluster_id)
    state = configs.current(session, StateRevision, cluster_id)
    return ClusterView(
        id=cluster_id,
        name=cluster.name,
        ca_fingerprint=cluster.ca_fingerprint,
        config_number=config.number,
        state_number=state.number,
        cluster_yml=configs.open_text(config),
        rkestate=configs.open_text(state),
        kubeconfig="",
        reachable={},
        files=files or Files(),
    )


@dataclass(frozen=True)
class Serving:
    """The nodes that serve a cluster, and those of all other clusters."""

    members: tuple[KnownNode, ...]
    others: tuple[KnownNode, ...]


def serving(session: Session, cluster_id: UUID) -> Serving:
    """As values: there are thousands."""
    query = (
        select(Cluster.name, ClusterNode.hostname, ClusterNode.address, ClusterNode.internal_address)
        .add_columns(ClusterNode.roles, ClusterNode.cluster_id)
        .join(Cluster, Cluster.id == ClusterNode.cluster_id)
        .where(ClusterNode.left_at.is_(None))
    )
    nodes = [
        (owner, KnownNode(cluster, hostname, address, internal, hostname, roles=tuple(roles)))
        for cluster, hostname, address, internal, roles, owner in session.execute(query)
    ]
    return Serving(
        members=tuple(node for owner, node in nodes if owner == cluster_id),
        others=tuple(node for owner, node in nodes if owner != cluster_id),
    )


def load(
    session: Session,
    cluster_id: UUID,
    *,
    purpose: str,
    secrets: Secrets,
    actor: Actor | None = None,
    logins: Logins,
    files: Files | None = None,
) -> ClusterView:
    """Records, kubeconfig and SSH logins. The secrets opened are registered for masking. Raises NotFound."""
    view = recorded(session, cluster_id, files)
    cluster = session.get_one(Cluster, cluster_id)
    kubeconfig = ""
    if cluster.kubeconfig_credential_id is not None:
        credential = cluster.kubeconfig_credential_id
        kubeconfig = credentials.open_secret(session, credential, purpose=purpose, actor=actor).values["kubeconfig"]
        secrets.add(kubeconfig)
    with_login = dict(_with_login(session, cluster_id, logins)) if logins != "none" else {}
    targets = ssh_targets(session, with_login, purpose=purpose, secrets=secrets, actor=actor)
    reachable = {with_login[machine_id]: target for machine_id, target in targets.items()}
    return replace(view, kubeconfig=kubeconfig, reachable=reachable)


def _with_login(session: Session, cluster_id: UUID, logins: Logins) -> list[tuple[UUID, str]]:
    query = (
        select(Machine.id, ClusterNode.address)
        .join(Machine, Machine.id == ClusterNode.machine_id)
        .where(ClusterNode.cluster_id == cluster_id, ClusterNode.left_at.is_(None))
        .where(Machine.credential_id.is_not(None))
    )
    control = or_(*(ClusterNode.roles.contains([role]) for role in CONTROL))
    if logins == "control":
        query = query.where(control)
    else:
        pure_first = (control, ClusterNode.hostname)
        query = query.where(ClusterNode.roles.contains(["worker"])).order_by(*pure_first).limit(SAMPLE)
    return [(machine_id, address) for machine_id, address in session.execute(query)]


def of(ctx: Context, logins: Logins = "none") -> ClusterView:
    """The cluster of a ticket, for the step that is running."""
    with transaction() as session:
        purpose = f"{ctx.step_key}, ticket {ctx.ticket_number}"
        who: dict[str, Any] = {"purpose": purpose, "secrets": ctx.secrets, "files": files_of(ctx)}
        return load(session, ctx.params.cluster_id, logins=logins, **who)


def files_of(ctx: Context) -> Files:
    """What has read the cluster's files in this attempt."""
    files: Files = ctx.kept.setdefault("files", Files())
    return files


@dataclass(frozen=True)
class LiveView:
    """What the running cluster says of itself, or why it could not be asked."""

    nodes: tuple[LiveNode, ...] | None = None
    error: Text | None = None
    server_ca: str | None = None
    state_copy: str | None = field(default=None, repr=False)
    state_copy_version: str | None = None
    files: Files = field(default_factory=Files, repr=False, compare=False)

    @cached_property
    def state_copy_sha256(self) -> str | None:
        """Of the copy's canonical form, so that layout and the file's indentation do not matter."""
        return _canonical_sha256(self.state_copy, self.files) if self.state_copy is not None else None


def read_live(view: ClusterView) -> LiveView:
    """Ask the Kubernetes API. Nothing is raised for a cluster that does not answer: that is a finding."""
    kube = view.kube()
    try:
        server_ca = kube.server_ca_fingerprint()
        nodes = tuple(live_node(body) for body in kube.node_bodies())
        copy = kube.state_store().read()
    except AutoRkeError as error:
        return LiveView(error=error.message)
    finally:
        kube.close()
    return LiveView(
        nodes=nodes,
        server_ca=server_ca,
        state_copy=copy[1] if copy else None,
        state_copy_version=copy[2] if copy else None,
        files=view.files,
    )


MOST_BEHIND = 50
"""Nodes of one batch whose entries may have been recorded without being copied."""


def copy_is(copy: str | None, view: ClusterView) -> bool:
    """Whether the copy in the cluster says what is on record."""
    return copy is not None and _canonical_sha256(copy, view.files) == view.state_sha256


def _earlier_copy(view: ClusterView, live: LiveView) -> str | None:
    """Asked only when the copy differs: is it an earlier revision, on which only tickets of ours have built since?"""
    if live.state_copy is None or live.state_copy_sha256 == view.state_sha256:
        return None
    with transaction() as session:
        revision = configs.get(session, StateRevision, view.id, view.state_number)
        for _ in range(MOST_BEHIND):
            if revision.reason != Reason.AFTER or revision.parent is None:
                return None
            revision = configs.get(session, StateRevision, view.id, revision.parent)
            if _canonical_sha256(configs.open_text(revision), view.files) == live.state_copy_sha256:
                return live.state_copy_sha256
    return None


def _canonical_sha256(text: str, files: Files) -> str:
    with suppress(AutoRkeError):  # an unreadable copy keeps its own hash, which is not the recorded one
        text = compact_text(files.state(text))
    return hashlib.sha256(text.encode()).hexdigest()


def check_context(
    view: ClusterView,
    live: LiveView,
    nodes: Serving,
    *,
    initialise_follows: bool,
    docker_root: str = "",
) -> ClusterContext:
    """What the checks are told of the cluster."""
    # a state that cannot be read is a finding, not an error here
    settings = settings_in(view.rkestate, read=view.files.state)
    control = [node for node in nodes.members if set(CONTROL) & set(node.roles)]
    return ClusterContext(
        id=str(view.id),
        name=view.name,
        cluster_yml=view.cluster_yml,
        rkestate=view.rkestate,
        settings=settings,
        now=datetime.now(UTC),
        expected_ca=view.ca_fingerprint,
        server_ca=live.server_ca,
        members=nodes.members,
        others=nodes.others,
        live=live.nodes,
        live_error=live.error,
        state_copy_sha256=live.state_copy_sha256,
        recorded_copy_sha256=view.state_sha256 if live.state_copy is not None else None,
        earlier_copy_sha256=_earlier_copy(view, live),
        supported_docker=supported_docker_versions(settings),
        docker_root=docker_root,
        controlplane=tuple(Endpoint(node.internal, API_PORT) for node in control if "controlplane" in node.roles),
        control_hosts=tuple(
            ControlHost(view.reachable[node.address], node.roles) for node in control if node.address in view.reachable
        ),
        initialise_follows=initialise_follows,
        files=view.files,
    )
