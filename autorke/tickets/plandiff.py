"""Two JSON documents compared for people: which value at which place was what, and is what. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

NAMES = ("node_id", "node", "id", "hostname", "name", "key", "check", "code", "path", "task")
"""What tells one object of a list from the others; the first that all have, and each another value, is taken."""
MOST_PAIRS = 1_000_000
"""Lines × lines that are worth a search for what they have in common: what it takes grows with this product."""
_MISSING = object()


@dataclass(frozen=True)
class Change:
    """`path` is like `plan.targets[w1].labels.pool` or `plan.diff[3..5]`: a list of lines changes by stretches."""

    path: str
    kind: Literal["added", "removed", "changed"]
    before: Any
    after: Any


def changes(before: Any, after: Any) -> list[Change]:
    """Every difference, in the order of the newer document; what is gone stands where it stood."""
    return list(_differ("", before, after))


def _differ(path: str, before: Any, after: Any) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _by_key(f"{path}." if path else "", "", before, after)
    elif isinstance(before, list) and isinstance(after, list):
        name = _name_of(before, after)
        if name is None:
            yield from _stretches(path, before, after)
        else:
            old, new = ({item[name]: item for item in items} for items in (before, after))
            yield from _by_key(f"{path}[", "]", old, new)
    elif type(before) is not type(after) or before != after:
        yield _change(path, before, after)


def _by_key(head: str, tail: str, before: Mapping[Any, Any], after: Mapping[Any, Any]) -> Iterator[Change]:
    for key in dict.fromkeys([*after, *before]):
        yield from _differ(f"{head}{key}{tail}", before.get(key, _MISSING), after.get(key, _MISSING))


def _change(path: str, before: Any, after: Any) -> Change:
    if before is _MISSING:
        return Change(path, "added", None, after)
    if after is _MISSING:
        return Change(path, "removed", before, None)
    return Change(path, "changed", before, after)


def _name_of(before: Sequence[Any], after: Sequence[Any]) -> str | None:
    """The key by which the objects of both lists can be told apart; None for lists of anything else."""
    both = [*before, *after]
    if not both or not all(isinstance(item, dict) for item in both):
        return None
    return next((name for name in NAMES if _tells_apart(name, before) and _tells_apart(name, after)), None)


def _tells_apart(name: str, items: Sequence[Mapping[str, Any]]) -> bool:
    values = [item.get(name) for item in items]
    return all(isinstance(value, str) for value in values) and len(set(values)) == len(values)


def _stretches(path: str, before: Sequence[Any], after: Sequence[Any]) -> Iterator[Change]:
    """Lines and the like: equal ones are passed over, a stretch that differs is one change."""
    for first, last, begin, end in _unequal([_comparable(it) for it in before], [_comparable(it) for it in after]):
        if last - first == end - begin == 1:
            yield from _differ(f"{path}[{begin}]", before[first], after[begin])
            continue
        place = f"{path}[{begin}]" if end - begin <= 1 else f"{path}[{begin}..{end - 1}]"
        yield _change(place, before[first:last] or _MISSING, after[begin:end] or _MISSING)


def _unequal(old: Sequence[Hashable], new: Sequence[Hashable]) -> Iterator[tuple[int, int, int, int]]:
    """(first, last, begin, end) of each stretch that differs; of very long lists the middle is one stretch."""
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    last, end = len(old) - tail, len(new) - tail
    if (last - head) * (end - head) > MOST_PAIRS:
        yield head, last, head, end
        return
    matcher = SequenceMatcher(None, old[head:last], new[head:end], autojunk=False)
    for verb, first, stop, begin, until in matcher.get_opcodes():
        if verb != "equal":
            yield head + first, head + stop, head + begin, head + until


def _comparable(value: Any) -> Hashable:
    if isinstance(value, dict):
        return ("object", tuple(sorted((key, _comparable(item)) for key, item in value.items())))
    if isinstance(value, list):
        return ("list", tuple(_comparable(item) for item in value))
    return (type(value).__name__, value)
