"""T1 on PostgreSQL: the engine and its reference are told the same things, must answer the same, and stand the same.

One round is one sequence of 40 rules on a database of its own. Beside the comparison the rows themselves are checked
(`invariants.py`). The seed gives the sequences; their draws depend on what the engine answers, which does not vary.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import Any

from hypothesis.stateful import invariant

from tests.faults import invariants, place
from tests.faults.rules import APPROVERS, PEOPLE, Rules, search
from tests.faults.sql_side import Sql

STEPS = 40
_done: Counter[str] = Counter()
_seen: set[str] = set()


class OnPostgres(Rules):
    """The engine beside its reference."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        desk = self.stack.enter_context(place.desk())
        self.sql = Sql(desk, PEOPLE)
        for who in APPROVERS:
            self.both("role", who)

    def teardown(self) -> None:
        _done["examples"] += 1
        _done["tickets"] += self.count
        self.stack.close()

    @invariant()
    def stands_like_the_reference(self) -> None:
        if self.sql is None:
            return
        _done["comparisons"] += 1
        theirs, mine = self.sql.snapshot(), self.memory.snapshot()
        _seen.update(f"ticket {it['state']}" for it in mine)
        _seen.update(f"step {step['state']}" for it in mine for step in it["steps"].values())
        assert theirs == mine, f"the engine: {_differing(theirs, mine)}; the reference: {_differing(mine, theirs)}"

    @invariant()
    def rows_hold(self) -> None:
        if self.sql is not None and self.count:
            invariants.check(self.sql.tickets, self.sql.desk.requester)


def _differing(one: list[Any], other: list[Any]) -> list[Any]:
    """The tickets that are not the same, without the steps that are."""
    found = []
    for number, (mine, theirs) in enumerate(zip(one, other, strict=True)):
        if mine != theirs:
            steps = {key: step for key, step in mine["steps"].items() if step != theirs["steps"][key]}
            found.append({**mine, "number": number, "steps": steps})
    return found


def run(seed: int, rounds: int) -> dict[str, Any]:
    _done.clear()
    _seen.clear()
    with place.seeded(seed), place.server():
        search(OnPostgres, seed_=seed, examples=rounds, steps=STEPS)
    return {**_done, "steps_each": STEPS, "states_seen": sorted(_seen)}
