"""Revisions on the wire."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import Field

from autorke.core.schemas import Out, Words


class RevisionKind(str, Enum):
    """`config` = cluster.yml, `state` = cluster.rkestate."""

    CONFIG = "config"
    STATE = "state"


class RevisionOut(Out):
    """One revision without its content."""

    number: int
    parent: int | None
    reason: str = Field(description="import, or before / after a ticket's change")
    ticket_id: UUID | None
    created_by: str
    created_at: datetime
    size: int
    sha256: str
    node_addresses: list[str]


class RevisionText(RevisionOut):
    """One revision with its text, every secret in it masked."""

    text: str


class SettingOut(Out):
    path: str
    before: Any
    after: Any
    danger: Words | None = Field(description="What changing it does to a live cluster")


class ComparisonOut(Out):
    """What changed, by meaning and by line; secrets are masked in both."""

    added_nodes: list[str]
    removed_nodes: list[str]
    settings: list[SettingOut]
    text: list[str] = Field(description="Unified diff")
    cut: bool = Field(description="The unified diff was longer than what is shown")
