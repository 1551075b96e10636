"""Locks on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from autorke.core.schemas import In, Out, Words
from autorke.overview.locks import HeldLock


class WaiterOut(Out):
    ticket_id: UUID
    ticket_number: int
    requested_at: datetime


class LockOut(Out):
    """A lock, its ticket, and who waits for it, first come first. `name` is the cluster's or machine's."""

    kind: str
    key: str
    name: str
    acquired_at: datetime
    ticket_id: UUID
    ticket_number: int
    ticket_state: str
    ticket_summary: str
    flow_name: str
    cluster_id: UUID | None
    waiting: list[WaiterOut]
    obstacle: Words | None = Field(description="Why it cannot be taken away now; null: nothing of the ticket can act")


class ReleaseIn(In):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "restored from backup", "close_ticket": True}]}
    )

    reason: Annotated[str, Field(min_length=1, max_length=1000)]
    close_ticket: bool = Field(
        False, description="End the ticket as FAILED if it has not ended; gives back all its locks"
    )


class ReleasedOut(Out):
    ticket_id: UUID
    ticket_number: int
    ticket_state: str


def shown(held: HeldLock) -> LockOut:
    """A lock on the wire."""
    ticket = held.ticket
    return LockOut(
        kind=held.lock.kind,
        key=held.lock.key,
        name=held.name,
        acquired_at=held.lock.acquired_at,
        ticket_id=ticket.id,
        ticket_number=ticket.number,
        ticket_state=ticket.state,
        ticket_summary=ticket.summary,
        flow_name=ticket.flow_name,
        cluster_id=ticket.scope_id,
        waiting=[WaiterOut.model_validate(waiter) for waiter in held.waiting],
        obstacle=Words(**held.obstacle.as_json()) if held.obstacle else None,
    )
