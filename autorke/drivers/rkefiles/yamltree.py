"""YAML text to a tree of nodes with positions, safely: no aliases, no depth or size bombs, one document.

PyYAML's C parser serves for reading (0.1 s for 2,000 nodes); nothing is constructed from tags.
"""

from __future__ import annotations

import yaml

from autorke.drivers.rkefiles.errors import AliasRefused, FileTooLarge, NotYaml

SIZE_LIMIT = 4 * 1024 * 1024
_DEPTH_LIMIT = 40

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_tree(text: str, *, file: str = "cluster.yml") -> yaml.MappingNode:
    """The root mapping. Raises FileTooLarge, AliasRefused or NotYaml."""
    size = len(text.encode(errors="replace"))
    if size > SIZE_LIMIT:
        raise FileTooLarge(field=file, file=file, size=size, limit=SIZE_LIMIT)
    try:
        _refuse_bombs(text)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise _not_yaml(error) from error
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise NotYaml(field=f"line {line}", line=line, reason="half a surrogate pair") from error
    if not isinstance(root, yaml.MappingNode):
        raise NotYaml(field="cluster.yml", line=1, reason="not a mapping of keys")
    return root


def _refuse_bombs(text: str) -> None:
    """Walk the events before anything recursive does: a tree of a thousand levels would exhaust the stack."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark is not None else 1
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            raise AliasRefused(field=f"line {line}", line=line, name=anchor[:40])
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > _DEPTH_LIMIT:
            raise NotYaml(field=f"line {line}", line=line, reason=f"nested deeper than {_DEPTH_LIMIT} levels")
        if documents > 1:
            raise NotYaml(field=f"line {line}", line=line, reason="more than one document")


def _not_yaml(error: yaml.YAMLError) -> NotYaml:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark is not None else 1
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__
    return NotYaml(field=f"line {line}", line=line, reason=str(reason)[:120])
