"""Compare what we keep of a cluster with the cluster itself: read-only, and what differs is shown, never repaired."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from autorke.clusters import nodes, service
from autorke.clusters.models import Cluster
from autorke.configs import service as configs
from autorke.configs.models import StateRevision
from autorke.core.db import db_now
from autorke.core.errors import AutoRkeError, Text
from autorke.drivers.kube import Kube, KubeNode
from autorke.drivers.rkefiles.errors import ChangePending, RkeFileError
from autorke.drivers.rkefiles.fullstate import check_copy
from autorke.drivers.rkefiles.rkestate import check_settled, read_state
from autorke.users import audit
from autorke.users.access import Actor


class Drift(AutoRkeError):
    """One thing that differs. Stored and shown in the form of a refusal; never raised."""

    status = 409
    code = "drift"


class CaDrift(Drift):
    code = "drift-ca"
    text = Text(
        zh="API 服务器的 CA 是 {live}，登记的是 {known}",
        en="The API server's CA is {live}, the recorded one is {known}",
    )
    remedy = Text(zh="停止一切变更，查明集群是否被重建", en="Stop all changes and find out whether it was rebuilt")


class VersionDrift(Drift):
    code = "drift-version"
    text = Text(zh="集群运行 {live}，登记的是 {known}", en="The cluster runs {live}, the recorded version is {known}")
    remedy = Text(zh="重新导入，或通过工单完成升级", en="Import it anew, or finish the upgrade by a ticket")


class NodeMissing(Drift):
    code = "drift-node-missing"
    text = Text(zh="节点 {node} 不在 Kubernetes 中", en="Node {node} is not in Kubernetes")
    remedy = Text(zh="检查该机器的 kubelet，或通过工单移除", en="Look at its kubelet, or remove it by a ticket")


class NodeUnknown(Drift):
    code = "drift-node-unknown"
    text = Text(
        zh="Kubernetes 中的节点 {node}（{address}）没有登记", en="Kubernetes has node {node} ({address}), we do not"
    )
    remedy = Text(
        zh="有人在平台外加入了它；查明后补入 cluster.yml 与 rkestate",
        en="Somebody joined it elsewhere; find out who, then bring cluster.yml and rkestate up to date",
    )


class NodeMoved(Drift):
    code = "drift-node-address"
    text = Text(
        zh="节点 {node} 的地址是 {live}，登记的是 {known}", en="Node {node} has address {live}, recorded is {known}"
    )
    remedy = Text(zh="确认是否同一台机器", en="Make sure that it is the same machine")


class NodeDown(Drift):
    code = "drift-node-not-ready"
    text = Text(zh="节点 {node} 未就绪：{reason}", en="Node {node} is not Ready: {reason}")
    remedy = Text(zh="检查该节点", en="Look at that node")


@dataclass(frozen=True)
class Known:
    """What we keep of a cluster, as values: the kubeconfig and the state hold secrets."""

    cluster_id: UUID
    kubernetes_version: str
    ca_fingerprint: str
    addresses: dict[str, str]
    kubeconfig: str = field(repr=False)
    rkestate: str = field(repr=False)


def known(session: Session, cluster: Cluster, *, actor: Actor | None) -> Known:
    """Everything that `look` compares with; the opening of the kubeconfig is on the record."""
    serving = nodes.current(session, cluster.id)
    return Known(
        cluster_id=cluster.id,
        kubernetes_version=cluster.kubernetes_version,
        ca_fingerprint=cluster.ca_fingerprint,
        addresses={node.hostname: node.internal_address for node in serving},
        kubeconfig=service.kubeconfig_of(session, cluster, purpose="verify cluster", actor=actor),
        rkestate=configs.open_text(configs.current(session, StateRevision, cluster.id)),
    )


def look(record: Known) -> list[dict[str, Any]]:
    """What differs, in words; empty when nothing does. Call it outside of a transaction. Raises KubeUnreachable."""
    with Kube(record.kubeconfig) as kube:
        return [drift.as_json() for drift in _differences(record, kube)]


def _differences(record: Known, kube: Kube) -> Iterator[AutoRkeError]:
    ca = kube.server_ca_fingerprint()
    if ca != record.ca_fingerprint:
        yield CaDrift(field="ca_fingerprint", live=ca[:16], known=record.ca_fingerprint[:16])
    version = kube.version()
    if record.kubernetes_version.partition("-")[0] != version.partition("-")[0].partition("+")[0]:
        yield VersionDrift(field="kubernetes_version", live=version, known=record.kubernetes_version)
    yield from _node_differences(record.addresses, kube.nodes())
    try:
        state = read_state(record.rkestate)
        check_copy(kube.state_store(), state)
        check_settled(state)
    except (RkeFileError, ChangePending) as error:
        yield error


def _node_differences(addresses: dict[str, str], live: Sequence[KubeNode]) -> Iterator[Drift]:
    found = {(node.hostname or node.name).lower(): node for node in live}
    for name, address in addresses.items():
        node = found.get(name)
        if node is None:
            yield NodeMissing(field=f"nodes.{name}", node=name)
            continue
        if node.internal_ip and node.internal_ip != address:
            yield NodeMoved(field=f"nodes.{name}", node=name, live=node.internal_ip, known=address)
        if not node.ready:
            yield NodeDown(field=f"nodes.{name}", node=name, reason=node.condition or "no Ready condition")
    for name, node in found.items():
        if name not in addresses:
            yield NodeUnknown(field=f"nodes.{name}", node=name, address=node.internal_ip)


def record_drift(session: Session, cluster_id: UUID, drift: list[dict[str, Any]], *, actor: Actor | None) -> Cluster:
    """Keep what `look` found. Raises NotFound."""
    cluster = service.get(session, cluster_id)
    values = {"drift": drift, "verified_at": db_now(session)}
    session.execute(update(Cluster).where(Cluster.id == cluster_id).values(**values))
    session.refresh(cluster)
    audit.record(
        session,
        actor,
        action="cluster.verify",
        object_type="cluster",
        object_id=cluster_id,
        codes=sorted({str(item["code"]) for item in drift}),
    )
    return cluster
