"""Secrets of machines, clusters and outside systems, sealed at rest."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String, func
from sqlalchemy.orm import Mapped, mapped_column

from autorke.core.db import Base
from autorke.core.ids import new_id


class Credential(Base):
    """One secret. `public` is what may be shown of it; `envelope` opens only for this id and version."""

    __tablename__ = "credential"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(String(16), index=True)
    note: Mapped[str] = mapped_column(server_default="")
    public: Mapped[dict[str, Any]]
    envelope: Mapped[bytes]
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    used_at: Mapped[datetime | None]
