"""T16: the engine's guards, each with the edit that takes it away and the tests that must notice.

An edit is exact source text and what stands there without the guard. Where two guards stand behind one another, one
edit may take both away; the name says so. `ALL` is the table that docs/reliability.md shows as the kill matrix.
"""

from __future__ import annotations

from tests.faults.guards import outside, people, records, starts
from tests.faults.guards.kinds import Edit, Guard

__all__ = ["ALL", "Edit", "Guard"]

ALL: tuple[Guard, ...] = (*starts.GUARDS, *people.GUARDS, *records.GUARDS, *outside.GUARDS)
