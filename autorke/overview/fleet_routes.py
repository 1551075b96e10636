"""The figures of the whole fleet over the API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from autorke.cmdb import freshness
from autorke.cmdb.schemas import FreshnessOut
from autorke.core.db import db_now
from autorke.machines.models import Machine
from autorke.overview import fleet
from autorke.overview.days import last_days
from autorke.overview.fleet_schemas import OverviewOut
from autorke.users.access import Actor, scope
from autorke.users.deps import allowed
from autorke.web.deps import SessionDep

router = APIRouter(tags=["overview"])

Reader = Annotated[Actor, allowed("machine:read")]


@router.get("/overview", response_model=OverviewOut)
def get_overview(
    actor: Reader,
    session: SessionDep,
    tz: Annotated[str, Query(max_length=64, examples=["Asia/Shanghai"], description="Whose days are meant")] = "UTC",
) -> OverviewOut:
    """The fleet in figures: machines by place, tickets of today, approvals and failures of seven days, clusters."""
    days = last_days(db_now(session), tz)
    versions, clusters = fleet.clusters(session, actor)
    seen = scope(actor, "machine:read", Machine.cluster_id, unowned=True)
    return OverviewOut(
        day_start=days.today,
        machines=fleet.machines_by_place(session, actor),
        tickets=fleet.tickets_today(session, actor, days),
        approvals=fleet.approvals(session, actor, days),
        failures=fleet.failures(session, actor, days),
        cmdb=[FreshnessOut.model_validate(one) for one in freshness.of_sources(session, visible=seen)],
        versions=versions,
        clusters=clusters,
    )
