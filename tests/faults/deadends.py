"""P7: every state of a ticket that can be reached is visited, and from each a way leads to an end.

The reference (`reference.py`) keeps no history, so a ticket has finitely many states. All of them are built, by every
order of a person, every way a runner can go, every loss and every expiry. Then three things are asked:

- from every state some end is reached;
- from every state in which nobody has asked for a cancel, SUCCEEDED is reached without cancelling and without giving
  up: whatever happened, people can still bring the change to its good end;
- a state that nothing moves by itself is one in which a person is asked.

One round is one kind of ticket (`KINDS`), from small to large.
"""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from autorke.core.errors import AutoRkeError
from autorke.workflow.errors import Fenced
from autorke.workflow.states import TERMINAL_TICKET, AttemptState, GateState, NodeState, Purpose, TicketState
from tests.faults import place
from tests.faults.memory import check_ticket
from tests.faults.reference import FLOW, WHOLE, Kind, Run, Step, Ticket
from tests.faults.reference_orders import Installation

CONFIGURE, CHANGE, NOTICE, CLOSE = FLOW
Move = tuple[str, Callable[[Installation, Ticket], object]]
KINDS: tuple[tuple[str, tuple[Kind, ...], str, int], ...] = (
    ("one step, one node", (CHANGE,), "strict", 1),
    ("one step that waits for an answer", (NOTICE,), "strict", 1),
    ("two steps, one approval", (CONFIGURE, CHANGE), "express", 1),
    ("one step, two nodes", (CHANGE,), "strict", 2),
    ("two steps, all gates", (CHANGE, CLOSE), "strict", 1),
    ("an answer between two steps", (CHANGE, NOTICE), "standard", 1),
)
GIVE_UP = ("cancel", "close as failed", "reject", "gate expires")
"""Moves that may end a ticket without success."""
PEOPLE = ("ann", "ben")


def run(seed: int, rounds: int) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    with place.seeded(seed):
        for name, flow, policy, nodes in KINDS[:rounds]:
            figures[name] = _Space(flow, policy, nodes).explored()
    return figures


def moves(ticket: Ticket) -> Iterator[Move]:
    """Everything that somebody or something may do now; what is refused changes nothing."""
    yield "cancel", lambda e, t: e.ask_cancel(t)
    yield "close as failed", lambda e, t: e.close_failed(t)
    yield "pause", lambda e, t: e.pause(t, paused=True)
    yield "go on", lambda e, t: e.pause(t, paused=False)
    yield "reconcile", lambda e, _t: e.reconcile(proven=True)
    yield "runners are silent", lambda e, _t: e.reconcile(proven=False, silent=True)
    yield "runners are dead", lambda e, _t: e.reconcile(proven=True, silent=True)
    yield "approve", lambda e, t: e.decide(t, "ann", approve=True)
    yield "reject", lambda e, t: e.decide(t, "ben", approve=False, comment="no")
    yield "take back", lambda e, t: e.revoke(t, "ann")
    for node in ticket.nodes:
        yield f"leave out {node}", lambda e, t, node=node: e.exclude(t, node)
    for done in (True, False):
        for who in PEOPLE:
            yield "resolve", lambda e, t, done=done, who=who: e.resolve(t, who, done=done, override=True)
    for number, step in enumerate(ticket.steps):
        yield from _of_step(number, step)


def _of_step(number: int, step: Step) -> Iterator[Move]:
    yield "retry", lambda e, t: e.retry(t, t.steps[number].key)
    for phase, door in step.doors.items():
        if door.state is GateState.OPEN:
            yield "gate expires", lambda e, t, phase=phase: e.expire(t, t.steps[number], phase)
    if step.kind.callback and step.begun:
        yield "answer", lambda e, t: e.callback(t, t.steps[number], late=False)
    if step.kind.callback:
        yield "no answer", lambda e, t: _no_answer(e, t, t.steps[number])
    for purpose, run in step.live.items():
        if run.state is AttemptState.READY:
            yield "claim", lambda e, t, p=purpose: e.claim(t, t.steps[number], p)
        elif run.state is AttemptState.CLAIMED:
            yield from _of_claim(number, step, run)


def _no_answer(engine: Installation, ticket: Ticket, step: Step) -> None:
    if step.state.value == "WAIT_CALLBACK":
        engine.expire_callback(ticket, step)


def _of_claim(number: int, step: Step, run: Run) -> Iterator[Move]:
    """How a runner goes: well, badly in each way, or away after its intent."""
    if run.purpose is not Purpose.RUN:
        blocked = (False, True) if run.purpose is Purpose.PLAN else (False,)
        for problem in blocked:
            yield "plan or look", lambda e, t, b=problem: _work(e, t, number, run.purpose, blocked=b)
        return
    yield "drift", lambda e, t: _work(e, t, number, Purpose.RUN, drifted=True)
    nodes = [WHOLE] if step.kind.whole else list(run.nodes)
    for ends in _ends(nodes):
        yield "run", lambda e, t, ends=ends: _work(e, t, number, Purpose.RUN, ends=ends)
    for count in range(len(nodes) + 1):
        yield "begin and vanish", lambda e, t, count=count: _vanish(e, t, number, nodes[:count])


def _ends(nodes: list[str]) -> Iterator[dict[str, NodeState]]:
    if not nodes:
        yield {}
        return
    for rest in _ends(nodes[1:]):
        for state in (NodeState.SUCCEEDED, NodeState.FAILED, NodeState.UNKNOWN, NodeState.NOT_STARTED):
            yield {nodes[0]: state, **rest}


def _work(engine: Installation, ticket: Ticket, number: int, purpose: Purpose, **how: Any) -> None:
    step = ticket.steps[number]
    if how.get("ends"):
        how["ends"] = {node: state for node, state in how["ends"].items() if node not in ticket.excluded}
    engine.work(ticket, step, step.live[purpose], **how)


def _vanish(engine: Installation, ticket: Ticket, number: int, nodes: list[str]) -> None:
    step = ticket.steps[number]
    run = step.live[Purpose.RUN]
    if engine.begin(ticket, step, run):
        for node in nodes:
            engine.start_node(ticket, step, run, node)


class _Space:
    """All states of one ticket of a kind: how it stands in each, and whether somebody has asked for a cancel."""

    def __init__(self, flow: tuple[Kind, ...], policy: str, nodes: int) -> None:
        engine = Installation(flow)
        engine.starts = None
        engine.rights = set(PEOPLE)
        engine.submit([f"n{number}" for number in range(nodes)], policy, flat=True)
        self.first = engine
        self.states: dict[Any, tuple[TicketState, bool]] = {}
        self.before: dict[Any, list[tuple[str, Any]]] = defaultdict(list)

    def explored(self) -> dict[str, int]:
        moved = self._visit()
        ends = {key for key, (state, _) in self.states.items() if state in TERMINAL_TICKET}
        good = {key for key in ends if self.states[key][0] is TicketState.SUCCEEDED}
        stuck = set(self.states) - self._reaching(ends, frozenset())
        assert not stuck, f"{len(stuck)} dead ends, such as {next(iter(stuck))}"
        willing = {key for key, (_, cancelled) in self.states.items() if key not in ends and not cancelled}
        hopeless = willing - self._reaching(good, frozenset(GIVE_UP))
        assert not hopeless, f"{len(hopeless)} states without a good end, such as {next(iter(hopeless))}"
        return {"states": len(self.states), "moves": moved, "ends": len(ends)}

    def _visit(self) -> int:
        """Depth first; returns how many moves there are. Raises what the engine's own assertions raise."""
        todo = [(_key(self.first), pickle.dumps(self.first))]
        self._note(self.first)
        count = 0
        while todo:
            here, frozen = todo.pop()
            engine: Installation = pickle.loads(frozen)  # noqa: S301  our own bytes
            for name, act in moves(engine.tickets[0]):
                after: Installation = pickle.loads(frozen)  # noqa: S301
                try:
                    act(after, after.tickets[0])
                except (AutoRkeError, Fenced):
                    continue
                there = _key(after)
                if there == here:
                    continue
                count += 1
                self.before[there].append((name, here))
                if there not in self.states:
                    check_ticket(after, after.tickets[0])
                    self._note(after)
                    todo.append((there, pickle.dumps(after)))
        return count

    def _note(self, engine: Installation) -> None:
        ticket = engine.tickets[0]
        self.states[_key(engine)] = (ticket.state, bool(ticket.cancel_requested_at))

    def _reaching(self, goal: set[Any], without: frozenset[str]) -> set[Any]:
        """States from which the goal is reached, backwards along the moves that are allowed."""
        found, todo = set(goal), list(goal)
        while todo:
            for name, state in self.before[todo.pop()]:
                if state not in found and name not in without:
                    found.add(state)
                    todo.append(state)
        return found


def _key(engine: Installation) -> Any:
    """A state without what only tells one attempt from another."""
    ticket = engine.tickets[0]
    flags = (ticket.state, bool(ticket.cancel_requested_at), bool(ticket.pause_requested_at), *sorted(ticket.excluded))
    return (flags, *(_key_of_step(step) for step in ticket.steps)) if ticket.state not in TERMINAL_TICKET else flags[:1]


def _key_of_step(step: Step) -> Any:
    live = tuple(
        (run.purpose, run.nodes, run.state, run.newest, tuple(sorted(run.rows.items())), run.proven, run.override_by)
        for run in step.live.values()
    )
    doors = tuple(
        (phase, door.state, tuple((who, said.approve) for who, said in door.signed.items()))
        for phase, door in sorted(step.doors.items())
    )
    marks = (
        step.planned,
        step.retry_nodes,
        step.answered,
        step.late_token,
        step.good_token,
        step.losses,
        step.lost,
        step.begun,
    )
    return (step.state, live, doors, tuple(sorted(step.last.items())), marks)
