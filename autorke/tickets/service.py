"""Reading tickets, and the permission side of what people do to them; the engine itself is `workflow.commands`."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from autorke.core.db import Base, db_now, transaction
from autorke.core.errors import NotFound, Text, Unprocessable
from autorke.tickets.listing import visible
from autorke.tickets.schemas import TicketIn
from autorke.users import service as users
from autorke.users.access import Actor, Permission
from autorke.web.translate import words
from autorke.workflow import callbacks, commands, results, safemode
from autorke.workflow.callbacks import CallbackNotJson
from autorke.workflow.definition import Flow, find_flow
from autorke.workflow.errors import UnknownFlow
from autorke.workflow.journal import By
from autorke.workflow.models import (
    Attempt,
    Delegation,
    EngineSwitch,
    Event,
    NodeResult,
    PlanRow,
    StepRow,
    Ticket,
    TicketNode,
)


class BadRequestForm(Unprocessable):
    """The flow's own form refuses the request; `field` names where, `errors` lists all."""

    code = "bad-flow-request"
    text = Text(zh="流程参数不正确：{zh}", en="The flow's form refuses this: {en}")


class DelegateNotApprover(Unprocessable):
    code = "delegate-not-eligible"
    text = Text(zh="不能委托给自己，且期限必须在将来 90 天内", en="Delegate to somebody else, for at most 90 days")


def _columns(row: Base) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def get(session: Session, actor: Actor, ticket_id: UUID, permission: Permission = "ticket:read") -> Ticket:
    """A ticket the actor may see; for more than that he must hold `permission` there. Raises NotFound, Forbidden."""
    ticket: Ticket | None = session.execute(visible(actor).where(Ticket.id == ticket_id)).scalar_one_or_none()
    if ticket is None:
        raise NotFound(what="ticket", key=str(ticket_id))
    if permission != "ticket:read":
        actor.require(permission, ticket.scope_id)
    return ticket


def by(actor: Actor) -> By:
    return By("user", str(actor.user_id))


def flow_form(name: str, request: dict[str, Any]) -> tuple[Flow, BaseModel]:
    """The flow and its own form, filled. Raises UnknownFlow, BadRequestForm."""
    flow = find_flow(name)
    if flow is None:
        raise UnknownFlow(field="flow", name=name)
    try:
        return flow, flow.request.model_validate(request)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(["request", *map(str, first["loc"])])
        raise BadRequestForm(field=where, **words(first)) from error


def create(session: Session, actor: Actor, body: TicketIn, key: str | None) -> Ticket:
    """Submit a ticket; a refusal of any kind leaves nothing behind."""
    _, request = flow_form(body.flow, body.request)
    named = getattr(request, "cluster_id", None)
    if named is not None:  # before the flow looks at it, so that no refusal tells a stranger of the cluster
        actor.require("ticket:create", named)
    ticket, _ = commands.submit(session, body.flow, request, actor.user_id, key)
    actor.require("ticket:create", ticket.scope_id)
    return ticket


def nodes(session: Session, ticket: Ticket) -> list[dict[str, Any]]:
    """The node × step matrix: every target with all its results, oldest first; steps that run once come as `*`."""
    query = (
        select(NodeResult, StepRow.key, Attempt.n)
        .join(StepRow, StepRow.id == NodeResult.step_id)
        .join(Attempt, Attempt.id == NodeResult.attempt_id)
        .where(StepRow.ticket_id == ticket.id)
        .order_by(StepRow.ord, Attempt.n)
    )
    by_node: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row, key, n in session.execute(query):
        columns = _columns(row)
        by_node[row.node_id].append({**columns, "step": key, "attempt_n": n})
    targets = session.execute(
        select(TicketNode).where(TicketNode.ticket_id == ticket.id).order_by(TicketNode.ord)
    ).scalars()
    table = [
        {
            **_columns(row),
            "results": by_node[row.node_id],
        }
        for row in targets
    ]
    if results.WHOLE in by_node:
        whole: dict[str, Any] = {
            "node_id": results.WHOLE,
            "name": results.WHOLE,
            "data": {},
            "excluded_at": None,
            "excluded_reason": None,
        }
        table.append({**whole, "results": by_node[results.WHOLE]})
    return table


def plans(session: Session, ticket: Ticket, key: str) -> list[dict[str, Any]]:
    """Every round of a step's plan, newest first."""
    query = (
        select(PlanRow)
        .join(StepRow, StepRow.id == PlanRow.step_id)
        .where(StepRow.ticket_id == ticket.id, StepRow.key == key)
        .order_by(PlanRow.round.desc())
    )
    rows = session.execute(query).scalars().all()
    return [{**_columns(row), "step": key} for row in rows]


@dataclass(frozen=True)
class Told:
    """An event with the name of the person who caused it, if it was one."""

    seq: int
    at: datetime
    actor_type: str
    actor_id: str | None
    actor_name: str | None
    kind: str
    body: dict[str, Any]
    prev_hash: str
    hash: str


def events_after(session: Session, ticket_id: UUID, seq: int, limit: int = 500) -> list[Told]:
    """Events behind `seq`, oldest first."""
    query = select(Event).where(Event.ticket_id == ticket_id, Event.seq > seq).order_by(Event.seq).limit(limit)
    rows = session.execute(query).scalars().all()
    people = {UUID(row.actor_id) for row in rows if row.actor_type == "user" and _is_id(row.actor_id)}
    names = {str(user_id): name for user_id, name in users.names(session, people).items()}
    fields = [field.name for field in dataclasses.fields(Told) if field.name != "actor_name"]
    return [
        Told(**{name: getattr(row, name) for name in fields}, actor_name=names.get(row.actor_id or "")) for row in rows
    ]


def _is_id(text: str | None) -> bool:
    try:
        return text is not None and bool(UUID(text))
    except ValueError:
        return False


def delegate(
    session: Session, actor: Actor, *, to_id: UUID, scope_id: UUID | None, valid_to: Any, reason: str
) -> Delegation:
    """Let somebody approve in one's place until `valid_to`; audited by the approval it is used for."""
    now = db_now(session)
    if to_id == actor.user_id or valid_to <= now or (valid_to - now).days > 90:
        raise DelegateNotApprover(field="to_id" if to_id == actor.user_id else "valid_to")
    row = Delegation(from_id=actor.user_id, to_id=to_id, scope_id=scope_id, valid_to=valid_to, reason=reason)
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def switch(session: Session) -> dict[str, Any]:
    """Whether anything may start: the stop-all switch, and safe mode beside it."""
    row = session.get(EngineSwitch, "engine")
    safe = safemode.state(session)
    if row is None or (safe is not None and not row.halted):
        row = session.get(EngineSwitch, safemode.SWITCH) if safe is not None else None
    if row is None:
        return {"halted": False, "reason": "", "by": None, "at": None, "safe_mode": None}
    shown = None
    if safe is not None:
        lost = [{"ticket": None, "ticket_id": None, "step": None, **entry} for entry in safe.lost]
        shown = {"since": safe.since, "waits_for": safe.waits_for, "lost": lost}
    return {"halted": row.halted, "reason": row.reason, "by": row.by, "at": row.at, "safe_mode": shown}


def set_switch(session: Session, actor: Actor, *, halted: bool, reason: str) -> None:
    """Stop (or let go on) every start of a step in the whole installation; letting go on ends safe mode too."""
    if not halted:
        safemode.leave(session, actor.user_id, reason)
    row = session.get(EngineSwitch, "engine", with_for_update=True)
    if row is None:
        row = EngineSwitch(name="engine", halted=halted, by=actor.user_id, reason=reason)
        session.add(row)
    row.halted, row.by, row.reason, row.at = halted, actor.user_id, reason, db_now(session)
    session.flush()


def accept_callback(received: callbacks.Received) -> dict[str, Any]:
    """One callback in one transaction of its own: the body is read before a session is opened."""
    with transaction() as session:
        return callbacks.accept(session, received, parse_callback)


def parse_callback(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, UnicodeDecodeError) as error:
        raise CallbackNotJson(field="body", reason_zh="", reason_en="") from error
    if not isinstance(value, dict):
        raise CallbackNotJson(field="body", reason_zh="", reason_en="")
    return value
