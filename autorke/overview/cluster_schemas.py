"""A cluster's pages on the wire."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from autorke.clusters.health import Health
from autorke.core.schemas import Out, Words
from autorke.overview.lock_schemas import LockOut


class RevisionBrief(Out):
    """The newest revision of a file."""

    number: int
    reason: str
    ticket_id: UUID | None
    created_by: str
    created_at: datetime


class TicketBrief(Out):
    """A ticket in a list beside something else."""

    id: UUID
    number: int
    flow_name: str
    flow_title: Words
    summary: str
    state: str
    attention: str | None
    requester_id: UUID
    requester_name: str | None = Field(description="null: the account is gone")
    created_at: datetime


class ClusterOverviewOut(Out):
    """`health` is null until somebody has looked at the live cluster; it then counts nodes by what was seen."""

    id: UUID
    name: str
    state: str
    kubernetes_version: str
    network_plugin: str
    flat_network: bool
    private_registry: bool
    verified_at: datetime | None
    drift_count: int
    nodes: int
    roles: dict[str, int] = Field(description="A node counts once for each of its roles")
    health: dict[Health, int] | None
    config: RevisionBrief | None
    rkestate: RevisionBrief | None
    locks: list[LockOut]
    open_tickets: list[TicketBrief] = Field(description="The newest 50")
    open_tickets_total: int


class TopologyNodeOut(Out):
    """A node and where its machine stands; place and state are empty while no machine is known behind it."""

    id: UUID
    name: str
    address: str
    roles: list[str]
    machine_id: UUID | None
    region: str
    datacenter: str
    room: str
    rack: str
    state: str
    health: Health | None
    ticket_id: UUID | None
    ticket_number: int | None


class TopologyOut(Out):
    """At most 5,000 nodes; `total` says how many there are."""

    total: int
    nodes: list[TopologyNodeOut]
