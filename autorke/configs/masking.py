"""cluster.yml and rkestate without their secrets, for everybody's eyes: layout kept, values masked (rke.md §1.6).

Better one value too many than one too few: whatever is named like a secret is masked, wherever it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from autorke.drivers.rkefiles.cluster_yml import ClusterYml
from autorke.drivers.rkefiles.diff import MASK
from autorke.drivers.rkefiles.yamltree import parse_tree

# cluster.yml writes ssh_key, the state sshKey: compared in lower case without the underscore
_SECRET_KEYS = frozenset(
    {"key", "sshkey", "sshcert", "cert", "keypem", "config", "customconfig", "configfile", "addons"}
    | {"encryptionconfig", "customcloudprovider", "apicuserkey", "kafkaclientkey", "accesskey", "userkey"}
)
_SECRET_NAME = re.compile(r"(?i)(password|passwd|secret|token|private_?key|credential)")
_NOT_SECRET = frozenset({"secrets_encryption_config", "secretsEncryptionConfig", "ecr_credential_plugin"})
_PUBLIC_IN_CLOUD = frozenset({"name"})
_CLOUD = frozenset({"cloud_provider", "cloudProvider"})
_TAINTS = frozenset({"taints", "tolerations"})
_ASSIGNMENT = re.compile(
    r"(?i)^([a-z0-9_.-]*(?:password|passwd|secret|token|auth|key|config)[a-z0-9_.-]*=)(.+)$", re.DOTALL
)


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def is_secret(path: tuple[str, ...]) -> bool:
    """Whether the scalar at this path of keys is a secret."""
    name = path[-1] if path else ""
    if any(part in _CLOUD for part in path[:-1]) and name not in _PUBLIC_IN_CLOUD:
        return True
    if name == "key" and any(part in _TAINTS for part in path):
        return False
    inside = [part for part in path if part not in _NOT_SECRET]
    return any(_folded(part) in _SECRET_KEYS or _SECRET_NAME.search(part) for part in inside)


def _masked_line(text: str) -> str:
    """`NAME_PASSWORD=value` in extra_env and the like; anything else as it is."""
    found = _ASSIGNMENT.match(text)
    return f"{found[1]}{MASK}" if found else text


def _scalars(node: yaml.Node, path: tuple[str, ...]) -> Iterator[tuple[yaml.ScalarNode, tuple[str, ...]]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(value, (*path, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item, path)
    elif isinstance(node, yaml.ScalarNode):
        yield node, path


def mask_yaml(text: str) -> str:
    """The text of a cluster.yml with each secret replaced where it stands. Raises RkeFileError for what is no YAML."""
    return _masked_text(text, parse_tree(text))


def mask_cluster(cluster: ClusterYml) -> str:
    """The same for a cluster.yml that has been read."""
    return _masked_text(cluster.text, cluster.tree)


def _masked_text(text: str, tree: yaml.MappingNode) -> str:
    edits: list[tuple[int, int, str]] = []
    for node, path in _scalars(tree, ()):
        value = str(node.value)
        shown = MASK if value and is_secret(path) else _masked_line(value)
        if shown != value:
            edits.append((node.start_mark.index, node.end_mark.index, _written(node, shown)))
    for start, end, shown in sorted(edits, reverse=True):
        text = text[:start] + shown + text[end:]
    return text


def _written(node: yaml.ScalarNode, shown: str) -> str:
    return f'"{shown}"' + ("\n" if node.style in ("|", ">") else "")


def mask_values(value: Any, path: tuple[str, ...] = ()) -> Any:
    """A JSON value (a state, an rkeConfig) with its secrets masked."""
    if isinstance(value, dict):
        return {key: mask_values(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_values(item, path) for item in value]
    if isinstance(value, str):
        return MASK if value and is_secret(path) else _masked_line(value)
    return value


def mask_state(text: str) -> str:
    """The text of a state file with its secrets masked, indented for people."""
    return json.dumps(mask_values(json.loads(text)), ensure_ascii=False, indent=2) + "\n"
