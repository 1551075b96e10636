"""A machine's story on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from autorke.core.schemas import Out, Words


class MachineTicketOut(Out):
    """A ticket whose target the machine is. `last_step` and `last_state` are the machine's newest result in it."""

    id: UUID
    number: int
    flow_name: str
    flow_title: Words
    summary: str
    state: str
    attention: str | None
    requester_id: UUID
    requester_name: str | None = Field(description="null: the account is gone")
    excluded_at: datetime | None
    excluded_reason: str | None
    last_step: str | None
    last_state: str | None
    created_at: datetime
    ended_at: datetime | None


class HistoryOut(Out):
    """One thing that was done to the machine: by hand (audit), in a ticket, or the result of a ticket's step."""

    key: UUID
    at: datetime
    source: Literal["audit", "ticket", "result"]
    kind: str
    actor_id: str | None
    actor_name: str
    ticket_id: UUID | None
    ticket_number: int | None
    detail: dict[str, Any]
