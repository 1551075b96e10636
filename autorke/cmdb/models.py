"""CMDB sources and their runs."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from autorke.core.db import Base
from autorke.core.ids import new_id

NOW = func.clock_timestamp()


class Outcome(str, Enum):
    """How a run stands. Only `ok` changed machines; every other ending changed none."""

    QUEUED = "queued"
    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    REFUSED = "refused"
    LOST = "lost"


class CmdbSource(Base):
    """One outside CMDB: how to ask it, how often, and what a machine it brings gets for a start."""

    __tablename__ = "cmdb_source"
    __table_args__ = (
        CheckConstraint("max_vanished_percent between 0 and 100", name="max_vanished_percent"),
        CheckConstraint("interval_seconds = 0 or interval_seconds >= 60", name="interval_seconds"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    version: Mapped[int] = mapped_column(default=1)
    name: Mapped[str] = mapped_column(Text, unique=True)
    config: Mapped[dict[str, Any]]
    credential_id: Mapped[UUID | None] = mapped_column(ForeignKey("credential.id"), index=True)
    enabled: Mapped[bool] = mapped_column(default=True)
    interval_seconds: Mapped[int] = mapped_column(default=900)
    max_vanished_percent: Mapped[int] = mapped_column(default=20)
    machine_credential_id: Mapped[UUID | None] = mapped_column(ForeignKey("credential.id"), index=True)
    machine_bastion_id: Mapped[UUID | None] = mapped_column(ForeignKey("machine.id"), index=True)
    machine_ssh_user: Mapped[str] = mapped_column(Text, default="root")
    next_due_at: Mapped[datetime] = mapped_column(server_default=NOW)
    last_ok_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class CmdbRun(Base):
    """One sync. `refusals` keeps the first rows that were refused, with line, field and reason."""

    __tablename__ = "cmdb_run"
    __table_args__ = (
        Index("uq_cmdb_run_queued", "source_id", unique=True, postgresql_where=text("outcome = 'queued'")),
        Index("ix_cmdb_run_source_id_id", "source_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    source_id: Mapped[UUID] = mapped_column(ForeignKey("cmdb_source.id", ondelete="CASCADE"))
    requested_by: Mapped[str] = mapped_column(Text)
    accept_drop: Mapped[bool] = mapped_column(default=False)
    outcome: Mapped[str] = mapped_column(Text, default=Outcome.QUEUED.value)
    queued_at: Mapped[datetime] = mapped_column(server_default=NOW)
    claimed_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    received: Mapped[int] = mapped_column(default=0)
    created: Mapped[int] = mapped_column(default=0)
    changed: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    returned: Mapped[int] = mapped_column(default=0)
    vanished: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    conflicts: Mapped[int] = mapped_column(default=0)
    refusals: Mapped[list[Any]] = mapped_column(default=list)
    error: Mapped[dict[str, Any] | None]
