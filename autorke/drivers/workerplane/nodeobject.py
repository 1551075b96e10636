"""What rke writes on the Kubernetes Node of a worker: role, addresses, the user's labels and taints (rke.md §4.8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from autorke.drivers.rkefiles.nodes import RkeNode, Taint

EXTERNAL_IP = "rke.cattle.io/external-ip"
INTERNAL_IP = "rke.cattle.io/internal-ip"
HOSTNAME_LABEL = "kubernetes.io/hostname"
_ROLE_LABEL = "node-role.kubernetes.io/"
_RESERVED_TAINTS = (
    Taint(f"{_ROLE_LABEL}etcd", "true", "NoExecute"),
    Taint(f"{_ROLE_LABEL}controlplane", "true", "NoSchedule"),
)


@dataclass(frozen=True)
class NodeMarks:
    """Labels, annotations and taints that the node must carry; others on it are left alone."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    taints: tuple[Taint, ...]


def node_marks(node: RkeNode) -> NodeMarks:
    """A user's taint on a key that rke keeps for itself is ignored, as rke ignores it."""
    etcd, controlplane = _RESERVED_TAINTS
    reserved = {taint.key for taint in _RESERVED_TAINTS}
    taints = [taint for taint in node.taints if taint.key not in reserved]
    if not node.is_worker:
        taints += [controlplane] if node.is_controlplane else []
        taints += [etcd] if node.is_etcd else []
    return NodeMarks(
        labels={**{f"{_ROLE_LABEL}{role}": "true" for role in node.roles}, **node.labels},
        annotations={EXTERNAL_IP: node.address, INTERNAL_IP: node.internal_address},
        taints=tuple(dict.fromkeys(taints)),
    )


def find_node(nodes: Sequence[Mapping[str, Any]], hostname: str) -> Mapping[str, Any] | None:
    """The Node with that `kubernetes.io/hostname`, in any case of letters, as rke looks it up; not by name."""
    for node in nodes:
        label = ((node.get("metadata") or {}).get("labels") or {}).get(HOSTNAME_LABEL, "")
        if label.lower() == hostname.lower():
            return node
    return None


def marked(body: Mapping[str, Any], marks: NodeMarks) -> dict[str, Any]:
    """The Node object with the marks, for a PUT with its resourceVersion; equal to `body` when they are there."""
    node: dict[str, Any] = deepcopy(dict(body))
    metadata = node.setdefault("metadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **marks.labels}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **marks.annotations}
    taints = _taints_after(node.get("spec") or {}, marks.taints)
    if taints:
        node.setdefault("spec", {})["taints"] = taints
    return node


def marks_patch(body: Mapping[str, Any], marks: NodeMarks) -> dict[str, Any] | None:
    """A merge patch with what is missing, pinned to the body's resourceVersion; None when nothing is."""
    after = marked(body, marks)
    if after == body:
        return None
    metadata: dict[str, Any] = {"labels": dict(marks.labels), "annotations": dict(marks.annotations)}
    version = (body.get("metadata") or {}).get("resourceVersion")
    if version:
        metadata["resourceVersion"] = version
    patch: dict[str, Any] = {"metadata": metadata}
    taints = (after.get("spec") or {}).get("taints")
    if taints != (body.get("spec") or {}).get("taints"):
        patch["spec"] = {"taints": taints}
    return patch


def _taints_after(spec: Mapping[str, Any], wanted: Sequence[Taint]) -> list[dict[str, Any]]:
    """What is there stays in its order; a wanted taint replaces one of the same key and effect with another value."""
    keys = {(taint.key, taint.effect): taint for taint in wanted}
    kept = []
    for entry in spec.get("taints") or ():
        taint = keys.get((entry.get("key"), entry.get("effect")))
        if taint is None or taint.value == (entry.get("value") or ""):
            kept.append(dict(entry))
    present = {(entry.get("key"), entry.get("effect")) for entry in kept}
    return kept + [
        {"key": taint.key, "value": taint.value, "effect": taint.effect}
        for taint in wanted
        if (taint.key, taint.effect) not in present
    ]
