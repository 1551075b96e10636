"""What a row of the table is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """`old` stands exactly once in the file (path from the project's root) and becomes `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Guard:
    """A guard: what it promises (P1-P19), how it is taken away, and the tests (below `tests/`) that must notice."""

    name: str
    promise: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


def guard(name: str, promise: str, file: str, old: str, new: str, *tests: str) -> Guard:
    """The usual row: one edit."""
    return Guard(name, promise, (Edit(file, old, new),), tests)
