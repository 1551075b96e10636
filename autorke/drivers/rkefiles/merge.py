"""Add workers to a state, and prove that nothing else changed (rke.md §4.11 step 8, §10.5 risk 2)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autorke.drivers.rkefiles.errors import MergeBroken
from autorke.drivers.rkefiles.nodes import (
    RkeNode,
    check_new_workers,
    node_from_state,
    state_entry,
    with_usual_access,
)
from autorke.drivers.rkefiles.rkestate import STATES, RkeState, read_state

_GO_ESCAPED = "<>&\u2028\u2029"


def with_workers_added(
    state: RkeState, nodes: Sequence[RkeNode], certificates: Mapping[str, Mapping[str, Any]] | None = None
) -> RkeState:
    """The state with the workers in both desiredState and currentState, and with their serving certificates, if any.

    A new entry is what rke itself would write. Raises DuplicateNode, NotAWorker; MergeBroken when the result is not
    exactly what was asked for.
    """
    check_new_workers(state.nodes, nodes)
    document = dict(state.document)
    for name, others in (("desiredState", state.desired_nodes), ("currentState", state.nodes)):
        document[name] = _with_nodes(document[name], others, nodes, certificates or {})
    merged = RkeState(document)
    check_merge(state, merged, nodes, tuple(certificates or ()))
    return merged


def _with_nodes(
    part: Mapping[str, Any],
    others: Sequence[RkeNode],
    nodes: Sequence[RkeNode],
    certificates: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """desiredState or currentState, which has the others, with more nodes. What stays is shared with it, not copied."""
    config = part["rkeConfig"]
    key_path = str(config.get("sshKeyPath") or "")
    added = [with_usual_access(node, others, default_key_path=key_path) for node in nodes]
    listed = [*config["nodes"], *(state_entry(node, config) for node in added)]
    return {
        **part,
        "rkeConfig": {**config, "nodes": listed},
        "certificatesBundle": _with_certificates(part["certificatesBundle"], certificates),
    }


def _with_certificates(bundle: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """In rke's order of names, which is sorted; an untouched bundle keeps the order it has."""
    if not new:
        return dict(bundle)
    joined = {**bundle, **new}
    return {name: joined[name] for name in sorted(joined)}


def check_merge(before: RkeState, after: RkeState, added: Sequence[RkeNode], certificates: Sequence[str] = ()) -> None:
    """The only differences are the added nodes and the named certificates. Raises MergeBroken.

    Also run on a state that was written and read back.
    """
    if after.ca_fingerprint != before.ca_fingerprint:
        raise MergeBroken(field="certificatesBundle.kube-ca", what="kube-ca")
    for name in STATES:
        old, new = before.document[name], after.document[name]
        count = len(old["rkeConfig"]["nodes"])
        fresh = [_identity(node_from_state(entry)) for entry in new["rkeConfig"]["nodes"][count:]]
        if fresh != [_identity(node) for node in added]:
            raise MergeBroken(field=f"{name}.rkeConfig.nodes", what=f"{name}.rkeConfig.nodes")
        if _rest(new, count, certificates) != _rest(old, count, certificates):
            raise MergeBroken(field=name, what=name)
    if set(after.document) != set(before.document):
        raise MergeBroken(field="cluster.rkestate", what="cluster.rkestate")


def _rest(part: Mapping[str, Any], count: int, certificates: Sequence[str]) -> dict[str, Any]:
    """desiredState or currentState without what a merge may add: nodes behind the first `count`, these certificates."""
    config, bundle = part["rkeConfig"], part["certificatesBundle"]
    return {
        **part,
        "rkeConfig": {**config, "nodes": config["nodes"][:count]},
        "certificatesBundle": {name: entry for name, entry in bundle.items() if name not in certificates},
    }


def _identity(node: RkeNode) -> tuple[object, ...]:
    return (
        node.address,
        node.internal_address,
        node.hostname,
        node.roles,
        node.user,
        node.port,
        sorted(node.labels.items()),
        sorted(node.taints),
    )


def state_text(state: RkeState, *, like: str = "") -> str:
    """The state as a file, laid out as `like` is: indented or not, with Go's escapes or without, with a final line end.

    With the unchanged document this gives `like` back byte for byte.
    """
    indented = not like or "\n" in like.strip()
    text = json.dumps(
        state.document, indent=2 if indented else None, separators=None if indented else (",", ":"), ensure_ascii=False
    )
    if not any(character in like for character in _GO_ESCAPED):
        for character in _GO_ESCAPED:
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text + "\n" if like.endswith("\n") else text


def compact_text(state: RkeState) -> str:
    """The form in which rke keeps the state inside Kubernetes."""
    return state_text(state, like="{}")


def read_back(
    text: str,
    before: RkeState,
    added: Sequence[RkeNode],
    certificates: Sequence[str] = (),
    *,
    read: Callable[[str], RkeState] = read_state,
) -> RkeState:
    """Read a written state again and check the merge on what is really there."""
    after = read(text)
    check_merge(before, after, added, certificates)
    return after
