"""How fresh each source's machines are, and what is open on them: what a page shows beside a list of machines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.orm import Session

from autorke.cmdb.models import CmdbRun, CmdbSource, Outcome
from autorke.core.db import db_now
from autorke.machines.models import Machine

LATE = 2
"""Intervals without a good sync after which a source is called overdue."""


@dataclass(frozen=True)
class Freshness:
    """`last_outcome` is that of the newest run that has ended; `conflicts` counts fields, the others count machines."""

    id: UUID
    name: str
    enabled: bool
    interval_seconds: int
    last_ok_at: datetime | None
    last_outcome: str | None
    last_ended_at: datetime | None
    running_since: datetime | None
    overdue: bool
    machines: int
    conflicts: int
    vanished: int


def of_sources(session: Session, *, visible: ColumnElement[bool]) -> list[Freshness]:
    """Every source by name, with figures over the machines that the caller may see; three statements."""
    counts = _counts(session, visible)
    now = db_now(session)
    found = []
    for source, outcome, ended_at, running_since in _sources(session):
        machines, conflicts, vanished = counts.get(source.id, (0, 0, 0))
        found.append(
            Freshness(
                id=source.id,
                name=source.name,
                enabled=source.enabled,
                interval_seconds=source.interval_seconds,
                last_ok_at=source.last_ok_at,
                last_outcome=outcome,
                last_ended_at=ended_at,
                running_since=running_since,
                overdue=_overdue(source, now),
                machines=machines,
                conflicts=conflicts,
                vanished=vanished,
            )
        )
    return found


def _counts(session: Session, visible: ColumnElement[bool]) -> dict[UUID | None, tuple[int, int, int]]:
    query = (
        select(
            Machine.cmdb_source_id,
            func.count(),
            func.sum(Machine.conflict_count),
            func.count().filter(Machine.cmdb_vanished_at.is_not(None)),
        )
        .where(Machine.cmdb_source_id.is_not(None), visible)
        .group_by(Machine.cmdb_source_id)
    )
    return {key: (machines, int(conflicts), gone) for key, machines, conflicts, gone in session.execute(query)}


def _sources(session: Session) -> list[tuple[CmdbSource, str | None, datetime | None, datetime | None]]:
    runs = select(CmdbRun).where(CmdbRun.source_id == CmdbSource.id).correlate(CmdbSource)
    ended = runs.where(CmdbRun.ended_at.is_not(None)).order_by(CmdbRun.id.desc()).limit(1).lateral("ended")
    running = runs.where(CmdbRun.outcome == Outcome.RUNNING.value).order_by(CmdbRun.id.desc()).limit(1).lateral("now")
    query = (
        select(CmdbSource, ended.c.outcome, ended.c.ended_at, running.c.started_at)
        .select_from(CmdbSource)
        .outerjoin(ended, true())
        .outerjoin(running, true())
        .order_by(CmdbSource.name)
    )
    return [(source, outcome, ended_at, since) for source, outcome, ended_at, since in session.execute(query)]


def _overdue(source: CmdbSource, now: datetime) -> bool:
    if not source.enabled or source.interval_seconds == 0:
        return False
    since = source.last_ok_at or source.created_at
    return (now - since).total_seconds() > LATE * source.interval_seconds
