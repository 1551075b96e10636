"""The figures of the whole fleet on the wire."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from autorke.cmdb.schemas import FreshnessOut
from autorke.core.schemas import Out, Words


class PlaceOut(Out):
    """Machines of one data centre in one state."""

    datacenter: str
    state: str
    count: int


class TicketsTodayOut(Out):
    """`opened` and `ended` are those of today in the caller's zone, `open_now` all that have not ended; by state."""

    opened: int
    ended: dict[str, int]
    open_now: dict[str, int]


class ApprovalDayOut(Out):
    """Gates decided on one day."""

    day: date
    decided: int
    median_seconds: float | None


class ApprovalsOut(Out):
    """From a gate's opening to its decision, over the last seven days."""

    decided: int
    median_seconds: float | None
    p90_seconds: float | None
    open_now: int
    oldest_open_at: datetime | None
    days: list[ApprovalDayOut]


class StepFailuresOut(Out):
    """Failed and unreachable nodes of one step of a flow."""

    flow_name: str
    step: str
    title: Words
    count: int


class CauseOut(Out):
    """Failed and unreachable nodes of one cause. `example` is one of its texts; null for a step that gave no error."""

    code: str
    count: int
    example: Words | None


class FailuresOut(Out):
    """Of the last seven days; the twenty most frequent of each."""

    total: int
    by_step: list[StepFailuresOut]
    by_cause: list[CauseOut]


class VersionOut(Out):
    """Active clusters of one Kubernetes version."""

    kubernetes_version: str
    clusters: int
    nodes: int


class ClusterNodesOut(Out):
    id: UUID
    name: str
    kubernetes_version: str
    nodes: int


class OverviewOut(Out):
    """What the caller may see of the fleet, at this moment."""

    day_start: datetime = Field(description="When today began in the zone that was asked for")
    machines: list[PlaceOut]
    tickets: TicketsTodayOut
    approvals: ApprovalsOut
    failures: FailuresOut
    cmdb: list[FreshnessOut]
    versions: list[VersionOut]
    clusters: list[ClusterNodesOut] = Field(description="The 200 largest active ones")
