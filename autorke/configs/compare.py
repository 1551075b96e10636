"""What changed between two revisions: settings and nodes by name, and the text line by line, secrets masked."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autorke.configs.masking import is_secret, mask_cluster, mask_state
from autorke.core.errors import Text
from autorke.drivers.rkefiles.cluster_yml import ClusterYml, read_cluster_yml
from autorke.drivers.rkefiles.diff import MASK, Change, diff_clusters
from autorke.drivers.rkefiles.nodes import RkeNode
from autorke.drivers.rkefiles.rkestate import RkeState, read_state

CONTEXT_LINES = 3
MAX_LINES = 5_000


@dataclass(frozen=True)
class Setting:
    """One setting that differs; `danger` says what changing it does to a live cluster."""

    path: str
    before: Any
    after: Any
    danger: Text | None


@dataclass(frozen=True)
class Comparison:
    """`text` is a unified diff of the masked files, cut after MAX_LINES lines (`cut`)."""

    added_nodes: tuple[str, ...]
    removed_nodes: tuple[str, ...]
    settings: tuple[Setting, ...]
    text: tuple[str, ...]
    cut: bool


def compare_configs(before: str, after: str, *, labels: tuple[str, str]) -> Comparison:
    """Two texts of cluster.yml files. Raises RkeFileError."""
    return compare_clusters(read_cluster_yml(before), read_cluster_yml(after), labels=labels)


def compare_clusters(before: ClusterYml, after: ClusterYml, *, labels: tuple[str, str]) -> Comparison:
    """Two cluster.yml files that have been read."""
    found = diff_clusters(before, after)
    changes = [*found.settings, *(change for node in found.changed for change in node.changes)]
    lines = _text_diff(mask_cluster(before), mask_cluster(after), labels)
    return Comparison(
        added_nodes=_named(found.added),
        removed_nodes=_named(found.removed),
        settings=tuple(_setting(change) for change in changes),
        text=tuple(lines[:MAX_LINES]),
        cut=len(lines) > MAX_LINES,
    )


def compare_states(before: str, after: str, *, labels: tuple[str, str]) -> Comparison:
    """Two cluster.rkestate files: current nodes, settings of the current config, and certificates by name."""
    old, new = read_state(before), read_state(after)
    lines = _text_diff(mask_state(before), mask_state(after), labels)
    old_nodes = {node.address: node for node in old.nodes}
    new_nodes = {node.address: node for node in new.nodes}
    return Comparison(
        added_nodes=_named([node for address, node in new_nodes.items() if address not in old_nodes]),
        removed_nodes=_named([node for address, node in old_nodes.items() if address not in new_nodes]),
        settings=(*_state_settings(old, new), *_certificates(old, new)),
        text=tuple(lines[:MAX_LINES]),
        cut=len(lines) > MAX_LINES,
    )


def _named(nodes: Sequence[RkeNode]) -> tuple[str, ...]:
    return tuple(f"{node.hostname} ({node.address}): {','.join(node.roles)}" for node in nodes)


def _setting(change: Change) -> Setting:
    secret = is_secret(tuple(part for part in change.path.replace("[", ".").replace("]", "").split(".") if part))
    before, after = (MASK if secret and value is not None else _json(value) for value in (change.before, change.after))
    return Setting(change.path, before, after, change.danger)


def _json(value: Any) -> Any:
    """A value of a node (tuples, mappings, taints) as JSON can carry it."""
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_json(item) for item in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _text_diff(before: str, after: str, labels: tuple[str, str]) -> list[str]:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), fromfile=labels[0], tofile=labels[1], lineterm="", n=CONTEXT_LINES
    )
    return list(lines)


def _flat(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if path or key != "nodes":
                yield from _flat(item, (*path, str(key)))
    elif value not in (None, "", [], {}):
        yield path, value


def _state_settings(old: RkeState, new: RkeState) -> Iterator[Setting]:
    before, after = dict(_flat(old.current_config)), dict(_flat(new.current_config))
    for path in sorted({*before, *after}):
        one, two = before.get(path), after.get(path)
        if one != two:
            shown = [MASK if value is not None and is_secret(path) else _json(value) for value in (one, two)]
            yield Setting(".".join(path), shown[0], shown[1], None)


def _certificates(old: RkeState, new: RkeState) -> Iterator[Setting]:
    """Certificates that came, went or were issued anew; never their content."""
    for name in sorted({*old.certificates, *new.certificates}):
        pems = [state.certificates.get(name, {}).get("certificatePEM") for state in (old, new)]
        if pems[0] != pems[1]:
            shown = [None if pem is None else "issued" for pem in pems]
            after = "issued anew" if None not in pems else shown[1]
            yield Setting(f"certificatesBundle.{name}", shown[0], after, None)
