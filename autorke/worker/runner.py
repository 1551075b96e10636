"""The detached runner: one process per attempt, in its own session, untouched by restarts of workers and brokers.

It adopts the claim, looks once more at what the plan rests on, commits the intent, does the work, and records the end
under its token. Losing the attempt (fenced) means: stop everything at once, write nothing.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event, Thread
from typing import Any
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from autorke.core import logs
from autorke.core.canonical import storable
from autorke.core.db import transaction
from autorke.core.errors import AutoRkeError
from autorke.core.redact import Secrets
from autorke.core.settings import Settings, get_settings
from autorke.worker import begun, process
from autorke.worker.rundir import private_dir
from autorke.workflow import attempts, execute, lifecycle, results
from autorke.workflow.attempts import Claim
from autorke.workflow.context import Context, Loaded, load, make_context
from autorke.workflow.definition import Outcome, Plan, Unit
from autorke.workflow.errors import Fenced
from autorke.workflow.logstore import LogWriter
from autorke.workflow.patience import insist
from autorke.workflow.results import WHOLE
from autorke.workflow.states import NodeState, Purpose

log = logging.getLogger(__name__)
EXIT_FENCED = 70


def run_attempt(attempt_id: UUID, token: int) -> int:
    """Run one claimed attempt to its end; returns the exit code of the process."""
    settings = get_settings()
    os.environ[process.MARKER] = str(attempt_id)
    logs.context.set({"attempt": str(attempt_id)})
    held = _adopt(attempt_id, token, settings)
    if held is None:
        return 0
    try:
        _work(held, settings)
    except (Fenced, SQLAlchemyError) as error:
        log.warning("attempt lost: stopping", extra={"error": type(error).__name__})
        process.kill_tools(str(attempt_id))
        return EXIT_FENCED
    return 0


def _adopt(attempt_id: UUID, token: int, settings: Settings) -> Claim | None:
    """The claim, held by this process; None when it was taken away, or when another runner was started for it too."""
    try:
        with transaction() as session:
            held = attempts.adopt(session, attempt_id, token)
            if held is not None:
                attempts.register_process(session, held, process.me(), settings.lease)
            return held
    except Fenced:
        log.warning("another runner holds this claim")
        return None


def _work(held: Claim, settings: Settings) -> None:
    secrets = Secrets()
    private = private_dir(settings.run_dir, held.attempt_id)
    with private as run_dir, LogWriter(held.ticket_id, held.attempt_id, secrets) as writer:
        with transaction() as session:
            loaded = load(session, held)
            ctx = make_context(session, loaded, run_dir=run_dir, secrets=secrets, writer=writer)
        with _heart(held, settings, ctx):
            if not _begin(held, loaded, ctx):
                return
            if held.purpose is Purpose.PLAN:
                _plan(held, loaded, ctx)
            elif held.purpose is Purpose.PROBE:
                _probe(held, loaded, ctx)
            else:
                _run(held, loaded, ctx)


@contextmanager
def _heart(held: Claim, settings: Settings, ctx: Context) -> Iterator[None]:
    """Renew the lease in the background and carry the people's will to the step."""
    stop = Event()

    def beat() -> None:
        while not stop.wait(settings.heartbeat.total_seconds()):
            try:
                with transaction() as session:
                    flags = attempts.heartbeat(session, held, settings.lease)
            except Fenced:
                if stop.is_set():
                    return
                log.warning("fenced: ending at once")
                process.kill_tools(str(held.attempt_id))
                shutil.rmtree(ctx.run_dir, ignore_errors=True)
                os._exit(EXIT_FENCED)
            except SQLAlchemyError as error:
                log.warning("heartbeat waits for the database", extra={"error": type(error).__name__})
                continue
            (ctx.cancel.set if flags.cancel else ctx.cancel.clear)()
            (ctx.pause.set if flags.pause else ctx.pause.clear)()

    thread = Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()


def _begin(held: Claim, loaded: Loaded, ctx: Context) -> bool:
    observed, began = None, time.monotonic()
    if held.purpose is Purpose.RUN and loaded.step.observe_fn is not None:
        try:
            observed = loaded.step.observe_fn(ctx)
        except AutoRkeError as error:
            ctx.log(f"cannot observe the state the plan rests on: {error.message.en}")
            observed = {"unreadable": error.code}
        except SQLAlchemyError:
            raise
        except Exception as error:  # nothing was committed yet: it drifts, and the new plan shows what is wrong
            log.exception("observing failed with a bug")
            ctx.log(f"cannot observe the state the plan rests on: internal error {type(error).__name__}")
            observed = {"unreadable": execute.InternalError.code}
    observed_ms = int((time.monotonic() - began) * 1000)

    seen = _clean(ctx, observed)
    if held.purpose is Purpose.RUN:
        begun.note(ctx.run_dir.parent, held, loaded.row.plan_id, list(loaded.attempt.node_ids))
    did = insist(lambda session: lifecycle.begin(session, held, process.me(), seen, observed_ms=observed_ms))
    if not did:
        begun.forget(ctx.run_dir.parent, held)
    return did


def _plan(held: Claim, loaded: Loaded, ctx: Context) -> None:
    """Read-only: make the plan a person approves, or say why there is none."""
    make = loaded.step.plan_fn
    try:
        if make is None:
            raise RuntimeError(f"step {loaded.step.key} has no plan function")
        plan = make(ctx)
    except AutoRkeError as error:
        failure = _clean(ctx, error.as_json())
        ctx.log(f"planning failed: {error.message.en}")
        _finish(held, lambda session: lifecycle.fail_plan(session, held, failure))
        return
    except Exception as error:
        log.exception("planning failed with a bug")
        failure = execute.InternalError(kind=type(error).__name__).as_json()
        ctx.log(f"planning failed: {failure['cause']['en']}")
        _finish(held, lambda session: lifecycle.fail_plan(session, held, failure))
        return
    frozen = Plan(_clean(ctx, plan.body), _clean(ctx, plan.fingerprint), plan.problems)
    problems = [_clean(ctx, problem.as_json()) for problem in plan.problems]
    _finish(held, lambda session: lifecycle.finish_plan(session, held, frozen, problems))


def _clean(ctx: Context, value: Any) -> Any:
    """Fit to be stored and shown: without secrets, and without what JSON in Postgres does not take."""
    return ctx.secrets.mask_json(storable(value))


def _probe(held: Claim, loaded: Loaded, ctx: Context) -> None:
    """Read-only: what is there after a lost runner, for the person who resolves it."""
    look = loaded.step.probe_fn
    seen: dict[str, Outcome] = {}
    if look is None:
        targets = [WHOLE] if loaded.step.unit is Unit.TICKET else [node.id for node in ctx.nodes]
        seen = dict.fromkeys(targets, Outcome(NodeState.UNKNOWN, "this step has no probe"))
    elif loaded.step.unit is Unit.TICKET:
        seen[WHOLE] = execute.guarded(partial(look, ctx), ctx)
    else:
        seen = {node.id: execute.guarded(partial(look, ctx, node), ctx, node) for node in ctx.nodes}
    _finish(held, lambda session: lifecycle.finish_probe(session, held, seen))


def _run(held: Claim, loaded: Loaded, ctx: Context) -> None:
    if loaded.step.unit is Unit.TICKET:
        outcomes = execute.run_whole(ctx, loaded.step, held)
    else:
        outcomes = execute.NodeRun(ctx, loaded.step, held, _batches(loaded, ctx)).run()
    result = _clean(ctx, ctx.result)
    ctx.writer.flush()
    cancelled = ctx.cancelled

    def end(session: Session) -> None:
        results.restate(session, held, outcomes)
        lifecycle.finish_run(session, held, result, cancelled=cancelled)

    _finish(held, end)


def _batches(loaded: Loaded, ctx: Context) -> execute.Batches:
    """The ticket's batch plan, or all nodes at once where the step says so."""
    count = len(ctx.nodes)
    if loaded.step.together:
        return execute.Batches(canary=0, size=count, budget=count)
    given = getattr(ctx.params, "batches", None)
    return given.value() if given else execute.Batches()


def _finish(held: Claim, end: Callable[[Session], None]) -> None:
    """Record the end; a database that is away is waited for, because only the runner knows what it did."""

    def commit(session: Session) -> None:
        if not attempts.has_ended(session, held):  # the answer to an earlier COMMIT may have been lost
            end(session)

    insist(commit)


def main(argv: list[str]) -> int:
    """`python -m autorke.worker.runner ATTEMPT TOKEN`: the way without a launcher."""
    from autorke.flows.wiring import wire

    logs.setup()
    wire()
    return run_attempt(UUID(argv[0]), int(argv[1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
