"""What an inbox gives."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from autorke.core.schemas import Out, Words
from autorke.tickets.schemas import TicketOut


class InboxGateOut(Out):
    gate_id: UUID
    subject_hash: str
    step: str
    phase: str
    title: Words
    effect: str
    opened_at: datetime
    quorum: int
    approvals_n: int
    may_sign: bool
    reason: Words | None = Field(description="Why the caller may not sign it")
    acting_for: UUID | None = Field(description="Whom the caller would sign for; null = in his own right")


class InboxRowOut(Out):
    ticket: TicketOut
    gates: list[InboxGateOut]


class InboxCountsOut(Out):
    """Rows of each tab."""

    approve: int
    mine: int
    failed: int
    running: int
    watching: int
    done: int
