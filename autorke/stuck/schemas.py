"""What is stuck, on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from autorke.core.schemas import In, Out, Words


class StuckTicketOut(Out):
    """A ticket that the caller may see."""

    id: UUID
    number: int


class RepairOut(Out):
    """`effect` says what pressing it does. One that lasts and was asked for holds until the cause is gone."""

    label: Words
    effect: Words
    lasting: bool
    allowed: bool
    reason: Words | None = Field(description="Why the caller may not; null: he may")


class StuckOut(Out):
    id: UUID
    cause: str = Field(description="Its name, as in docs/stuck.md")
    title: Words
    remedy: Words = Field(description="What is left to do by hand")
    since: datetime
    seen_at: datetime = Field(description="When it was found")
    everybody: bool = Field(description="Concerns the whole installation")
    mine: bool = Field(description="Whether to show it to the caller on every page")
    tickets: list[StuckTicketOut]
    more_tickets: int = Field(description="Tickets beyond those listed, or hidden from the caller")
    repair: RepairOut | None
    go: Literal["ticket", "users"] | None = Field(description="Where a person decides what no repair may")
    repair_by: UUID | None
    repair_at: datetime | None


class StuckListOut(Out):
    looked_at: datetime | None = Field(description="The last look; null: nobody has looked yet")
    items: list[StuckOut]


class RepairIn(In):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the host has lost its power supply"}]})

    reason: Annotated[str, Field(min_length=1, max_length=1000)]
