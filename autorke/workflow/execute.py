"""Running a step over its nodes: canary, growing batches, a failure budget, pause and cancel at safe points.

The budget is looked at before each start (engine.md §3.10). A stop lets running nodes finish and starts no other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial

from autorke.core import contact
from autorke.core.canonical import storable
from autorke.core.errors import AutoRkeError, Text
from autorke.workflow import attempts, results
from autorke.workflow.attempts import Claim
from autorke.workflow.context import Context
from autorke.workflow.definition import Cancel, Node, Outcome, Step, Unit
from autorke.workflow.errors import Fenced
from autorke.workflow.patience import insist
from autorke.workflow.states import NodeState

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batches:
    """How nodes follow each other. `budget` = failures that are tolerated before no other node is started."""

    canary: int = 1
    size: int = 10
    budget: int = 0

    def layout(self, nodes: Sequence[Node]) -> list[list[Node]]:
        """Canary first, then batches of `size`; one node alone needs no canary."""
        head = self.canary if 0 < self.canary < len(nodes) else 0
        rest = nodes[head:]
        batches = [list(nodes[:head])] if head else []
        return batches + [list(rest[i : i + self.size]) for i in range(0, len(rest), self.size)]


class InternalError(AutoRkeError):
    """A bug of ours inside a step; the traceback is in the log of the runner, not in the ticket."""

    text = Text(zh="内部错误：{kind}", en="Internal error: {kind}")
    remedy = Text(
        zh="管理员查看执行主机上该执行的日志；已更改过的机器先核实其状态",
        en="An admin reads the attempt's log on the worker host; first find out what was done to the machine",
    )


class InternalErrorBeforeContact(InternalError):
    """A bug of ours that struck while nothing outside had been spoken to: it changed nothing."""

    code = "internal-error-before-contact"
    text = Text(
        zh="内部错误：{kind}；此时尚未联系任何机器或集群",
        en="Internal error: {kind}, before any machine or cluster was contacted",
    )
    remedy = Text(
        zh="没有做任何更改；管理员查看执行主机上该执行的日志，排除原因后重试",
        en="Nothing was changed; an admin reads the attempt's log on the worker host; retry when the cause is gone",
    )


def guarded(run: Callable[[], Outcome], ctx: Context, node: Node | None = None) -> Outcome:
    """Run a piece of a step and turn any exception into an outcome.

    A bug in a changing step counts as UNKNOWN, unless it is proven that nothing outside was contacted before it.
    """
    with contact.watched() as watch:
        try:
            outcome = run()
        except AutoRkeError as error:
            outcome = Outcome.of_error(error)
        except Fenced:
            raise
        except Exception as error:
            log.exception("step failed with a bug", extra={"step": ctx.step_key})
            outcome = _of_bug(error, ctx, untouched=watch.sealed())
    if outcome.summary:
        ctx.log(f"{outcome.state.value}: {outcome.summary}", node)
    return _masked(ctx, outcome)


def _of_bug(bug: Exception, ctx: Context, *, untouched: bool) -> Outcome:
    if untouched:
        return Outcome.of_error(InternalErrorBeforeContact(kind=type(bug).__name__))
    state = NodeState.FAILED if ctx.read_only else NodeState.UNKNOWN
    return Outcome(state, "internal error", {}, InternalError(kind=type(bug).__name__).as_json())


def _masked(ctx: Context, outcome: Outcome) -> Outcome:
    return Outcome(
        outcome.state,
        ctx.secrets.mask(storable(outcome.summary)),
        ctx.secrets.mask_json(storable(outcome.evidence)),
        ctx.secrets.mask_json(storable(outcome.error)),
    )


def run_whole(ctx: Context, step: Step, held: Claim) -> dict[str, Outcome]:
    """A step of unit TICKET: one call, one result, which is returned as it was recorded."""
    run = step.run_fn
    if run is None:
        raise RuntimeError(f"step {step.key} has no run function")
    insist(lambda session: results.start(session, held, results.WHOLE, 0))
    outcome = guarded(lambda: run(ctx), ctx)
    insist(lambda session: results.finish(session, held, {results.WHOLE: outcome}))
    return {results.WHOLE: outcome}


class NodeRun:
    """Runs a step of unit NODE or BATCH over the nodes of its attempt."""

    def __init__(self, ctx: Context, step: Step, held: Claim, batches: Batches) -> None:
        self.ctx = ctx
        self.step = step
        self.held = held
        self.batches = batches
        self.bad = 0
        self.outcomes: dict[str, Outcome] = {}

    def run(self) -> dict[str, Outcome]:
        """Returns how each node ended that has begun, as it was recorded."""
        left = {node.id: node for node in self.ctx.nodes}
        for number, batch in enumerate(self.batches.layout(self.ctx.nodes)):
            if self._stopped():
                break
            started = self._batch(number, batch)
            for node_id in started:
                left.pop(node_id, None)
        if left:
            cancelled = self.ctx.cancelled
            state = NodeState.CANCELLED if cancelled else NodeState.NOT_STARTED
            why = "cancelled before it began" if cancelled else "not started: the failure budget was used up"
            insist(lambda session: results.leave_out(session, self.held, list(left), state, why))
        return self.outcomes

    def _stopped(self) -> bool:
        """Wait while paused; True when no other node may be started."""
        self._listen()
        while self.ctx.pause.is_set() and not self.ctx.cancelled:
            time.sleep(0.5)
            self._listen()
        can_cancel = self.step.cancel is not Cancel.NOT_CANCELLABLE
        return (self.ctx.cancelled and can_cancel) or self.bad > self.batches.budget

    def _listen(self) -> None:
        """Ask now what the people want: the last heartbeat may be seconds old."""
        wishes = insist(lambda session: attempts.wishes(session, self.held))
        (self.ctx.cancel.set if wishes.cancel else self.ctx.cancel.clear)()
        (self.ctx.pause.set if wishes.pause else self.ctx.pause.clear)()

    def _batch(self, number: int, batch: Sequence[Node]) -> list[str]:
        if self.step.unit is Unit.BATCH:
            return self._together(number, batch)
        return self._one_by_one(number, batch)

    def _begin(self, node: Node, number: int) -> bool:
        return insist(lambda session: results.start(session, self.held, node.id, number))

    def _record(self, outcomes: Mapping[str, Outcome]) -> None:
        self.outcomes.update(outcomes)
        self.bad += sum(outcome.state is not NodeState.SUCCEEDED for outcome in outcomes.values())
        insist(lambda session: results.finish(session, self.held, outcomes))

    def _one_by_one(self, number: int, batch: Sequence[Node]) -> list[str]:
        """One thread per node of the batch; the budget is asked before each start."""
        run = self.step.run_fn
        if run is None:
            raise RuntimeError(f"step {self.step.key} has no run function")
        begun: list[str] = []
        running: dict[Future[Outcome], Node] = {}
        with ThreadPoolExecutor(max_workers=len(batch)) as pool:
            for node in batch:
                self._collect(running, block=False)
                if self._stopped():
                    break
                begun.append(node.id)
                if self._begin(node, number):
                    running[pool.submit(guarded, partial(run, self.ctx, node), self.ctx, node)] = node
            while running:
                self._collect(running, block=True)
        return begun

    def _collect(self, running: dict[Future[Outcome], Node], *, block: bool) -> None:
        done, _ = wait(running, timeout=None if block else 0, return_when=FIRST_COMPLETED)
        for future in done:
            self._record({running.pop(future).id: future.result()})

    def _together(self, number: int, batch: Sequence[Node]) -> list[str]:
        """One call for the batch, such as one playbook run; it answers for every node."""
        run = self.step.run_fn
        if run is None:
            raise RuntimeError(f"step {self.step.key} has no run function")
        begun = [node for node in batch if self._begin(node, number)]
        if not begun:
            return [node.id for node in batch]
        answers: dict[str, Outcome] = {}

        def call() -> Outcome:
            answers.update(run(self.ctx, begun))
            return Outcome.ok()

        whole = guarded(call, self.ctx)
        silent = (
            whole if whole.state is not NodeState.SUCCEEDED else Outcome(NodeState.UNKNOWN, "no answer for this node")
        )
        self._record({node.id: _masked(self.ctx, answers.get(node.id, silent)) for node in begun})
        return [node.id for node in batch]
