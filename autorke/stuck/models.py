"""What is stuck and what was; what each worker host says of itself; on which items the reconciler's pass fails."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from autorke.core.db import Base
from autorke.core.ids import new_id

NOW = func.clock_timestamp()


class Stuck(Base):
    """One thing that stands still. `since` is when it began to, `seen_at` when it was found, `gone_at` when it went on.

    `subject` tells things of one cause apart. `evidence` holds the values of its words. `repair_by` has asked for the
    repair; one that lasts, such as a stand-in, holds until the row is gone.
    """

    __tablename__ = "stuck"
    __table_args__ = (
        Index("uq_stuck_now", "cause", "subject", unique=True, postgresql_where=text("gone_at is null")),
        Index("ix_stuck_gone_at", "gone_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    cause: Mapped[str]
    subject: Mapped[str]
    scope_id: Mapped[UUID | None]
    ticket_ids: Mapped[list[str]]
    evidence: Mapped[dict[str, Any]]
    since: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)
    gone_at: Mapped[datetime | None]
    repair_by: Mapped[UUID | None]
    repair_at: Mapped[datetime | None]
    repair_reason: Mapped[str | None]


class Look(Base):
    """When something was last done in the whole installation, and by whom: a look at everything, and a canary taken."""

    __tablename__ = "stuck_look"
    LOOK: ClassVar[int] = 1
    """Who looks next waits until it is old enough."""
    CANARY: ClassVar[int] = 2
    """The last hint that a Celery worker has carried out only to show that it does."""
    SENT: ClassVar[int] = 3
    """The first such hint that was sent since."""

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    by: Mapped[str]


class HostReport(Base):
    """What a worker host says after each of its reconciler's passes.

    `alive` are attempts of which a process is there. `skew_ms` is its clock minus the database's. `stopped_at`: it said
    goodbye. `broker_down_since`: from there the broker does not answer.
    """

    __tablename__ = "host_report"

    id: Mapped[str] = mapped_column(primary_key=True)
    last_pass: Mapped[datetime]
    stopped_at: Mapped[datetime | None]
    skew_ms: Mapped[int]
    run_dir_free: Mapped[int] = mapped_column(BigInteger)
    alive: Mapped[list[str]]
    broker_down_since: Mapped[datetime | None]


class PassFailure(Base):
    """An item on which passes fail, one after another: `times` since `since`."""

    __tablename__ = "pass_failure"

    what: Mapped[str] = mapped_column(primary_key=True)
    item: Mapped[str] = mapped_column(primary_key=True)
    ticket_id: Mapped[UUID | None]
    error: Mapped[str]
    times: Mapped[int]
    since: Mapped[datetime]
    last_at: Mapped[datetime]
