"""Flows whose effects are lines of a file: the ground truth for tests that kill processes. `ground` acts on nodes;
`ground-call` asks an outside system that calls back.

`python -m tests.worker.ground launcher|celery …` starts the product's own processes with these flows registered.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from autorke.core.db import transaction
from autorke.core.errors import Text
from autorke.flows import wiring
from autorke.workflow import callbacks, gates
from autorke.workflow.context import Context
from autorke.workflow.definition import Accepted, Effect, Flow, Node, Outcome, Plan, Policy, Unit, register


class GroundIn(BaseModel):
    journal: str
    nodes: list[str] = ["a"]
    seconds: int = 0
    tool: bool = False
    policy: str = "express"


def _words(text: str) -> Text:
    return Text(zh=text, en=text)


GROUND = Flow("ground", 1, _words("ground"), GroundIn, GroundIn)


@GROUND.accept
def accept(_session: Session, request: GroundIn, _requester: str, _ticket: str) -> Accepted[GroundIn]:
    nodes = [Node(n, n, {}) for n in request.nodes]
    return Accepted(request, nodes, [("machine", n) for n in request.nodes], None, Policy(request.policy), "ground")


MINUTE = timedelta(minutes=1)
act = GROUND.step(
    "act",
    title=_words("act"),
    does=_words("act"),
    effect=Effect.CONVERGENT,
    unit=Unit.NODE,
    timeout=timedelta(minutes=1),
)


@act.plan
def plan(ctx: Context) -> Plan:
    return Plan({"nodes": [n.id for n in ctx.nodes]})


def note(path: str, line: str) -> None:
    """One O_APPEND write per line, so that lines of several processes never mix."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, f"{line}\n".encode())
    os.close(handle)


@act.run
def run(ctx: Context, node: Node) -> Outcome:
    note(ctx.params.journal, f"START {ctx.ticket_id} {node.id} {os.getpid()}")
    ctx.log("working", node)
    if ctx.params.tool:
        subprocess.run(["sleep", str(ctx.params.seconds)], check=True, start_new_session=True)
    else:
        time.sleep(ctx.params.seconds)
    note(ctx.params.journal, f"END {ctx.ticket_id} {node.id} {os.getpid()}")
    return Outcome.ok("acted")


@act.probe
def probe(ctx: Context, node: Node) -> Outcome:
    done = f"END {ctx.ticket_id} {node.id} " in Path(ctx.params.journal).read_text()
    return Outcome.ok("the journal says it is done", done=done)


register(GROUND)
CALL = Flow("ground-call", 1, _words("call"), GroundIn, GroundIn)
CALL.accept(accept)
ask = CALL.step(
    "ask",
    title=_words("ask"),
    does=_words("ask"),
    effect=Effect.KEYED,
    unit=Unit.TICKET,
    timeout=timedelta(minutes=1),
    wait_callback=timedelta(hours=72),
)
ask.plan(plan)


@ask.run
def run_ask(ctx: Context) -> Outcome:
    """What the outside is given stands in the journal: an address and the key of its signature."""
    with transaction() as session:
        issued = callbacks.issue(session, ctx.attempt_id, "order", ttl=timedelta(hours=72), allowed_from=())
    note(ctx.params.journal, f"ASKED {issued.token} {issued.hmac_secret}")
    return Outcome.ok("asked")


register(CALL)


def everybody(*_: Any) -> bool:
    return True


def main(argv: list[str]) -> int:
    """The product's own entry points, with these flows known and everybody allowed to approve."""
    original = wiring.wire

    def wire() -> None:
        original()
        gates.configure_directory(everybody)

    wiring.wire = wire
    from autorke.worker import launcher, runner, tasks
    from autorke.worker.app import app

    tasks.RUNNER = ["-m", "tests.worker.ground", "runner"]
    if argv[0] == "celery":
        app.worker_main(argv[1:])
        return 0
    return {"launcher": launcher.main, "runner": runner.main}[argv[0]](argv[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
