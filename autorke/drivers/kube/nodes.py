"""Nodes and pods as values, and the changes that may be made to a Node."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HOSTNAME_LABEL = "kubernetes.io/hostname"
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?\Z")


@dataclass(frozen=True)
class NodeTaint:
    key: str
    value: str
    effect: str


@dataclass(frozen=True)
class KubeNode:
    """A Node object, as far as flows look at it."""

    name: str
    hostname: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    taints: tuple[NodeTaint, ...]
    ready: bool
    condition: str
    """Why it is not Ready, in Kubernetes' own words; empty without such a condition."""
    internal_ip: str
    unschedulable: bool
    pod_cidr: str
    kubelet_version: str
    resource_version: str


@dataclass(frozen=True)
class KubePod:
    """A pod on a node. `owner` is the kind of its controller, empty for a bare pod; `mirror` is a static pod."""

    namespace: str
    name: str
    phase: str
    ready: bool
    owner: str
    mirror: bool


def parse_node(body: Mapping[str, Any]) -> KubeNode:
    """From the object as the API returns it; whatever is missing is empty."""
    metadata, spec, status = body.get("metadata") or {}, body.get("spec") or {}, body.get("status") or {}
    labels = metadata.get("labels") or {}
    condition = _condition(status, "Ready")
    ready = condition.get("status") == "True"
    return KubeNode(
        name=metadata.get("name", ""),
        hostname=labels.get(HOSTNAME_LABEL, ""),
        labels=labels,
        annotations=metadata.get("annotations") or {},
        taints=tuple(NodeTaint(it["key"], it.get("value") or "", it["effect"]) for it in spec.get("taints") or ()),
        ready=ready,
        condition="" if ready else str(condition.get("message") or condition.get("reason") or ""),
        internal_ip=next((it["address"] for it in status.get("addresses") or () if it["type"] == "InternalIP"), ""),
        unschedulable=bool(spec.get("unschedulable")),
        pod_cidr=spec.get("podCIDR") or "",
        kubelet_version=(status.get("nodeInfo") or {}).get("kubeletVersion", ""),
        resource_version=metadata.get("resourceVersion", ""),
    )


def parse_pod(body: Mapping[str, Any]) -> KubePod:
    metadata, status = body.get("metadata") or {}, body.get("status") or {}
    owner: Mapping[str, Any] = next((it for it in metadata.get("ownerReferences") or () if it.get("controller")), {})
    return KubePod(
        namespace=metadata.get("namespace", ""),
        name=metadata.get("name", ""),
        phase=status.get("phase", ""),
        ready=_condition(status, "Ready").get("status") == "True",
        owner=owner.get("kind", ""),
        mirror="kubernetes.io/config.mirror" in (metadata.get("annotations") or {}),
    )


def hostname_selectors(hostname: str) -> list[str]:
    """Label selectors that may find the node: kubelet writes the label in lower case. None for what is no label value,
    so that a hostile name never becomes part of a selector."""
    if not _LABEL_VALUE.match(hostname):
        return []
    return [f"{HOSTNAME_LABEL}={value}" for value in dict.fromkeys([hostname.lower(), hostname])]


def node_patch(
    body: Mapping[str, Any],
    labels: Mapping[str, str | None],
    annotations: Mapping[str, str | None],
    taints: Sequence[NodeTaint] | None,
    unschedulable: bool | None,
) -> dict[str, Any] | None:
    """A merge patch that is valid for this very resourceVersion, or None when the node is so already.

    A label or annotation of None is taken away; `taints` replaces all taints.
    """
    metadata, spec = body.get("metadata") or {}, body.get("spec") or {}
    changed: dict[str, Any] = {}
    for field, wanted in (("labels", labels), ("annotations", annotations)):
        present = metadata.get(field) or {}
        differing = {key: value for key, value in wanted.items() if present.get(key) != value}
        if differing:
            changed[field] = differing
    wanted_spec: dict[str, Any] = {}
    if taints is not None and set(taints) != set(parse_node(body).taints):
        wanted_spec["taints"] = [{"key": it.key, "value": it.value, "effect": it.effect} for it in taints]
    if unschedulable is not None and bool(spec.get("unschedulable")) != unschedulable:
        wanted_spec["unschedulable"] = unschedulable
    if not changed and not wanted_spec:
        return None
    pinned = {"metadata": {**changed, "resourceVersion": metadata.get("resourceVersion", "")}}
    return {**pinned, "spec": wanted_spec} if wanted_spec else pinned


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    conditions: Sequence[Mapping[str, Any]] = status.get("conditions") or ()
    return next((it for it in conditions if it.get("type") == kind), {})
