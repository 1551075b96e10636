"""What a person keeps about a ticket: that he watches it, and what of it he has seen.

Both are notes of one person: they go with the account and with the ticket, and say nothing about either. The ticket's
own history is in its events.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from autorke.core.db import Base

NOW = func.clock_timestamp()


class TicketWatch(Base):
    __tablename__ = "ticket_watch"
    __table_args__ = (Index("ix_ticket_watch_ticket_id", "ticket_id"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True)
    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=NOW)


class TicketSeen(Base):
    """`seq` is the last event, `plan_hashes` the plan of each step (by its key) that the person was shown."""

    __tablename__ = "ticket_seen"
    __table_args__ = (Index("ix_ticket_seen_ticket_id", "ticket_id"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True)
    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    plan_hashes: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
