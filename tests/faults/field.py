"""The field flow: one changing step whose effect is a tool that outlives its runner and keeps a journal of its own.

`python -m tests.faults.field launcher|celery …` and `tests.faults.field:create_app` are the product's own with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy.orm import Session

from autorke.core import contact
from autorke.core.errors import Text
from autorke.workflow.context import Context
from autorke.workflow.definition import Accepted, Effect, Flow, Node, Outcome, Plan, Policy, Unit, register
from autorke.workflow.states import NodeState

TOOL = Path(__file__).with_name("tool.py")


class FieldIn(BaseModel):
    journal: str
    nodes: list[str]
    ms: int = 300


def _words(text: str) -> Text:
    return Text(zh=text, en=text)


FIELD = Flow("field", 1, _words("field"), FieldIn, FieldIn)


@FIELD.accept
def accept(_session: Session, request: FieldIn, _requester: str, _ticket: str) -> Accepted[FieldIn]:
    nodes = [Node(name, name, {}) for name in request.nodes]
    return Accepted(request, nodes, [("machine", n) for n in request.nodes], None, Policy.STANDARD, "field")


act = FIELD.step(
    "act",
    title=_words("act"),
    does=_words("act"),
    effect=Effect.CONVERGENT,
    unit=Unit.NODE,
    timeout=timedelta(minutes=1),
)


@act.plan
def plan(ctx: Context) -> Plan:
    return Plan({"nodes": [node.id for node in ctx.nodes]}, {"is": "as planned"})


@act.observe
def observe(_ctx: Context) -> dict[str, Any]:
    contact.made()
    return {"is": "as planned"}


@act.run
def run(ctx: Context, node: Node) -> Outcome:
    contact.made()
    ctx.log("working", node)
    words = [ctx.params.journal, str(ctx.ticket_id), node.id, str(ctx.attempt_id), str(ctx.params.ms)]
    done = subprocess.run([sys.executable, "-I", "-S", str(TOOL), *words], start_new_session=True)
    return Outcome.ok("acted") if done.returncode == 0 else Outcome(NodeState.FAILED, "the tool was killed")


@act.probe
def probe(ctx: Context, node: Node) -> Outcome:
    contact.made()
    done = f"END {ctx.ticket_id} {node.id} " in Path(ctx.params.journal).read_text()
    return Outcome.ok("the journal says so") if done else Outcome(NodeState.FAILED, "the journal knows no end")


register(FIELD)


def create_app() -> FastAPI:
    from autorke import app

    return app.create_app()


def main(argv: list[str]) -> int:
    """The product's own entry points with this flow known; AUTORKE_TEST_GRACE shortens the wait without proof (s)."""
    from autorke.worker import launcher, runner, tasks
    from autorke.worker.app import app
    from autorke.workflow import reconcile

    reconcile.SILENT_GRACE = timedelta(seconds=float(os.environ.get("AUTORKE_TEST_GRACE", "60")))
    tasks.RUNNER = ["-m", "tests.faults.field", "runner"]
    if argv[0] == "celery":
        app.worker_main(argv[1:])
        return 0
    return {"launcher": launcher.main, "runner": runner.main}[argv[0]](argv[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
