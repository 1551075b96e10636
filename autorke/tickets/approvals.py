"""What people have said on gates, with their names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from autorke.users.models import User
from autorke.workflow.models import Approval, Gate, StepRow, Ticket


def _named() -> Select[*tuple[Any, ...]]:
    """Approvals in the order in which they were given, with the names of who signed and of whom he stood in for."""
    signer, principal = aliased(User), aliased(User)
    return (
        select(
            Approval,
            signer.display_name.label("approver_name"),
            principal.display_name.label("acting_for_name"),
        )
        .outerjoin(signer, signer.id == Approval.approver_id)
        .outerjoin(principal, principal.id == Approval.acting_for_id)
        .order_by(Approval.at)
    )


def _shown(row: Any) -> dict[str, Any]:
    own = {column.key: getattr(row.Approval, column.key) for column in Approval.__table__.columns}
    return {**own, "approver_name": row.approver_name, "acting_for_name": row.acting_for_name}


def by_gate(session: Session, gate_ids: Collection[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    found: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in session.execute(_named().where(Approval.gate_id.in_(gate_ids))):
        found[row.Approval.gate_id].append(_shown(row))
    return found


def of_ticket(session: Session, ticket: Ticket) -> list[dict[str, Any]]:
    """Every decision on the ticket as one flat list, oldest first, each with its gate and step."""
    query = (
        _named()
        .add_columns(Gate, StepRow.key, StepRow.ord)
        .join(Gate, Gate.id == Approval.gate_id)
        .join(StepRow, StepRow.id == Gate.step_id)
        .where(StepRow.ticket_id == ticket.id)
    )
    steps = ticket.flow_snapshot["steps"]
    return [
        {
            **_shown(row),
            "step": row.key,
            "step_title": steps[row.ord]["title"],
            "phase": row.Gate.phase,
            "gate_state": row.Gate.state,
            "quorum": row.Gate.quorum,
            "opened_at": row.Gate.opened_at,
            "closed_at": row.Gate.closed_at,
        }
        for row in session.execute(query)
    ]
