"""`Kube`: what flows ask of one cluster's Kubernetes API, and the few changes that they make there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from autorke.drivers.base import Emit, KubeUnreachable, Remote
from autorke.drivers.kube import health
from autorke.drivers.kube.errors import KubeCaMismatch, KubeConflict, KubeNotFound, NodeNotReady
from autorke.drivers.kube.kubeconfig import read_kubeconfig
from autorke.drivers.kube.nodes import (
    HOSTNAME_LABEL,
    KubeNode,
    KubePod,
    NodeTaint,
    hostname_selectors,
    node_patch,
    parse_node,
    parse_pod,
)
from autorke.drivers.kube.objects import Resource
from autorke.drivers.kube.session import MERGE_PATCH, KubeSession, path
from autorke.drivers.kube.state_copy import StateCopy

_TRIES = 6
_NODES = path("api", "v1", "nodes")

NodeChange = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""From a Node object to a merge patch pinned to its resourceVersion, or None when nothing is to be changed."""


class Kube:
    """One cluster. `timeout` is in seconds for a connection, an answer may take three times as long; `via` is an open
    connection to a bastion of the API.

    The kubeconfig stays in memory. Nothing is sent before the first call. Raises KubeconfigUnusable; every call raises
    KubeUnreachable, KubeCaMismatch, KubeForbidden, KubeNotFound, KubeConflict, KubeError, and KubeOutcomeUnknown when
    a change got no answer.
    """

    def __init__(self, kubeconfig: str, *, timeout: float = 10.0, via: Remote | None = None) -> None:
        self._session = KubeSession(read_kubeconfig(kubeconfig), timeout, via)

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def version(self) -> str:
        """`v1.20.15`, as the API server tells it."""
        return str(self._session.get("/version", what="version")["gitVersion"])

    def server_ca_fingerprint(self) -> str:
        """SHA-256 in hex of the CA that the API server's certificate proves to come from. Raises KubeCaMismatch."""
        return self._session.server_ca_fingerprint()

    def component_health(self) -> list[health.ComponentHealth]:
        return health.component_health(self._session)

    def state_store(self) -> StateCopy:
        """The copy of rke's state inside this cluster."""
        return StateCopy(self._session)

    def resource(self, group: str, version: str, plural: str, namespace: str | None = None) -> Resource:
        """Objects of any kind, custom ones included; `group` is empty for the core."""
        return Resource(self._session, group, version, plural, namespace)

    def node_bodies(self) -> Iterator[dict[str, Any]]:
        """Every Node object as the API returns it."""
        return self._session.items(_NODES, what="list nodes")

    def nodes(self) -> list[KubeNode]:
        return [parse_node(body) for body in self.node_bodies()]

    def node_by_hostname(self, hostname: str) -> KubeNode | None:
        """The node with that label `kubernetes.io/hostname`, in any case of letters, as rke finds it; not by name."""
        body = self._node_body(hostname)
        return parse_node(body) if body else None

    def change_node(self, hostname: str, change: NodeChange) -> KubeNode:
        """Patch a node; `change` is asked again, with the newer object, when somebody else was faster.

        Raises KubeNotFound, and KubeConflict after six tries.
        """
        for attempt in range(1, _TRIES + 1):
            body = self._node_body(hostname)
            if body is None:
                raise KubeNotFound(what=f"change node {hostname}", reason="no node has this hostname")
            patch = change(body)
            if patch is None:
                return parse_node(body)
            where, what = path("api", "v1", "nodes", body["metadata"]["name"]), f"change node {hostname}"
            try:
                return parse_node(self._session.change("PATCH", where, patch, what=what, content_type=MERGE_PATCH))
            except KubeConflict:
                if attempt == _TRIES:
                    raise
                time.sleep(0.1 * attempt)
        raise AssertionError("unreachable")

    def patch_node(
        self,
        hostname: str,
        *,
        labels: Mapping[str, str | None] | None = None,
        annotations: Mapping[str, str | None] | None = None,
        taints: Sequence[NodeTaint] | None = None,
        unschedulable: bool | None = None,
    ) -> KubeNode:
        """Set what is given and leave the rest; a label or annotation of None is removed, `taints` replaces all."""
        return self.change_node(
            hostname, lambda body: node_patch(body, labels or {}, annotations or {}, taints, unschedulable)
        )

    def delete_node(self, name: str) -> None:
        """A node that is gone already is fine."""
        try:
            self._session.change("DELETE", path("api", "v1", "nodes", name), None, what=f"delete node {name}")
        except KubeNotFound:
            return

    def wait_ready(self, hostname: str, *, timeout: float, emit: Emit, interval: float = 2.0) -> KubeNode:
        """Until the node is Ready; each new reason why it is not goes to `emit`. Raises NodeNotReady.

        An API that does not answer for a while is a reason to wait, not to fail.
        """
        deadline, told = time.monotonic() + timeout, ""
        while True:
            try:
                body = self._node_by_selector(hostname)
                node = parse_node(body) if body else None
                reason = "it has not registered" if node is None else node.condition or "no Ready condition"
            except KubeCaMismatch:
                raise
            except KubeUnreachable as error:
                node, reason = None, error.message.en
            if node is not None and node.ready:
                emit(hostname, f"node {node.name} is Ready")
                return node
            if reason != told:
                emit(hostname, f"waiting for node {hostname}: {reason}")
                told = reason
            if time.monotonic() + interval > deadline:
                raise NodeNotReady(node=hostname, seconds=f"{timeout:g}", reason=reason)
            time.sleep(interval)

    def pods_on(self, node: str) -> list[KubePod]:
        """Pods of all namespaces that are bound to the node of that name."""
        found = self._session.items("/api/v1/pods", what=f"pods on {node}", fieldSelector=f"spec.nodeName={node}")
        return [parse_pod(body) for body in found]

    def _node_body(self, hostname: str) -> dict[str, Any] | None:
        found = self._node_by_selector(hostname)
        if found is not None:
            return found
        for body in self.node_bodies():  # a label that a person wrote in mixed case: rare, so asked for last
            label = ((body.get("metadata") or {}).get("labels") or {}).get(HOSTNAME_LABEL, "")
            if label.lower() == hostname.lower():
                return body
        return None

    def _node_by_selector(self, hostname: str) -> dict[str, Any] | None:
        for selector in hostname_selectors(hostname):
            for body in self._session.items(_NODES, what=f"find node {hostname}", labelSelector=selector):
                return body
        return None
