"""What the wizard asks before it submits: a preview and the checks. Nothing is written but the audit of the checks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from autorke.core.errors import AutoRkeError, Conflict, Text
from autorke.core.ids import new_id
from autorke.tickets.service import flow_form
from autorke.tickets.signers import Candidate, who_may_sign
from autorke.users import audit
from autorke.users.access import Actor
from autorke.users.models import AuditEntry
from autorke.web import jobs
from autorke.workflow import commands, locks
from autorke.workflow.definition import Flow
from autorke.workflow.proposal import Asking, Proposal
from autorke.workflow.signing import Subject

ACTION = "flow.check"
PER_MINUTE = 12
AT_ONCE = 2
IN_PROCESS = 6


class NoPreview(Conflict):
    code = "flow-without-preview"
    text = Text(zh="流程 {name} 不支持提交前预览", en="Flow {name} has no preview before a submit")
    remedy = Text(zh="直接提交；计划会在审核前展示", en="Submit it; its plan is shown before anybody signs")


class TooManyChecks(AutoRkeError):
    status = 429
    code = "too-many-checks"
    text = Text(
        zh="校验请求过多：每人每分钟 {limit} 次，同时 {at_once} 次",
        en="Too many checks: {limit} a minute and {at_once} at a time for each person",
    )
    remedy = Text(zh="等待正在进行的校验结束后再试", en="Wait until those under way have ended")


def propose(session: Session, actor: Actor, name: str, request: dict[str, Any]) -> tuple[Flow, BaseModel, Proposal]:
    """What a submit of this request would freeze and refuse. Raises whatever a submit raises for the request as a
    whole; a target that it would refuse is in the answer, with its reason."""
    flow, form = flow_form(name, request)
    if flow.propose_fn is None or flow.show_fn is None or flow.examine_fn is None:
        raise NoPreview(name=name)
    proposal = flow.propose_fn(session, form, actor)
    scope_id = proposal.accepted.scope_id
    actor.require("ticket:create", UUID(scope_id) if scope_id else None)
    return flow, form, proposal


def preview(session: Session, actor: Actor, name: str, request: dict[str, Any]) -> dict[str, Any]:
    """The whole ticket before it exists: targets, change, steps with gates and who may sign them, locks in the way."""
    flow, form, proposal = propose(session, actor, name, request)
    assert flow.show_fn is not None  # noqa: S101  propose() checked
    change = flow.show_fn(session, form, proposal)
    accepted = proposal.accepted
    waiting = locks.ahead(session, accepted.locks)
    return {
        "flow": flow.name,
        "summary": accepted.summary,
        "policy": accepted.policy.value,
        "cluster": dict(proposal.about) or None,
        "targets": [_target(it) for it in proposal.targets],
        "submittable": bool(accepted.nodes) and all(it.reason is None for it in proposal.targets),
        "config": change.config,
        "commands": list(change.commands),
        "problems": [problem.as_json() for problem in change.problems],
        "steps": _steps(flow, proposal),
        "approvers": _approvers(session, actor, flow, proposal),
        "queue": {"position": len({it.ticket_id for it in waiting}), "waiting_for": list(waiting)},
    }


def _target(it: Any) -> dict[str, Any]:
    reason = it.reason.as_json() if it.reason is not None else None
    return {"node_id": it.id, "name": it.name, "data": dict(it.data), "code": it.code, "reason": reason}


def _steps(flow: Flow, proposal: Proposal) -> list[dict[str, Any]]:
    rows = commands.step_rows(flow, proposal.accepted, new_id())
    return [
        {
            **step.snapshot(flow.name),
            "pre_gate": row.pre_gate,
            "post_gate": row.post_gate,
            "skip_reason": row.skip_reason,
        }
        for step, row in zip(flow.steps, rows, strict=True)
    ]


def _approvers(session: Session, actor: Actor, flow: Flow, proposal: Proposal) -> dict[str, list[Candidate]]:
    """Who may sign the gates that ask for each permission, as if the ticket existed."""
    scope_id = proposal.accepted.scope_id
    where = UUID(scope_id) if scope_id else None
    wanted = sorted({step.permission for step in flow.steps})
    return who_may_sign(session, where, {name: Subject(actor.user_id, where, name) for name in wanted})


def checks(actor: Actor, flow: Flow, form: BaseModel, proposal: Proposal) -> jobs.Work:
    """The work of one run of checks, for `jobs.stream`."""
    examine = flow.examine_fn
    assert examine is not None  # noqa: S101  propose() checked

    def work(tell: jobs.Tell, stop: threading.Event) -> None:
        examine(form, proposal, Asking(actor, tell, stop))

    return work


def count(session: Session, actor: Actor, proposal: Proposal) -> None:
    """Note in the audit who looks at which machines, at most PER_MINUTE times a minute. Raises TooManyChecks."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{ACTION}:{actor.user_id}", 0))))
    recent = (
        select(func.count())
        .select_from(AuditEntry)
        .where(AuditEntry.at > func.now() - timedelta(minutes=1))
        .where(AuditEntry.actor_id == actor.user_id, AuditEntry.action == ACTION)
    )
    if (session.scalar(recent) or 0) >= PER_MINUTE:
        raise TooManyChecks(limit=PER_MINUTE, at_once=AT_ONCE, retry_after=20)
    accepted = proposal.accepted
    names = [node.name for node in accepted.nodes]
    audit.record(
        session, actor, action=ACTION, object_type="cluster", object_id=accepted.scope_id or "", machines=names
    )


class Turns:
    """How many runs of checks this process does: a few for each person, not many in all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Counter[UUID] = Counter()

    def take(self, user_id: UUID) -> Callable[[], None]:
        """A turn; call what is returned to give it back. Raises TooManyChecks."""
        with self._lock:
            if self._running[user_id] >= AT_ONCE or self._running.total() >= IN_PROCESS:
                raise TooManyChecks(limit=PER_MINUTE, at_once=AT_ONCE, retry_after=5)
            self._running[user_id] += 1
        return lambda: self._give_back(user_id)

    def _give_back(self, user_id: UUID) -> None:
        with self._lock:
            self._running[user_id] -= 1
            self._running += Counter()  # drops those at zero


turns = Turns()
