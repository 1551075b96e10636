"""The machine: every host we know of, free or serving, and what each source says about it.

Texts are never null: unknown is "" (0 for counts), so that every column sorts and pages over one plain index. They are
kept in the "C" collation, which gives one order on every server and lets the same index answer prefixes.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Dialect,
    ForeignKey,
    Index,
    Text,
    TypeDecorator,
    UniqueConstraint,
    cast,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import INET, ExcludeConstraint
from sqlalchemy.orm import Mapped, column_property, mapped_column

from autorke.core.db import Base
from autorke.core.ids import new_id
from autorke.workflow.models import ResourceLock, Ticket

NOW = func.clock_timestamp()


class MachineState(str, Enum):
    """Where a machine is in its life. Arrows: `machines.service.ALLOWED`."""

    FREE = "free"
    RESERVED = "reserved"
    IN_CLUSTER = "in_cluster"
    FAULT = "fault"
    RETIRED = "retired"


class Origin(str, Enum):
    """Who says something about a machine: the CMDB, or the machine itself over SSH."""

    CMDB = "cmdb"
    MACHINE = "machine"


class Address(TypeDecorator[str]):
    """An IP address: text in Python, `inet` in Postgres, so that .9 sorts before .10 and networks can be asked for."""

    impl = INET
    cache_ok = True

    def process_result_value(self, value: Any, _dialect: Dialect) -> str | None:
        return None if value is None else str(value)


Word = Annotated[str, mapped_column(Text(collation="C"), default="", server_default="")]
Count = Annotated[int, mapped_column(default=0, server_default="0")]

PLACE = ("region", "datacenter", "room", "rack", "unit")
HARDWARE = ("vendor", "model", "cpu_cores", "memory_mb", "disk_gb", "gpu_model", "gpu_count")
SOFTWARE = ("os_family", "os_version", "kernel", "docker_version")
USE = ("owner", "department", "purpose", "cmdb_status")
INDEXED = (
    *("hostname", "address", "internal_address", "sn", "ssh_port", "ssh_user"),
    *PLACE,
    *HARDWARE,
    *SOFTWARE,
    *USE,
    *("state", "cluster_name", "node_name", "node_roles", "cmdb_id", "conflict_count", "created_at", "updated_at"),
    *("flat_network", "ippool"),
)
_HOLDER = select(ResourceLock.ticket_id).where(ResourceLock.kind == "machine").correlate_except(ResourceLock)
HOLDS_ITS_ADDRESS = "state <> 'retired' and (state <> 'free' or cmdb_vanished_at is null)"
"""A retired machine, and a free one that the CMDB no longer knows, give their address to whoever has it now."""


class Machine(Base):
    """One host. Which cluster it serves is written here and in `node` in one transaction (`service.attach`)."""

    __tablename__ = "machine"
    __table_args__ = (
        UniqueConstraint("sn", deferrable=True, initially="IMMEDIATE"),
        ExcludeConstraint(
            ("address", "="),
            name="uq_machine_address",
            using="btree",
            where=text(HOLDS_ITS_ADDRESS),
            deferrable=True,
            initially="IMMEDIATE",
        ),
        CheckConstraint("(state = 'in_cluster') = (cluster_id is not null)", name="cluster_when_in_cluster"),
        CheckConstraint("state <> 'reserved' or ticket_id is not null", name="ticket_when_reserved"),
        CheckConstraint("state in ('free', 'reserved', 'in_cluster', 'fault', 'retired')", name="state"),
        CheckConstraint("ssh_port between 1 and 65535", name="ssh_port"),
        Index("ix_machine_address_text", text('(host(address)) collate "C"')),
        Index("ix_machine_vanished", "cmdb_vanished_at", "id"),
        Index("ix_machine_vanished_last", text("cmdb_vanished_at desc nulls last"), text("id desc")),
        Index("ix_machine_ticket_id", "ticket_id", postgresql_where=text("ticket_id is not null")),
        Index("ix_machine_cluster_id", "cluster_id", "id"),
        Index("ix_machine_labels", "labels", postgresql_using="gin"),
        *(Index(f"ix_machine_{name}", name, "id") for name in INDEXED),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    version: Mapped[int] = mapped_column(default=1, server_default="1")

    hostname: Mapped[Word]
    address: Mapped[str] = mapped_column(Address)
    internal_address: Mapped[str] = mapped_column(Address)
    sn: Mapped[Word]

    ssh_port: Mapped[int] = mapped_column(default=22, server_default="22")
    ssh_user: Mapped[Word]
    credential_id: Mapped[UUID | None] = mapped_column(ForeignKey("credential.id"), index=True)
    bastion_machine_id: Mapped[UUID | None] = mapped_column(ForeignKey("machine.id"), index=True)
    host_key: Mapped[Word]
    host_key_pinned_by: Mapped[Word]
    host_key_pinned_at: Mapped[datetime | None]

    region: Mapped[Word]
    datacenter: Mapped[Word]
    room: Mapped[Word]
    rack: Mapped[Word]
    unit: Mapped[Word]

    vendor: Mapped[Word]
    model: Mapped[Word]
    cpu_cores: Mapped[Count]
    memory_mb: Mapped[Count]
    disk_gb: Mapped[Count]
    gpu_model: Mapped[Word]
    gpu_count: Mapped[Count]

    os_family: Mapped[Word]
    os_version: Mapped[Word]
    kernel: Mapped[Word]
    docker_version: Mapped[Word]

    owner: Mapped[Word]
    department: Mapped[Word]
    purpose: Mapped[Word]
    labels: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")

    state: Mapped[str] = mapped_column(Text(collation="C"), default=MachineState.FREE.value, server_default="free")
    state_reason: Mapped[Word]
    ticket_id: Mapped[UUID | None] = mapped_column()
    cluster_id: Mapped[UUID | None] = mapped_column(ForeignKey("cluster.id"))
    cluster_name: Mapped[Word]
    node_name: Mapped[Word]
    node_address: Mapped[Word]
    node_roles: Mapped[Word]
    node_label_count: Mapped[Count]
    node_taint_count: Mapped[Count]
    flat_network: Mapped[Word]
    ippool: Mapped[Word]

    cmdb_source_id: Mapped[UUID | None] = mapped_column(index=True)
    cmdb_id: Mapped[Word]
    cmdb_status: Mapped[Word]
    cmdb_changed_at: Mapped[datetime | None]
    cmdb_vanished_at: Mapped[datetime | None]
    kept_fields: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    conflict_count: Mapped[Count]

    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW, onupdate=NOW)

    # Loaded where they are shown: a reservation names its ticket, a serving machine is held by a ticket's lock only.
    current_ticket_id: Mapped[UUID | None] = column_property(
        func.coalesce(ticket_id, _HOLDER.where(ResourceLock.key == cast(id, Text)).scalar_subquery()),
        deferred=True,
        group="ticket",
    )
    ticket_number: Mapped[int | None] = column_property(
        select(Ticket.number).where(Ticket.id == current_ticket_id).correlate_except(Ticket).scalar_subquery(),
        deferred=True,
        group="ticket",
    )


class MachineReport(Base):
    """What one source last said of a machine, in our field names. `hash` tells the sync what did not change."""

    __tablename__ = "machine_report"

    machine_id: Mapped[UUID] = mapped_column(ForeignKey("machine.id"), primary_key=True)
    origin: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    values: Mapped[dict[str, Any]]
    extra: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    hash: Mapped[Word]
    reported_at: Mapped[datetime] = mapped_column(server_default=NOW)


class MachineConflict(Base):
    """One field on which CMDB, machine and cluster do not agree; open while `resolved_at` is null."""

    __tablename__ = "machine_conflict"
    __table_args__ = (
        Index("ix_machine_conflict_open", "field", "machine_id", postgresql_where=text("resolved_at is null")),
    )

    machine_id: Mapped[UUID] = mapped_column(ForeignKey("machine.id"), primary_key=True)
    field: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    cmdb_value: Mapped[str | None]
    machine_value: Mapped[str | None]
    cluster_value: Mapped[str | None]
    first_seen_at: Mapped[datetime] = mapped_column(server_default=NOW)
    last_seen_at: Mapped[datetime] = mapped_column(server_default=NOW)
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[Word]
    resolution: Mapped[Word]
