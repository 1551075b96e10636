"""The flows there are: what each does, how much it may break, and how long it has taken lately."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Literal

from sqlalchemy import Text, column, func, literal, select, values
from sqlalchemy.orm import Session

from autorke.workflow import definition
from autorke.workflow.definition import Effect
from autorke.workflow.models import Ticket
from autorke.workflow.states import TicketState

Risk = Literal["low", "medium", "high"]
LATELY = 30


def listing(session: Session) -> list[dict[str, Any]]:
    """Every flow by name with its steps and the form it takes; one statement."""
    flows = sorted(definition.flows(), key=lambda flow: flow.name)
    took = durations(session, [flow.name for flow in flows])
    return [
        {
            **flow.snapshot(),
            "request_schema": flow.request.model_json_schema(),
            "risk": risk_of(step.effect for step in flow.steps),
            "duration": took.get(flow.name),
        }
        for flow in flows
    ]


def risk_of(effects: Iterable[Effect]) -> Risk:
    """By the worst that one of the steps may do: a dangerous one is high, one that changes something medium."""
    there = set(effects)
    if Effect.DANGEROUS in there:
        return "high"
    return "medium" if there - {Effect.READ_ONLY} else "low"


def durations(session: Session, names: Collection[str]) -> dict[str, dict[str, Any]]:
    """Of each flow's last tickets that succeeded, from submit to end, the waiting for people included."""
    if not names:
        return {}
    wanted = values(column("name", Text), name="wanted").data([(name,) for name in names])
    last = (
        select(func.extract("epoch", Ticket.ended_at - Ticket.created_at).label("seconds"))
        .where(Ticket.flow_name == wanted.c.name, Ticket.state == TicketState.SUCCEEDED)
        .order_by(Ticket.created_at.desc())
        .limit(LATELY)
        .lateral("last")
    )
    query = (
        select(
            wanted.c.name,
            func.count(),
            func.avg(last.c.seconds),
            func.percentile_cont(0.5).within_group(last.c.seconds),
        )
        .join(last, literal(True))
        .group_by(wanted.c.name)
    )
    return {
        name: {"tickets": count, "mean_seconds": float(mean), "median_seconds": float(median)}
        for name, count, mean, median in session.execute(query)
    }
