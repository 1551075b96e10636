"""A worker host for the engine bench: the product's own launcher and Celery worker, with one flow that notes the time.

`python -m bench._engine_host launcher|celery …` is started by `bench.engine`.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from autorke.core.errors import Text
from autorke.core.queue import app
from autorke.flows import wiring
from autorke.workflow import gates
from autorke.workflow.context import Context
from autorke.workflow.definition import Accepted, Effect, Flow, Node, Outcome, Plan, Policy, Unit, register

BARE = "autorke.bench.bare"


class BenchIn(BaseModel):
    journal: str
    name: str
    lock: str = ""
    """What the ticket locks; its name when left out."""


def _words(text: str) -> Text:
    return Text(zh=text, en=text)


FLOW = Flow("bench", 1, _words("bench"), BenchIn, BenchIn)


@FLOW.accept
def accept(_session: Session, request: BenchIn, _requester: str, _ticket: str) -> Accepted[BenchIn]:
    nodes = [Node(request.name, request.name, {})]
    return Accepted(request, nodes, [("machine", request.lock or request.name)], None, Policy.EXPRESS, "bench")


act = FLOW.step(
    "act",
    title=_words("act"),
    does=_words("act"),
    effect=Effect.CONVERGENT,
    unit=Unit.NODE,
    timeout=timedelta(minutes=1),
)


@act.plan
def plan(_ctx: Context) -> Plan:
    return Plan({})


@act.run
def run(ctx: Context, node: Node) -> Outcome:
    note(ctx.params.journal, node.id, time.time())
    return Outcome.ok()


register(FLOW)

SEVEN = Flow("bench_seven", 1, _words("bench"), BenchIn, BenchIn)
"""Seven steps that do nothing, with a gate before and after each."""


@SEVEN.accept
def accept_seven(_session: Session, request: BenchIn, _requester: str, _ticket: str) -> Accepted[BenchIn]:
    nodes = [Node(request.name, request.name, {})]
    return Accepted(request, nodes, [("machine", request.name)], None, Policy.STRICT, "bench")


def _nothing(key: str) -> None:
    """Add a step without any effect."""
    step = SEVEN.step(
        key,
        title=_words(key),
        does=_words(key),
        effect=Effect.CONVERGENT,
        unit=Unit.TICKET,
        timeout=timedelta(minutes=1),
    )
    step.plan(lambda _ctx: Plan({}))
    step.run(lambda _ctx: Outcome.ok())


for _number in range(1, 8):
    _nothing(f"s{_number}")
register(SEVEN)


@app.task(name=BARE)  # type: ignore[untyped-decorator]
def bare(journal: str, name: str) -> None:
    """What Celery alone costs: the body does nothing but note the time."""
    note(journal, name, time.time())


def note(journal: str, name: str, at: float) -> None:
    handle = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, f"{name} {at}\n".encode())
    os.close(handle)


def everybody(*_: Any) -> bool:
    return True


def main(argv: list[str]) -> int:
    original = wiring.wire

    def wire() -> None:
        original()
        gates.configure_directory(everybody)

    wiring.wire = wire
    from autorke.worker import launcher
    from autorke.worker.app import app as worker

    if argv[0] == "celery":
        worker.worker_main(argv[1:])
        return 0
    return launcher.main(argv[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
