"""Add one worker to a cluster that is known by its files: what `autorke rke worker add` does, in order."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autorke.cli.rke_access import Access, target_of
from autorke.drivers.base import DriverError, Emit, Remote
from autorke.drivers.docker import docker_over
from autorke.drivers.kube import Kube, KubeNode
from autorke.drivers.rkefiles import storage
from autorke.drivers.rkefiles.cluster_yml import ClusterYml, read_cluster_yml
from autorke.drivers.rkefiles.edit import add_workers
from autorke.drivers.rkefiles.errors import DuplicateNode
from autorke.drivers.rkefiles.fullstate import check_copy, push_state
from autorke.drivers.rkefiles.merge import read_back, state_text, with_workers_added
from autorke.drivers.rkefiles.nodes import RkeNode
from autorke.drivers.rkefiles.rkestate import RkeState, check_belongs, check_settled, read_state
from autorke.drivers.ssh import connect
from autorke.drivers.workerplane.certificates import serving_certificate
from autorke.drivers.workerplane.clone import compare_with_worker, require_equal
from autorke.drivers.workerplane.config import ClusterConfig, live_host_info, read_config
from autorke.drivers.workerplane.join import JoinReport, Patience, join_worker
from autorke.drivers.workerplane.nodeobject import marks_patch, node_marks
from autorke.drivers.workerplane.plan import JoinPlan, plan_join
from autorke.drivers.workerplane.spec import serving_certificate_name


@dataclass(frozen=True)
class ClusterFiles:
    """The files of a cluster directory, read and found to belong together."""

    path: Path
    cluster: ClusterYml
    state: RkeState
    state_text: str = field(repr=False)
    kubeconfig: str = field(repr=False)


@dataclass(frozen=True)
class Prepared:
    """Everything that is known before the first change; `compared_with` is the worker that was looked at."""

    node: RkeNode
    plan: JoinPlan
    certificates: Mapping[str, Mapping[str, Any]] = field(repr=False)
    merged: RkeState = field(repr=False)
    new_cluster: ClusterYml = field(repr=False)
    copy_version: str | None
    compared_with: str | None


def read_files(path: Path, kubeconfig: Path | None = None) -> ClusterFiles:
    """Read cluster.yml, the state and the kubeconfig; refuse a state that is broken, foreign, or amid a change.

    Raises RkeFileError subclasses.
    """
    cluster = read_cluster_yml(storage.read_text(path))
    text = storage.read_text(storage.state_path(path))
    state = read_state(text)
    check_belongs(state, cluster)
    check_settled(state)
    access = storage.read_text(kubeconfig or storage.kubeconfig_path(path))
    return ClusterFiles(path=path, cluster=cluster, state=state, state_text=text, kubeconfig=access)


def prepare(files: ClusterFiles, node: RkeNode, remote: Remote, kube: Kube, access: Access, say: Emit) -> Prepared:
    """Compute the plan; reads only, on the target, on one healthy worker and in the cluster.

    Raises what the checks raise: StateOfOtherCluster, DuplicateNode, SpecDiffers, UnknownKubernetesVersion.
    """
    check_belongs(files.state, files.cluster, ca_fingerprint=kube.server_ca_fingerprint())
    copy_version = check_copy(kube.state_store(), files.state)
    registered = kube.nodes()
    _check_name_is_free(node, registered)
    config = read_config(files.state.desired_config)
    compared = _compare(files, config, registered, access, say)
    certificates = _serving_certificates(config, node, files.state)
    merged = with_workers_added(files.state, [node], certificates)
    host = live_host_info(config, docker_over(remote).info())
    plan = plan_join(config, node, host, merged.certificates, cluster_nodes=merged.nodes)
    return Prepared(
        node=node,
        plan=plan,
        certificates=certificates,
        merged=merged,
        new_cluster=add_workers(files.cluster, [node]),
        copy_version=copy_version,
        compared_with=compared,
    )


def _check_name_is_free(node: RkeNode, registered: list[KubeNode]) -> None:
    """A Node of this hostname is there already: fine after a join that was cut short, otherwise another machine's."""
    for other in registered:
        same_name = other.hostname.lower() == node.hostname or other.name == node.hostname
        if same_name and other.internal_ip not in ("", node.internal_address, node.address):
            raise DuplicateNode(
                field="nodes.hostname_override",
                node=node.address,
                other=other.internal_ip,
                what="hostname_override",
                value=node.hostname,
            )


def _serving_certificates(config: ClusterConfig, node: RkeNode, state: RkeState) -> dict[str, Mapping[str, Any]]:
    if not config.serving_certificates:
        return {}
    return {serving_certificate_name(node): serving_certificate(node, state.certificates["kube-ca"])}


def _compare(
    files: ClusterFiles, config: ClusterConfig, registered: list[KubeNode], access: Access, say: Emit
) -> str | None:
    """Hold rkeConfig against the first Ready worker that answers; None when the cluster has no such worker."""
    ready = {node.hostname.lower() for node in registered if node.ready}
    for worker in files.state.nodes:
        if worker.roles != ("worker",) or worker.hostname not in ready:
            continue
        try:
            with connect(target_of(worker, files.cluster, access)) as remote:
                found = compare_with_worker(config, worker, docker_over(remote))
        except DriverError as error:
            say(worker.hostname, f"not compared: {error.code}")
            continue
        require_equal(worker, found)
        say(worker.hostname, "its containers are what rkeConfig says")
        return worker.hostname
    return None


def carry_out(
    files: ClusterFiles, prepared: Prepared, remote: Remote, kube: Kube, say: Emit, *, ready_timeout: float
) -> JoinReport:
    """Join the machine, wait for its Node, mark it, then write the state, inside the cluster first, and the files.

    The order leaves nothing half-true: until the machine serves, no file names it; and every step can be run again.
    """
    report = join_worker(docker_over(remote), remote, prepared.plan, say, patience=Patience())
    kube.wait_ready(prepared.node.hostname, timeout=ready_timeout, emit=say)
    marks = node_marks(prepared.node)
    kube.change_node(prepared.node.hostname, lambda body: marks_patch(body, marks))
    say(prepared.node.hostname, "labels, annotations and taints are set")
    kind, _ = push_state(kube.state_store(), prepared.merged, resource_version=prepared.copy_version)
    say(prepared.node.hostname, f"{kind} full-cluster-state is written")
    _write_files(files, prepared)
    say(prepared.node.hostname, f"{files.path.name} and {storage.state_path(files.path).name} are written")
    return report


def _write_files(files: ClusterFiles, prepared: Prepared) -> None:
    text = state_text(prepared.merged, like=files.state_text)
    read_back(text, files.state, [prepared.node], tuple(prepared.certificates))
    storage.replace_text(storage.state_path(files.path), text, expected=files.state_text)
    storage.replace_text(files.path, prepared.new_cluster.text, expected=files.cluster.text)


def open_cluster(stack: ExitStack, files: ClusterFiles, node: RkeNode, access: Access) -> tuple[Remote, Kube]:
    """Connect to the target and to the API, through the bastion where the cluster has one."""
    target = target_of(node, files.cluster, access)
    remote = stack.enter_context(connect(target))
    via = stack.enter_context(connect(target.bastion)) if target.bastion else None
    return remote, stack.enter_context(Kube(files.kubeconfig, via=via))
