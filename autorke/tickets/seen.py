"""What a person watches and has seen of a ticket, and what has changed since: plans compared setting by setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from autorke.core.errors import NotFound, Text, Unprocessable
from autorke.tickets import plandiff
from autorke.tickets.models import TicketSeen, TicketWatch
from autorke.users.access import Actor
from autorke.workflow.models import PlanRow, StepRow, Ticket


class NoSuchPlan(Unprocessable):
    code = "no-such-plan"
    text = Text(zh="步骤 {step} 没有这个计划：{hash}", en="Step {step} never had this plan: {hash}")


def watch(session: Session, actor: Actor, ticket: Ticket) -> None:
    """Show the ticket among those that the actor watches; to ask twice changes nothing."""
    row = insert(TicketWatch).values(user_id=actor.user_id, ticket_id=ticket.id)
    session.execute(row.on_conflict_do_nothing())


def unwatch(session: Session, actor: Actor, ticket: Ticket) -> None:
    mine = (TicketWatch.user_id == actor.user_id) & (TicketWatch.ticket_id == ticket.id)
    session.execute(delete(TicketWatch).where(mine))


def notes(session: Session, actor: Actor, ticket: Ticket) -> dict[str, Any]:
    """`{watching, seen}` of the actor, as the ticket's page shows them; `seen` is None before the first look."""
    row = session.execute(
        select(TicketWatch.at, TicketSeen)
        .select_from(Ticket)
        .outerjoin(TicketWatch, (TicketWatch.ticket_id == Ticket.id) & (TicketWatch.user_id == actor.user_id))
        .outerjoin(TicketSeen, (TicketSeen.ticket_id == Ticket.id) & (TicketSeen.user_id == actor.user_id))
        .where(Ticket.id == ticket.id)
        .execution_options(populate_existing=True)
    ).one()
    return {"watching": row.at is not None, "seen": row.TicketSeen}


def mark(session: Session, actor: Actor, ticket: Ticket, *, seq: int, plan_hashes: Mapping[str, str]) -> TicketSeen:
    """Remember what the actor was shown. It only grows: an older page that says so later takes nothing back.

    Raises NoSuchPlan for a hash that is not one of the step's plans.
    """
    before = session.execute(_mine(actor, ticket).with_for_update()).scalar_one_or_none()
    known = dict(before.plan_hashes) if before is not None else {}
    rounds = _rounds(session, ticket, {*plan_hashes.values(), *known.values()})
    for step, plan_hash in plan_hashes.items():
        if (step, plan_hash) not in rounds:
            raise NoSuchPlan(field=f"plan_hashes.{step}", step=step[:64], hash=plan_hash[:12])
        if rounds[step, plan_hash] >= rounds.get((step, known.get(step, "")), 0):
            known[step] = plan_hash
    newest = min(seq, ticket.next_seq - 1)
    values = {"seq": newest, "plan_hashes": known, "at": func.clock_timestamp()}
    row = insert(TicketSeen).values(user_id=actor.user_id, ticket_id=ticket.id, **values)
    merged = {
        **values,
        "seq": func.greatest(TicketSeen.seq, row.excluded.seq),
        "plan_hashes": TicketSeen.plan_hashes.op("||")(row.excluded.plan_hashes),
    }
    session.execute(row.on_conflict_do_update(index_elements=["user_id", "ticket_id"], set_=merged))
    return session.execute(_mine(actor, ticket).execution_options(populate_existing=True)).scalar_one()


def _mine(actor: Actor, ticket: Ticket) -> Select[TicketSeen]:
    return select(TicketSeen).where(TicketSeen.user_id == actor.user_id, TicketSeen.ticket_id == ticket.id)


def _rounds(session: Session, ticket: Ticket, hashes: set[str]) -> dict[tuple[str, str], int]:
    """(step, plan hash) → round, of the ticket's plans with these hashes."""
    query = select(StepRow.key, PlanRow.plan_hash, PlanRow.round).join(PlanRow, PlanRow.step_id == StepRow.id)
    rows = session.execute(query.where(StepRow.ticket_id == ticket.id, PlanRow.plan_hash.in_(hashes)))
    return {(key, plan_hash): number for key, plan_hash, number in rows}


def compare(session: Session, ticket: Ticket, step: str, *, before: str, after: str) -> list[plandiff.Change]:
    """What differs between two plans of a step, in the order in which the plan tells it. Raises NotFound."""
    query = (
        select(PlanRow.plan_hash, PlanRow.body)
        .join(StepRow, StepRow.id == PlanRow.step_id)
        .where(StepRow.ticket_id == ticket.id, StepRow.key == step, PlanRow.plan_hash.in_((before, after)))
    )
    bodies = {row.plan_hash: row.body for row in session.execute(query)}
    for name, plan_hash in (("before", before), ("after", after)):
        if plan_hash not in bodies:
            raise NotFound(field=name, what="plan", key=plan_hash[:12])
    return plandiff.changes(_said(bodies[before]), _said(bodies[after]))


def _said(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a plan says; its number is another one each time and says nothing."""
    return {key: value for key, value in body.items() if key != "round"}
