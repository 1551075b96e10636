"""Clusters and their nodes. The database itself keeps a machine, an address or a host name out of a second cluster."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from autorke.core.db import Base
from autorke.core.ids import new_id

NOW = func.clock_timestamp()
LIVE = text("left_at is null")


class ClusterState(str, Enum):
    """`archived` clusters are no longer managed: their nodes are released, their revisions stay."""

    ACTIVE = "active"
    ARCHIVED = "archived"


class Cluster(Base):
    """One RKE cluster. Its name and its CA never change: they are what files, tickets and nodes are checked against."""

    __tablename__ = "cluster"
    __table_args__ = (
        UniqueConstraint("name"),
        Index("uq_cluster_ca_fingerprint", "ca_fingerprint", unique=True, postgresql_where=text("state = 'active'")),
        CheckConstraint("state in ('active', 'archived')", name="state"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, default="", server_default="")
    state: Mapped[str] = mapped_column(Text, default=ClusterState.ACTIVE.value, server_default="active")
    kubernetes_version: Mapped[str] = mapped_column(Text)
    api_url: Mapped[str] = mapped_column(Text)
    ca_fingerprint: Mapped[str] = mapped_column(Text)
    kubeconfig_credential_id: Mapped[UUID | None] = mapped_column(ForeignKey("credential.id"), index=True)
    network_plugin: Mapped[str] = mapped_column(Text, default="", server_default="")
    flat_network: Mapped[bool] = mapped_column(default=False, server_default="false")
    private_registry: Mapped[bool] = mapped_column(default=False, server_default="false")
    gate_policy: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    verified_at: Mapped[datetime | None]
    drift: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    created_by: Mapped[str] = mapped_column(Text, default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Node(Base):
    """A machine's membership in a cluster, from `since` to `left_at`. `machine_id` is null while none is known."""

    __tablename__ = "node"
    __table_args__ = (
        Index("uq_node_machine_id", "machine_id", unique=True, postgresql_where=LIVE),
        Index("uq_node_address", "address", unique=True, postgresql_where=LIVE),
        Index("uq_node_internal_address", "internal_address", unique=True, postgresql_where=LIVE),
        Index("uq_node_hostname", "hostname", unique=True, postgresql_where=LIVE),
        Index("ix_node_cluster_id", "cluster_id", "hostname", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"))
    machine_id: Mapped[UUID | None] = mapped_column(ForeignKey("machine.id"), index=True)
    hostname: Mapped[str] = mapped_column(Text(collation="C"))
    address: Mapped[str] = mapped_column(Text(collation="C"))
    internal_address: Mapped[str] = mapped_column(Text(collation="C"))
    roles: Mapped[list[str]]
    ssh_user: Mapped[str] = mapped_column(Text)
    ssh_port: Mapped[int]
    docker_socket: Mapped[str] = mapped_column(Text, default="", server_default="")
    labels: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    taints: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    config_number: Mapped[int]
    ticket_id: Mapped[UUID | None]
    since: Mapped[datetime] = mapped_column(server_default=NOW)
    left_at: Mapped[datetime | None]
    left_by_ticket_id: Mapped[UUID | None]
