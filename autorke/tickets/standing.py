"""Where tickets stand: the step now, how much is done, what each waits for. A page of tickets costs a fixed number of
statements, however many nodes and steps its tickets have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from autorke.core.errors import Text
from autorke.stuck import service as stuck
from autorke.tickets.flows import Risk, risk_of
from autorke.workflow import attempts, locks
from autorke.workflow.definition import Effect, Unit
from autorke.workflow.models import Attempt, NodeResult, StepRow, Ticket, TicketNode
from autorke.workflow.states import (
    CLOSED_STEP,
    NEEDS_PERSON,
    TERMINAL_TICKET,
    AttemptState,
    NodeState,
    StepState,
    TicketState,
)

BAD = frozenset({NodeState.FAILED, NodeState.UNREACHABLE, NodeState.UNKNOWN})
_UNTOUCHED = frozenset({StepState.PENDING, StepState.SKIPPED, StepState.DONE})
_KINDS = {
    "cluster": Text(zh="集群", en="the cluster"),
    "machine": Text(zh="机器", en="a machine"),
    "ippool": Text(zh="网段", en="an ippool"),
}
_WAITS = {
    "lock": Text(zh="等待资源锁", en="Waits for its locks"),
    "lock_held": Text(
        zh="等待工单 {number} 释放{kind_zh}的锁", en="Waits for ticket {number}, which holds the lock on {kind_en}"
    ),
    "lock_queue": Text(
        zh="排在工单 {number} 之后等待{kind_zh}的锁", en="Waits behind ticket {number} for the lock on {kind_en}"
    ),
    "cancel": Text(
        zh="正在取消：等待「{zh}」中已开始的部分结束", en='Being cancelled: waits for what has begun in "{en}" to end'
    ),
    "cancel_unknown": Text(
        zh="正在取消：要先有人对「{zh}」的未知结果给出结论",
        en='Being cancelled: somebody must first say what became of the unknown results of "{en}"',
    ),
    "plan_failed": Text(zh="「{zh}」无法计划，需要处理", en='"{en}" could not be planned and needs somebody'),
    "gate_closed": Text(
        zh="「{zh}」的审核被驳回或已过期：重新计划或取消",
        en='The gate of "{en}" was rejected or has expired: plan again or cancel',
    ),
    "partial": Text(
        zh="「{zh}」有节点没有完成：重试、排除或关闭",
        en='Some nodes of "{en}" did not end well: retry, exclude or close',
    ),
    "failed": Text(zh="「{zh}」失败：重试、排除或关闭", en='"{en}" has failed: retry, exclude or close'),
    "unknown": Text(
        zh="「{zh}」有结果未知的节点：需要有人给出结论",
        en='"{en}" has nodes with an unknown result: somebody must decide',
    ),
    "paused": Text(zh="已暂停，等待恢复", en="Paused, waits to be resumed"),
    "halted": Text(zh="全局停止或安全模式已开启", en="Everything is stopped: stop-all switch or safe mode"),
    "pre_gate": Text(zh="等待执行前审核：{zh}", en='Waits for the gate before "{en}"'),
    "post_gate": Text(zh="等待执行后审核：{zh}", en='Waits for the gate after "{en}"'),
    "callback": Text(zh="「{zh}」等待外部系统回调", en='"{en}" waits for the callback of an outside system'),
    "worker": Text(zh="「{zh}」等待执行主机", en='"{en}" waits for a worker host'),
}
_OF_STEP = {
    StepState.WAIT_PRE_GATE: "pre_gate",
    StepState.WAIT_POST_GATE: "post_gate",
    StepState.WAIT_CALLBACK: "callback",
}


@dataclass(frozen=True)
class StepNow:
    """A step as far as lists look at it. `attempt` is the state of its newest attempt."""

    id: UUID
    ord: int
    key: str
    unit: str
    effect: Effect
    state: StepState
    attempt: str | None = None


@dataclass
class Standing:
    """What is known of one ticket. `targets` are all frozen ones, `wanted` those that nobody has excluded."""

    steps: list[StepNow] = field(default_factory=list)
    targets: int = 0
    wanted: int = 0
    results: dict[UUID, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))

    @property
    def now(self) -> StepNow | None:
        """The step at which the ticket stands, or stood when it ended; None when all are closed."""
        return next((step for step in self.steps if step.state not in CLOSED_STEP), None)

    @property
    def risk(self) -> Risk:
        """Of what the ticket really runs: a skipped step breaks nothing."""
        return risk_of(step.effect for step in self.steps if step.state is not StepState.SKIPPED)

    def progress(self) -> dict[str, int]:
        """Node × step results, a step that runs once counts one; skipped steps and excluded nodes count nothing."""
        done = failed = total = 0
        for step in self.steps:
            if step.state is StepState.SKIPPED:
                continue
            size = 1 if step.unit == Unit.TICKET else self.wanted
            counts = self.results[step.id]
            total += size
            done += size if step.state is StepState.DONE else counts.get(NodeState.SUCCEEDED.value, 0)
            failed += sum(counts.get(state.value, 0) for state in BAD)
        return {"done": done, "failed": failed, "total": total}


def standings(session: Session, ticket_ids: Collection[UUID]) -> Mapping[UUID, Standing]:
    """Three statements for any number of tickets."""
    found: dict[UUID, Standing] = defaultdict(Standing)
    query = (
        select(StepRow.ticket_id, StepRow.id, StepRow.ord, StepRow.key, StepRow.unit, StepRow.effect, StepRow.state)
        .add_columns(Attempt.state)
        .outerjoin(Attempt, (Attempt.step_id == StepRow.id) & (Attempt.n == StepRow.current_n))
        .where(StepRow.ticket_id.in_(ticket_ids))
        .order_by(StepRow.ticket_id, StepRow.ord)
    )
    for ticket_id, step_id, place, key, unit, effect, state, attempt in session.execute(query):
        found[ticket_id].steps.append(StepNow(step_id, place, key, unit, Effect(effect), StepState(state), attempt))
    counted = select(TicketNode.ticket_id, func.count(), func.count().filter(TicketNode.excluded_at.is_(None)))
    for ticket_id, targets, wanted in session.execute(
        counted.where(TicketNode.ticket_id.in_(ticket_ids)).group_by(TicketNode.ticket_id)
    ):
        found[ticket_id].targets, found[ticket_id].wanted = targets, wanted
    for ticket_id, step_id, state, count in _unfinished(session, found.values()):
        found[ticket_id].results[step_id][state] = count
    return found


def _unfinished(session: Session, found: Iterable[Standing]) -> Sequence[Any]:
    """Newest results, counted by state, of steps that have begun and are not closed: of a closed one all is done."""
    ids = [step.id for it in found for step in it.steps if step.state not in _UNTOUCHED]
    newest = (
        select(StepRow.ticket_id, Attempt.step_id, NodeResult.node_id, NodeResult.state)
        .ext(distinct_on(Attempt.step_id, NodeResult.node_id))
        .join(Attempt, Attempt.step_id == StepRow.id)
        .join(NodeResult, NodeResult.attempt_id == Attempt.id)
        .where(StepRow.id.in_(ids))
        .order_by(Attempt.step_id, NodeResult.node_id, Attempt.n.desc())
        .subquery()
    )
    left_out = (TicketNode.ticket_id == newest.c.ticket_id) & (TicketNode.node_id == newest.c.node_id)
    query = (
        select(newest.c.ticket_id, newest.c.step_id, newest.c.state, func.count())
        .outerjoin(TicketNode, left_out)
        .where(TicketNode.excluded_at.is_(None))
        .group_by(newest.c.ticket_id, newest.c.step_id, newest.c.state)
    )
    return session.execute(query).all() if ids else []


def title_of(ticket: Ticket, step: StepNow) -> dict[str, str]:
    title: dict[str, str] = ticket.flow_snapshot["steps"][step.ord]["title"]
    return title


@dataclass(frozen=True)
class Surroundings:
    """What tickets may wait for that is not their own."""

    in_the_way: Mapping[UUID, locks.Waiting]
    halted: bool
    stuck: Mapping[UUID, Text]


def surroundings(session: Session, tickets: Sequence[Ticket], found: Mapping[UUID, Standing]) -> Surroundings:
    """Asked only where a ticket of these could wait for it: at most three statements."""
    queued = [ticket.id for ticket in tickets if ticket.state == TicketState.QUEUED]
    ready = any(_waits_for_worker(ticket, found[ticket.id].now) for ticket in tickets)
    return Surroundings(
        locks.first_in_the_way(session, queued) if queued else {},
        attempts.halted(session) if ready else False,
        stuck.of_tickets(session, [ticket.id for ticket in tickets if ticket.state not in TERMINAL_TICKET]),
    )


def _waits_for_worker(ticket: Ticket, step: StepNow | None) -> bool:
    return ticket.state not in TERMINAL_TICKET and step is not None and step.attempt == AttemptState.READY


def waiting(ticket: Ticket, standing: Standing, around: Surroundings) -> dict[str, str] | None:
    """What the ticket waits for as `{code, zh, en}`; None while something of it runs and when it has ended.

    A cause for which it is stuck (docs/stuck.md) comes before what it waits for by its rules.
    """
    step = standing.now
    if ticket.state in TERMINAL_TICKET:
        return None
    if ticket.id in around.stuck:
        return {"code": "stuck", **around.stuck[ticket.id].as_json()}
    if ticket.state == TicketState.QUEUED:
        return _for_lock(around.in_the_way.get(ticket.id))
    if step is None:
        return None
    code = _code(ticket, step, around)
    return _said(code, **title_of(ticket, step)) if code else None


def _code(ticket: Ticket, step: StepNow, around: Surroundings) -> str | None:
    if ticket.cancel_requested_at is not None:
        return "cancel_unknown" if step.state is StepState.UNKNOWN else "cancel"
    if step.state in NEEDS_PERSON:
        return step.state.value.lower()
    if ticket.pause_requested_at is not None:
        return "paused"
    if step.state in _OF_STEP:
        return _OF_STEP[step.state]
    if _waits_for_worker(ticket, step):
        return "halted" if around.halted else "worker"
    return None


def _for_lock(way: locks.Waiting | None) -> dict[str, str]:
    if way is None:
        return _said("lock")
    kind = _KINDS.get(way.kind, Text(zh=way.kind, en=way.kind))
    code = "lock_held" if way.holds else "lock_queue"
    return _said(code, number=way.ticket_number, kind_zh=kind.zh, kind_en=kind.en)


def _said(code: str, **values: object) -> dict[str, str]:
    return {"code": code, **_WAITS[code].format(**values).as_json()}
