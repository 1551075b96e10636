"""Read cluster.yml strictly, and add nodes to it without touching any other byte."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from autorke.drivers.rkefiles.errors import DuplicateKey, DuplicateNode, UnknownKey, WrongType
from autorke.drivers.rkefiles.nodes import RkeNode, check_node, node_from_yaml
from autorke.drivers.rkefiles.schema import CLUSTER, NODE, Each, Kind
from autorke.drivers.rkefiles.yamltree import parse_tree

_BOOL_WORDS = {
    **dict.fromkeys(("true", "yes", "on", "y"), True),
    **dict.fromkeys(("false", "no", "off", "n"), False),
}
_INT = re.compile(r"[-+]?\d[\d_]*\Z")
_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?\Z")
_QUOTED = ("'", '"', "|", ">")
_NULL_TAG = "tag:yaml.org,2002:null"
_NAMES = {
    Kind.TEXT: ("文本", "text"),
    Kind.BOOL: ("true 或 false", "true or false"),
    Kind.INT: ("整数", "a whole number"),
    Kind.NUMBER: ("数字", "a number"),
}


@dataclass(frozen=True)
class ClusterYml:
    """A cluster.yml that passed every check. `document` holds plain values; secrets are in it, so no repr().

    `tree` says where in the text everything stands: whoever edits or masks the text need not read it again.
    """

    text: str = field(repr=False)
    tree: yaml.MappingNode = field(repr=False, compare=False)
    document: Mapping[str, Any] = field(repr=False)
    nodes: tuple[RkeNode, ...]

    @property
    def kubernetes_version(self) -> str:
        return str(self.document.get("kubernetes_version") or "")

    @property
    def ssh_key_path(self) -> str:
        return str(self.document.get("ssh_key_path") or "")

    def node(self, address: str) -> RkeNode | None:
        return next((node for node in self.nodes if node.address == address), None)


def read_cluster_yml(text: str) -> ClusterYml:
    """Parse and check a cluster.yml: known keys, right types, usable and distinct nodes.

    Raises a RkeFileError that names the field: NotYaml, AliasRefused, FileTooLarge, DuplicateKey, UnknownKey,
    WrongType, InvalidNode, DuplicateNode.
    """
    tree = parse_tree(text)
    document = _mapping(tree, CLUSTER, "")
    key_path = str(document.get("ssh_key_path") or "")
    nodes = tuple(node_from_yaml(entry or {}, default_key_path=key_path) for entry in document.get("nodes") or ())
    for node in nodes:
        check_node(node)
    _check_distinct(nodes)
    return ClusterYml(text=text, tree=tree, document=document, nodes=nodes)


def read_node_entry(text: str, *, default_key_path: str = "") -> RkeNode:
    """One node in the keys of cluster.yml, as YAML or JSON; a worker unless it says a role. Raises as above."""
    entry = _mapping(parse_tree(text), NODE, "")
    node = node_from_yaml({"role": ["worker"], **entry}, default_key_path=default_key_path)
    check_node(node)
    return node


def _check_distinct(nodes: tuple[RkeNode, ...]) -> None:
    for what, attribute in (
        ("address", "address"),
        ("hostname_override", "hostname"),
        ("internal_address", "internal_address"),
    ):
        seen: dict[str, RkeNode] = {}
        for node in nodes:
            value = getattr(node, attribute)
            other = seen.setdefault(value, node)
            if other is not node:
                raise DuplicateNode(
                    field=f"nodes.{what}", node=node.address, other=other.address, what=what, value=value
                )


def _value(node: yaml.Node, kind: Any, path: str) -> Any:
    if node.tag == _NULL_TAG:
        return None
    if isinstance(kind, dict | Each):
        if not isinstance(node, yaml.MappingNode):
            raise _wrong(node, path, ("一组键", "a mapping of keys"))
        return _mapping(node, kind, path)
    if isinstance(kind, list):
        if not isinstance(node, yaml.SequenceNode):
            raise _wrong(node, path, ("列表", "a list"))
        return [_value(item, kind[0], f"{path}[{index}]") for index, item in enumerate(node.value)]
    if kind is Kind.ANY:
        return _free(node, path)
    if not isinstance(node, yaml.ScalarNode):
        raise _wrong(node, path, _NAMES[kind])
    return _scalar(node, kind, path)


def _mapping(node: yaml.MappingNode, kind: dict[str, Any] | Each, path: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _key(key_node, path)
        where = f"{path}.{key}" if path else key
        if key in result:
            raise DuplicateKey(field=where, key=where, line=key_node.start_mark.line + 1)
        if isinstance(kind, Each):
            value_kind = kind.value
        elif key in kind:
            value_kind = kind[key]
        else:
            raise _unknown(key, kind, where)
        result[key] = _value(value_node, value_kind, where)
    return result


def _key(node: yaml.Node, path: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _wrong(node, path or "cluster.yml", ("以文本为键", "keyed by text"))
    return str(node.value)


def _unknown(key: str, kind: dict[str, Any], where: str) -> UnknownKey:
    near = difflib.get_close_matches(key, kind, n=1, cutoff=0.6)
    return UnknownKey(
        field=where,
        path=where[:200],
        hint_zh=f"，您是不是想写 {near[0]}？" if near else "",
        hint_en=f"; did you mean {near[0]}?" if near else "",
    )


def _scalar(node: yaml.ScalarNode, kind: Kind, path: str) -> Any:
    text = str(node.value)
    plain = node.style not in _QUOTED
    if kind is Kind.TEXT:
        return text
    if kind is Kind.BOOL and plain and text.lower() in _BOOL_WORDS:
        return _BOOL_WORDS[text.lower()]
    if kind is Kind.INT and plain and _INT.match(text):
        return int(text.replace("_", ""))
    if kind is Kind.NUMBER and plain and _NUMBER.match(text):
        return float(text)
    raise _wrong(node, path, _NAMES[kind])


def _free(node: yaml.Node, path: str) -> Any:
    """A Kubernetes object inside cluster.yml: kept as it is, keys checked for doubles only."""
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, Each(Kind.ANY), path)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, Kind.ANY, f"{path}[{index}]") for index, item in enumerate(node.value)]
    if node.tag.endswith(":bool"):
        return _BOOL_WORDS.get(node.value.lower(), node.value)
    return int(node.value) if node.tag.endswith(":int") and _INT.match(node.value) else node.value


def _wrong(node: yaml.Node, path: str, expected: tuple[str, str]) -> WrongType:
    actual = {
        yaml.MappingNode: ("一组键", "a mapping of keys"),
        yaml.SequenceNode: ("列表", "a list"),
        yaml.ScalarNode: ("其他的值", "another value"),
    }[type(node)]
    return WrongType(
        field=path,
        path=path[:200],
        expected_zh=expected[0],
        expected_en=expected[1],
        actual_zh=f"{actual[0]}（第 {node.start_mark.line + 1} 行）",
        actual_en=f"{actual[1]} (line {node.start_mark.line + 1})",
    )
