"""A small flow for tests of the engine: what each node does is told by the test, what was done is written down."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from autorke.core import contact
from autorke.core.errors import Text
from autorke.drivers.base import Unreachable
from autorke.workflow.context import Context
from autorke.workflow.definition import (
    Accepted,
    Effect,
    Flow,
    Node,
    Outcome,
    Plan,
    Policy,
    Problem,
    Unit,
    register,
)
from autorke.workflow.execute import Batches
from autorke.workflow.states import NodeState


class BatchesIn(BaseModel):
    canary: int = 1
    size: int = 10
    budget: int = 0

    def value(self) -> Batches:
        return Batches(self.canary, self.size, self.budget)


class ToyIn(BaseModel):
    nodes: list[str] = ["a", "b", "c"]
    policy: str = "strict"
    locks: list[str] = []
    flat: bool = False
    batches: BatchesIn = BatchesIn()


def words(text: str) -> Text:
    return Text(zh=text, en=text)


@dataclass
class World:
    """The outside as the toy steps see it: scripted behaviour and a journal of every effect."""

    behave: dict[str, Callable[[], Outcome]] = field(default_factory=dict)
    journal: list[tuple[str, str]] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    released: list[tuple[str, bool]] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reset(self) -> None:
        self.__init__()  # type: ignore[misc]

    def act(self, step: str, node: str) -> Outcome:
        contact.made()  # as every driver says before it speaks
        with self.lock:
            self.journal.append((step, node))
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        try:
            behave = self.behave.get(f"{step}:{node}")
            return behave() if behave else Outcome.ok("done", node=node)
        finally:
            with self.lock:
                self.running -= 1


WORLD = World()


def fail() -> Outcome:
    return Outcome(NodeState.FAILED, "broken")


def unreachable() -> Outcome:
    raise Unreachable(name="x", address="192.0.2.1", reason="test")


def bug() -> Outcome:
    raise ZeroDivisionError


def make_flow(name: str, version: int = 1) -> Flow:
    """configure (read-only) → change (nodes) → notice (waits for a callback, only with flat=True) → close (ticket)."""
    flow = Flow(name, version, words("toy"), ToyIn, ToyIn)

    @flow.accept
    def accept(_session: Session, request: ToyIn, _requester: str, _ticket: str) -> Accepted[ToyIn]:
        return Accepted(
            params=request,
            nodes=[Node(n, f"node-{n}", {}) for n in request.nodes],
            locks=[("machine", n) for n in request.nodes] + [("cluster", c) for c in request.locks],
            scope_id=None,
            policy=Policy(request.policy),
            summary="toy",
        )

    @flow.release
    def release(_session: Session, ticket_id: str, _nodes: Any, succeeded: bool) -> None:
        WORLD.released.append((ticket_id, succeeded))

    short = timedelta(minutes=1)
    configure = flow.step(
        "configure", title=words("c"), does=words("c"), effect=Effect.READ_ONLY, unit=Unit.TICKET, timeout=short
    )
    change = flow.step(
        "change", title=words("x"), does=words("x"), effect=Effect.CONVERGENT, unit=Unit.NODE, timeout=short
    )
    notice = flow.step(
        "notice",
        title=words("n"),
        does=words("n"),
        effect=Effect.KEYED,
        unit=Unit.TICKET,
        timeout=short,
        wait_callback=timedelta(hours=1),
    )
    close = flow.step(
        "close", title=words("e"), does=words("e"), effect=Effect.CONVERGENT, unit=Unit.TICKET, timeout=short
    )

    def plan(ctx: Context) -> Plan:
        return Plan({"targets": [n.id for n in ctx.nodes]}, dict(WORLD.state), list(WORLD.problems))

    def whole(ctx: Context) -> Outcome:
        ctx.log("whole step")
        ctx.result = {"ran": ctx.step_key}
        return WORLD.act(ctx.step_key, "*")

    for step in (configure, change, notice, close):
        step.plan(plan)
    for step in (configure, notice, close):
        step.run(whole)
    notice.skip_when(lambda p: None if p.flat else words("no flat network"))

    @change.observe
    def observe(_ctx: Context) -> dict[str, Any]:
        return dict(WORLD.state)

    @change.run
    def run(ctx: Context, node: Node) -> Outcome:
        ctx.log("touching", node)
        return WORLD.act("change", node.id)

    @change.probe
    def probe(_ctx: Context, node: Node) -> Outcome:
        return Outcome.ok("looked") if ("change", node.id) in WORLD.journal else fail()

    return register(flow)


TOY = make_flow("toy")
