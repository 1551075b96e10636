"""YAML from people as plain values: bounded, without aliases, tags and clever numbers.

A few hundred bytes of YAML can name each other into gigabytes, or be numbers that take minutes to read. So: no anchors,
no merge keys, at most `DEPTH` levels, one document; a scalar is text unless it is a truth value or null.
"""

from __future__ import annotations

from typing import Any, ClassVar

import yaml

DEPTH = 40
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KEPT = frozenset({"tag:yaml.org,2002:bool", "tag:yaml.org,2002:null"})


class NotPlain(ValueError):
    """Not YAML, or more than plain YAML; the text says what and never quotes a value."""


class _Loader(_Base):  # type: ignore[misc]
    """Resolves truth values and null; numbers, dates and `<<` stay text."""

    yaml_implicit_resolvers: ClassVar[dict[Any, Any]] = {
        first: [(tag, pattern) for tag, pattern in pairs if tag in _KEPT]
        for first, pairs in _Base.yaml_implicit_resolvers.items()
    }


def load(text: str, *, limit: int) -> Any:
    """The one document. Raises NotPlain, also for more than `limit` characters."""
    if len(text) > limit:
        raise NotPlain(f"larger than {limit} characters")
    try:
        _refuse_bombs(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506  a safe loader with less in it
    except yaml.YAMLError:
        raise NotPlain("not valid YAML") from None
    except NotPlain:
        raise
    except (ValueError, RecursionError):
        raise NotPlain("not plain YAML") from None


def _refuse_bombs(text: str) -> None:
    """Walk the events before anything is built from them."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        if getattr(event, "anchor", None) is not None:
            raise NotPlain("anchors and aliases are not accepted")
        if getattr(event, "tag", None) is not None:
            raise NotPlain("tags are not accepted")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > DEPTH:
            raise NotPlain(f"nested deeper than {DEPTH} levels")
        if documents > 1:
            raise NotPlain("more than one document")
