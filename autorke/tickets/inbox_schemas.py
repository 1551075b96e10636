"""What an inbox gives, and decisions on many tickets at once."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from autorke.core.schemas import In, Out, Problem, Words
from autorke.tickets.schemas import GateIn, TicketOut


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


class DecisionItemIn(In):
    """The gates of one ticket."""

    ticket_id: UUID = Field(strict=False)
    gates: list[GateIn] = Field(min_length=1, max_length=4)
    acting_for: UUID | None = Field(None, strict=False)


class DecisionsIn(In):
    """One decision on the gates of many tickets."""

    items: list[DecisionItemIn] = Field(min_length=1, max_length=100)
    decision: Literal["approve", "reject"]
    comment: str = Field("", max_length=4000)


class DecidedOut(Out):
    """How it went for one ticket."""

    ticket_id: UUID
    ok: bool
    state: str | None = Field(description="Of the ticket, after it")
    note: Words | None = Field(description="The caller had said this before: nothing was recorded twice")
    problem: Problem | None
