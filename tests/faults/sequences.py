"""T1 in memory: the reference of the engine under sequences of 60 rules; one round is one sequence.

What this proves is that the rules of the engine, as written down in the reference, keep P1, P2, P5, P7, P8, P9 and P10
whatever comes in whatever order. That the engine on PostgreSQL follows these rules is what `model.py` compares.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis.stateful import invariant

from autorke.workflow.states import StepState, TicketState
from tests.faults import place
from tests.faults.rules import APPROVERS, Rules, search

STEPS = 60
_seen: Counter[str] = Counter()


class InMemory(Rules):
    """The reference alone."""

    def __init__(self) -> None:
        super().__init__()
        for who in APPROVERS:
            self.memory.role(who)

    def teardown(self) -> None:
        _seen["sequences"] += 1
        _seen["tickets"] += self.count

    @invariant()
    def count_what_was_seen(self) -> None:
        _seen["states"] += 1
        for ticket in self.memory.engine.tickets:
            _seen[f"ticket {ticket.state.value}"] += 1
            _seen.update(f"step {step.state.value}" for step in ticket.steps)


def run(seed: int, rounds: int) -> dict[str, Any]:
    _seen.clear()
    with place.seeded(seed):
        search(InMemory, seed_=seed, examples=rounds, steps=STEPS)
    every = {f"ticket {state.value}" for state in TicketState} | {f"step {state.value}" for state in StepState}
    counts = {key: _seen[key] for key in ("sequences", "tickets", "states")}
    return {**counts, "steps_each": STEPS, "states_never_seen": sorted(every - set(_seen))}
