"""What the console's bench looks at: a ticket of 1,000 nodes and 8 steps with a long log, made of the product's models.

Running such a ticket takes hours; what is measured is only how it is shown.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from autorke.core.db import db_now, transaction
from autorke.core.events import publish
from autorke.flows import add_workers
from autorke.workflow.models import Attempt, NodeResult, StepRow, Ticket, TicketNode
from tests.e2e import long_log

NODES = 1_000
STEPS = 8
LOG_NODE = "n0000"
FIRST_STEP = "s1"


def node(number: int) -> str:
    return f"n{number:04}"


def ticket(requester: UUID, log_lines: int) -> tuple[UUID, int]:
    """Id and number of a ticket whose last step runs; its first node of the first step has said `log_lines`, its
    second one three."""
    with transaction() as session:
        made = _ticket(session, requester)
        names = [node(number) for number in range(NODES)]
        for number, name in enumerate(names):
            about = {"address": f"10.9.{number >> 8}.{number & 255}"}
            session.add(TicketNode(ticket_id=made.id, node_id=name, ord=number, name=f"bm-{name}.example", data=about))
        for number in range(STEPS):
            _step(session, made.id, number, names)
        found = made.id, made.number
    long_log.grow(found[0], LOG_NODE, log_lines)
    long_log.grow(found[0], node(1), 3)
    return found


def _ticket(session: Session, requester: UUID) -> Ticket:
    snapshot = add_workers.flow.snapshot()
    joining = next(step for step in snapshot["steps"] if step["key"] == "join")
    made = Ticket(
        flow_name=snapshot["name"],
        flow_version=snapshot["version"],
        flow_hash=add_workers.flow.hash,
        flow_snapshot={**snapshot, "steps": [joining] * STEPS},
        policy="strict",
        scope_id=None,
        requester_id=requester,
        request_hash="bench",
        summary="bench",
        state="RUNNING",
        params={},
    )
    session.add(made)
    session.flush()
    session.refresh(made)
    return made


def _step(session: Session, ticket_id: UUID, number: int, names: list[str]) -> None:
    last, now = number == STEPS - 1, db_now(session)
    state = "RUNNING" if last else "SUCCEEDED"
    about: dict[str, Any] = {"handler": "add_workers.join@1", "unit": "NODE", "effect": "CONVERGENT", "round": 1}
    about |= {"state": "RUNNING" if last else "DONE", "pre_gate": False, "post_gate": False, "current_n": 1}
    times = {"started_at": now - timedelta(hours=1), "ended_at": None if last else now}
    step = StepRow(ticket_id=ticket_id, ord=number, key=f"s{number + 1}", **about, **times)
    session.add(step)
    session.flush()
    begun = {"node_ids": names, "started_at": now - timedelta(hours=1), "ended_at": None if last else now}
    lease = now + timedelta(days=1) if last else None  # no runner is behind it, and nothing shall look for one
    attempt = Attempt(step_id=step.id, n=1, purpose="RUN", state=state, lease_until=lease, **begun)
    session.add(attempt)
    session.flush()
    for batch, name in enumerate(names):
        session.add(
            NodeResult(
                attempt_id=attempt.id,
                node_id=name,
                step_id=step.id,
                batch_no=batch // 50,
                state=state,
                summary="Ready" if not last else "starting kubelet",
                started_at=now - timedelta(minutes=9),
                ended_at=None if last else now - timedelta(minutes=5),
            )
        )


def finish_one(ticket_id: UUID, name: str) -> None:
    """A node of the running step succeeds, told as a runner tells it."""
    with transaction() as session:
        where = (NodeResult.node_id == name) & (NodeResult.state == "RUNNING")
        session.execute(update(NodeResult).where(where).values(state="SUCCEEDED", ended_at=db_now(session)))
    publish(f"ticket:{ticket_id}", "nodes")
