"""T16: the engine's guards, each with the edit that takes it away and the tests that must notice.

An edit is exact source text and what stands there without the guard. Where two guards stand behind one another, one
edit may take both away; the name says so. `ALL` is the table that docs/reliability.md shows as the kill matrix.
"""

from __future__ import annotations

import re

from tests.faults.guards import outside, people, records, starts
from tests.faults.guards.kinds import Edit, Guard

__all__ = ["ALL", "Edit", "Guard"]

ALL: tuple[Guard, ...] = (*starts.GUARDS, *people.GUARDS, *records.GUARDS, *outside.GUARDS)


def table() -> str:
    """The rows as docs/reliability.md shows them: `python -m tests.faults.guards`."""
    rows = ["| guard | keeps | noticed by |", "| --- | --- | --- |"]
    for guard in ALL:
        tests = ", ".join(f"`{test.removeprefix('workflow/').replace('.py::test_', ' ')}`" for test in guard.tests)
        rows.append(f"| {guard.name} | {guard.promise} | {_short(tests)} |")
    return "\n".join(rows)


def _short(tests: str) -> str:
    """Parts of the programme by their number."""
    return re.sub(r"`faults/test_programme a_part_of_the_programme_finds_nothing\[(T[^]]+)\]`", r"\1", tests)
