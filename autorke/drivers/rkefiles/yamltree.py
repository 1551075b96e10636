"""YAML text to a tree of nodes with positions, safely: no aliases, no depth or size bombs, one document.

PyYAML's C parser reads; the nodes are made of its events in one pass, and nothing is constructed from tags.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from autorke.drivers.rkefiles.errors import AliasRefused, FileTooLarge, NotYaml

SIZE_LIMIT = 4 * 1024 * 1024
_DEPTH_LIMIT = 40

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT, _LIST, _KEYS = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))
_TOLD_APART = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int"))
_PLAIN = {
    first: [(tag, pattern) for tag, pattern in pairs if tag in _TOLD_APART]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
"""What a plain scalar may be besides text, by its first character. Dates and fractions stay text."""


def parse_tree(text: str, *, file: str = "cluster.yml") -> yaml.MappingNode:
    """The root mapping; a scalar is null, bool, int or text. Raises FileTooLarge, AliasRefused or NotYaml."""
    size = len(text.encode(errors="replace"))
    if size > SIZE_LIMIT:
        raise FileTooLarge(field=file, file=file, size=size, limit=SIZE_LIMIT)
    try:
        root = _composed(text)
    except yaml.YAMLError as error:
        raise _not_yaml(error) from error
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise NotYaml(field=f"line {line}", line=line, reason="half a surrogate pair") from error
    if not isinstance(root, yaml.MappingNode):
        raise NotYaml(field="cluster.yml", line=1, reason="not a mapping of keys")
    return root


def _composed(text: str) -> yaml.Node | None:
    """The document's root, None for an empty one; not recursive, so that no depth exhausts the stack."""
    outer: list[tuple[Any, list[yaml.Node]]] = []
    items: list[yaml.Node] = []
    documents = 0
    events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
    for event in events:
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            line = _line(event)
            raise AliasRefused(field=f"line {line}", line=line, name=event.anchor[:40])
        if isinstance(event, yaml.ScalarEvent):
            items.append(_scalar(event))
        elif isinstance(event, yaml.CollectionStartEvent):
            outer.append((event, items))
            items = []
            if len(outer) > _DEPTH_LIMIT:
                raise _refused(event, f"nested deeper than {_DEPTH_LIMIT} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            start, around = outer.pop()
            around.append(_collection(start, items, event))
            items = around
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _refused(event, "more than one document")
    return items[0] if items else None


def _scalar(event: Any) -> yaml.ScalarNode:
    value, tag = event.value, event.tag
    if tag is None or tag == "!":
        kinds = _PLAIN.get(value[:1], ()) if event.implicit[0] else ()
        tag = next((kind for kind, pattern in kinds if pattern.match(value)), _TEXT) if kinds else _TEXT
    return yaml.ScalarNode(tag, value, event.start_mark, event.end_mark, event.style)


def _collection(start: Any, items: list[yaml.Node], end: Any) -> yaml.Node:
    place = (start.start_mark, end.end_mark, start.flow_style)
    if isinstance(start, yaml.SequenceStartEvent):
        return yaml.SequenceNode(start.tag or _LIST, items, *place)
    pairs = list(zip(items[::2], items[1::2], strict=True))
    return yaml.MappingNode(start.tag or _KEYS, pairs, *place)


def _refused(event: Any, reason: str) -> NotYaml:
    line = _line(event)
    return NotYaml(field=f"line {line}", line=line, reason=reason)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _not_yaml(error: yaml.YAMLError) -> NotYaml:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark is not None else 1
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__
    return NotYaml(field=f"line {line}", line=line, reason=str(reason)[:120])
