"""The fleet in figures: machines by place, tickets and approvals of these days, what failed and why, clusters.

Each figure is one statement over indexed moments, whatever the size of the fleet and its history.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, DateTime, Text, cast, func, literal, select, tuple_
from sqlalchemy.orm import Session

from autorke.clusters.models import Cluster, ClusterState, Node
from autorke.core.schemas import Words
from autorke.machines.models import Machine
from autorke.overview.days import Days
from autorke.overview.fleet_schemas import (
    ApprovalDayOut,
    ApprovalsOut,
    CauseOut,
    ClusterNodesOut,
    FailuresOut,
    PlaceOut,
    StepFailuresOut,
    TicketsTodayOut,
    VersionOut,
)
from autorke.users.access import Actor, scope
from autorke.workflow.models import Gate, NodeResult, StepRow, Ticket
from autorke.workflow.states import TERMINAL_TICKET, GateState, NodeState

MAX_ROWS = 20
MAX_CLUSTERS = 200
MAX_PLACES = 1_000
DECIDED = (GateState.APPROVED, GateState.REJECTED)
FAILED = (NodeState.FAILED, NodeState.UNREACHABLE)


def machines_by_place(session: Session, actor: Actor) -> list[PlaceOut]:
    """Machines by data centre and state."""
    query = (
        select(Machine.datacenter, Machine.state, func.count())
        .where(scope(actor, "machine:read", Machine.cluster_id, unowned=True))
        .group_by(Machine.datacenter, Machine.state)
        .order_by(Machine.datacenter, Machine.state)
        .limit(MAX_PLACES)
    )
    rows = session.execute(query)
    return [PlaceOut(datacenter=datacenter, state=state, count=count) for datacenter, state, count in rows]


def tickets_today(session: Session, actor: Actor, days: Days) -> TicketsTodayOut:
    """How many were opened today, how those ended that ended today, and how the open ones stand."""
    seen = _seen(actor)
    opened = select(func.count()).select_from(Ticket).where(seen, Ticket.created_at >= days.today)
    states = select(Ticket.state, func.count().label("tickets")).group_by(Ticket.state).order_by(Ticket.state)
    ended = states.where(seen, Ticket.state.in_(TERMINAL_TICKET), Ticket.ended_at >= days.today)
    still = states.where(seen, Ticket.state.not_in(TERMINAL_TICKET))
    return TicketsTodayOut(
        opened=session.execute(opened).scalar_one(),
        ended={row.state: row.tickets for row in session.execute(ended)},
        open_now={row.state: row.tickets for row in session.execute(still)},
    )


def _seen(actor: Actor) -> ColumnElement[bool]:
    return scope(actor, "ticket:read", Ticket.scope_id, unowned=True)


def _gates(*columns: Any) -> Any:
    return (
        select(*columns)
        .select_from(Gate)
        .join(StepRow, StepRow.id == Gate.step_id)
        .join(Ticket, Ticket.id == StepRow.ticket_id)
    )


def approvals(session: Session, actor: Actor, days: Days) -> ApprovalsOut:
    """How long gates waited for their decision, by day and over all days, and how many wait now."""
    seconds = func.extract("epoch", Gate.closed_at - Gate.opened_at)
    day = func.width_bucket(Gate.closed_at, literal(list(days.starts), ARRAY(DateTime(timezone=True))))
    figures = (
        day.label("day"),
        func.count().label("decided"),
        func.percentile_cont(0.5).within_group(seconds).label("median"),
        func.percentile_cont(0.9).within_group(seconds).label("p90"),
    )
    decided = Gate.state.in_(DECIDED) & (Gate.closed_at >= days.first)
    query = _gates(*figures).where(decided, _seen(actor)).group_by(func.grouping_sets(tuple_(day), tuple_()))
    rows = {row.day: row for row in session.execute(query)}
    waiting = _gates(func.count(), func.min(Gate.opened_at)).where(Gate.state == GateState.OPEN, _seen(actor))
    open_now, oldest = session.execute(waiting).one()
    whole = rows.get(None)
    return ApprovalsOut(
        decided=whole.decided if whole else 0,
        median_seconds=whole.median if whole else None,
        p90_seconds=whole.p90 if whole else None,
        open_now=open_now,
        oldest_open_at=oldest,
        days=[
            ApprovalDayOut(day=date, decided=row.decided if row else 0, median_seconds=row.median if row else None)
            for number, date in enumerate(days.dates, start=1)
            for row in [rows.get(number)]
        ],
    )


def failures(session: Session, actor: Actor, days: Days) -> FailuresOut:
    """Nodes that failed or could not be reached, by step and by cause."""
    title = func.jsonb_extract_path(Ticket.flow_snapshot, "steps", cast(StepRow.ord, Text), "title")
    by_step = _failed(actor, days, Ticket.flow_name, StepRow.key, func.max(cast(title, Text)), func.count())
    by_step = by_step.group_by(Ticket.flow_name, StepRow.key).order_by(func.count().desc(), StepRow.key)
    code = func.coalesce(NodeResult.error["code"].astext, func.lower(NodeResult.state))
    cause = func.max(NodeResult.error["cause"].astext)
    total = func.sum(func.count()).over()
    by_cause = _failed(actor, days, code, cause, func.count(), total).group_by(code)
    causes = session.execute(by_cause.order_by(func.count().desc(), code).limit(MAX_ROWS)).all()
    return FailuresOut(
        total=int(causes[0][3]) if causes else 0,
        by_step=[
            StepFailuresOut(flow_name=flow, step=step, title=Words(**json.loads(shown)), count=count)
            for flow, step, shown, count in session.execute(by_step.limit(MAX_ROWS))
        ],
        by_cause=[
            CauseOut(code=name, count=count, example=Words(**json.loads(text)) if text else None)
            for name, text, count, _ in causes
        ],
    )


def _failed(actor: Actor, days: Days, *columns: Any) -> Any:
    return (
        select(*columns)
        .select_from(NodeResult)
        .join(StepRow, StepRow.id == NodeResult.step_id)
        .join(Ticket, Ticket.id == StepRow.ticket_id)
        .where(NodeResult.state.in_(FAILED), NodeResult.ended_at >= days.first, _seen(actor))
    )


def clusters(session: Session, actor: Actor) -> tuple[list[VersionOut], list[ClusterNodesOut]]:
    """Active clusters by Kubernetes version, and the largest of them."""
    count = func.count(Node.id)
    query = (
        select(Cluster.id, Cluster.name, Cluster.kubernetes_version, count.label("nodes"))
        .outerjoin(Node, (Node.cluster_id == Cluster.id) & Node.left_at.is_(None))
        .where(Cluster.state == ClusterState.ACTIVE.value, scope(actor, "cluster:read", Cluster.id))
        .group_by(Cluster.id)
        .order_by(count.desc(), Cluster.name)
    )
    rows = session.execute(query).all()
    versions: dict[str, VersionOut] = {}
    for row in sorted(rows, key=lambda row: row.kubernetes_version):
        before = versions.get(row.kubernetes_version)
        versions[row.kubernetes_version] = VersionOut(
            kubernetes_version=row.kubernetes_version,
            clusters=(before.clusters if before else 0) + 1,
            nodes=(before.nodes if before else 0) + row.nodes,
        )
    return list(versions.values()), [ClusterNodesOut.model_validate(row) for row in rows[:MAX_CLUSTERS]]
