"""Add nodes to the text of a cluster.yml. Every byte outside the new lines stays: comments, quotes, order, indentation.

The lines are inserted into the text at the place that the parser reports. A round trip through a YAML writer would
re-indent files with mixed styles and is slow for large fleets; an insertion does neither.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import yaml

from autorke.drivers.rkefiles.cluster_yml import ClusterYml, read_cluster_yml
from autorke.drivers.rkefiles.errors import MergeBroken, WrongType
from autorke.drivers.rkefiles.nodes import RkeNode, check_new_workers, with_usual_access, yaml_entry

_LINE = re.compile(r"[^\n\r\x85\u2028\u2029]*(?:\r\n|[\n\r\x85\u2028\u2029]|\Z)")


def add_workers(
    before: ClusterYml, nodes: Iterable[RkeNode], *, read: Callable[[str], ClusterYml] = read_cluster_yml
) -> ClusterYml:
    """The file with the workers at the end of its node list, reached by SSH as the other nodes are.

    Raises NotAWorker, DuplicateNode or InvalidNode. What is returned was read back from the new text: anything but the
    expected node list is a MergeBroken.
    """
    given = tuple(nodes)
    check_new_workers(before.nodes, given)
    added = tuple(with_usual_access(node, before.nodes, default_key_path=before.ssh_key_path) for node in given)
    text, listed = before.text, _node_list(before.tree)
    entries = [yaml_entry(node, default_key_path=before.ssh_key_path) for node in added]
    edited = _into_flow(text, listed, entries) if listed.flow_style else _into_block(text, listed, entries)
    after = read(edited)
    _check(before, added, after)
    return after


def _node_list(tree: yaml.MappingNode) -> yaml.SequenceNode:
    for key, value in tree.value:
        if key.value == "nodes" and isinstance(value, yaml.SequenceNode) and value.value:
            return value
    raise WrongType(
        field="nodes",
        path="nodes",
        expected_zh="至少一个节点的列表",
        expected_en="a list with at least one node",
        actual_zh="空",
        actual_en="empty",
    )


def _check(before: ClusterYml, added: Sequence[RkeNode], after: ClusterYml) -> None:
    rest_before = {key: value for key, value in before.document.items() if key != "nodes"}
    rest_after = {key: value for key, value in after.document.items() if key != "nodes"}
    kept = after.document["nodes"][: len(before.nodes)]
    expected = tuple(_with_key_path(node, before.ssh_key_path) for node in added)
    if rest_before != rest_after or kept != before.document["nodes"] or after.nodes[len(before.nodes) :] != expected:
        raise MergeBroken(field="cluster.yml", what="cluster.yml")


def _with_key_path(node: RkeNode, default: str) -> RkeNode:
    values = {**node.__dict__, "ssh_key_path": node.ssh_key_path or default}
    return RkeNode(**values)


def _into_flow(text: str, listed: yaml.SequenceNode, entries: Sequence[Mapping[str, Any]]) -> str:
    """`nodes: [{…}]`: behind the last item, in flow style."""
    at = _offset(text, listed.value[-1].end_mark)
    return text[:at] + "".join(f", {_flow(entry)}" for entry in entries) + text[at:]


def _offset(text: str, mark: Any) -> int:
    return sum(map(len, _lines(text)[: mark.line])) + int(mark.column)


def _lines(text: str) -> list[str]:
    """Lines with their ends, by YAML's idea of a line end, which is not that of str.splitlines()."""
    return [line for line in _LINE.findall(text) if line]


def _into_block(text: str, listed: yaml.SequenceNode, entries: Sequence[Mapping[str, Any]]) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = _lines(text)
    dash = listed.start_mark.column
    gap = listed.value[-1].start_mark.column - dash
    at = _end_line(lines, listed.value[-1], dash)
    style = _Style(dash=dash, gap=gap if gap > 0 else 2, flow_roles=_flow_roles(listed), offset=_list_offset(listed))
    if at == len(lines) and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += newline
    new = [f"{line}{newline}" for entry in entries for line in style.item(entry)]
    return "".join([*lines[:at], *new, *lines[at:]])


def _end_line(lines: Sequence[str], item: yaml.Node, dash: int) -> int:
    """The line behind the last item, comments that are indented into it included."""
    leaf = item
    while isinstance(leaf, yaml.MappingNode | yaml.SequenceNode) and leaf.value and not leaf.flow_style:
        last = leaf.value[-1]
        leaf = last[1] if isinstance(leaf, yaml.MappingNode) else last
    literal = isinstance(leaf, yaml.ScalarNode) and leaf.style in ("|", ">")
    if literal:
        at = leaf.start_mark.line + 1
        while at < len(lines) and (not lines[at].strip() or _indent(lines[at]) > dash):
            at += 1
        while not lines[at - 1].strip():
            at -= 1
        return at
    at = leaf.end_mark.line + 1 if leaf.end_mark.column else leaf.end_mark.line
    at = max(at, leaf.start_mark.line + 1)
    while at < len(lines) and lines[at].lstrip().startswith("#") and _indent(lines[at]) > dash:
        at += 1
    return at


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _flow_roles(listed: yaml.SequenceNode) -> bool:
    """Whether the file writes `role: [worker]`."""
    role = _role_list(listed)
    return role is not None and bool(role[1].flow_style)


def _list_offset(listed: yaml.SequenceNode) -> int:
    """How far the file indents a list below its key (0 or 2 mostly)."""
    role = _role_list(listed)
    if role is None or role[1].flow_style:
        return 0
    return max(0, int(role[1].start_mark.column - role[0].start_mark.column))


def _role_list(listed: yaml.SequenceNode) -> tuple[yaml.Node, yaml.SequenceNode] | None:
    for item in reversed(listed.value):
        for key, value in item.value if isinstance(item, yaml.MappingNode) else ():
            if key.value == "role" and isinstance(value, yaml.SequenceNode) and not item.flow_style:
                return key, value
    return None


class _Style:
    """How the file lays out a node: column of the dash, width of `- `, style and offset of nested lists."""

    def __init__(self, *, dash: int, gap: int, flow_roles: bool, offset: int) -> None:
        self.dash, self.gap, self.flow_roles, self.offset = " " * dash, gap, flow_roles, " " * offset

    def item(self, entry: Mapping[str, Any]) -> list[str]:
        body = [line for key, value in entry.items() for line in self._lines(key, value)]
        first = f"{self.dash}-{' ' * (self.gap - 1)}"
        rest = self.dash + " " * self.gap
        return [f"{first if index == 0 else rest}{line}" for index, line in enumerate(body)]

    def _lines(self, key: str, value: Any) -> list[str]:
        if isinstance(value, dict):
            return [f"{key}:", *(f"  {_scalar(name)}: {_scalar(text)}" for name, text in value.items())]
        if isinstance(value, list) and all(isinstance(text, str) for text in value):
            if self.flow_roles:
                return [f"{key}: [{', '.join(map(_scalar, value))}]"]
            return [f"{key}:", *(f"{self.offset}- {_scalar(text)}" for text in value)]
        if isinstance(value, list):
            return [f"{key}:", *(f"{self.offset}- {_flow(item)}" for item in value)]
        return [f"{key}: {_scalar(value)}"]


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return _scalar(value)


def _scalar(value: str) -> str:
    """The value in YAML, quoted where it would be read as something else than this text."""
    style = '"' if "\n" in value else None
    text = yaml.safe_dump(
        value, default_style=style, default_flow_style=True, allow_unicode=True, width=1 << 20
    ).strip()
    return text.removesuffix("...").strip()
