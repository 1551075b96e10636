"""Config and state revisions: every cluster.yml and cluster.rkestate that ever counted, numbered without a gap.

Both files hold secrets (rke.md §1.6), so their content is an envelope. Rows are append-only: a trigger refuses every
change except a new envelope around the same content, which is what a change of the encryption key needs.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from uuid import UUID

from sqlalchemy import DDL, CheckConstraint, ForeignKey, LargeBinary, Text, UniqueConstraint, event, func
from sqlalchemy.orm import Mapped, mapped_column

from autorke.core.db import Base
from autorke.core.ids import new_id

NOW = func.clock_timestamp()


class Reason(str, Enum):
    """Why a revision was written: the cluster was imported, or a ticket is about to change it, or has."""

    IMPORT = "import"
    BEFORE = "before"
    AFTER = "after"


class Revision:
    """What both kinds share. `number` counts from 1 per cluster and kind; `parent` is the revision it was made from."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"))
    number: Mapped[int]
    parent: Mapped[int | None]
    reason: Mapped[str] = mapped_column(Text)
    ticket_id: Mapped[UUID | None] = mapped_column(index=True)
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(Text)
    node_addresses: Mapped[list[str]]


class ConfigRevision(Revision, Base):
    """One cluster.yml."""

    __tablename__ = "config_revision"
    __table_args__ = (
        UniqueConstraint("cluster_id", "number"),
        CheckConstraint("reason in ('import', 'before', 'after')", name="reason"),
        CheckConstraint("number >= 1", name="number"),
    )

    kubernetes_version: Mapped[str] = mapped_column(Text)


class StateRevision(Revision, Base):
    """One cluster.rkestate. All of a cluster carry the same CA."""

    __tablename__ = "state_revision"
    __table_args__ = (
        UniqueConstraint("cluster_id", "number"),
        CheckConstraint("reason in ('import', 'before', 'after')", name="reason"),
        CheckConstraint("number >= 1", name="number"),
    )

    ca_fingerprint: Mapped[str] = mapped_column(Text)


FUNCTION = """
create or replace function refuse_revision_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and to_jsonb(new) - 'content' = to_jsonb(old) - 'content' then return new; end if;
    raise exception '%% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$
"""
TRIGGER = """
create trigger {table}_append_only before update or delete on {table}
for each row execute function refuse_revision_change()
"""

for _kind in (ConfigRevision, StateRevision):
    for _statement in (FUNCTION, TRIGGER.format(table=_kind.__tablename__)):
        event.listen(_kind.__table__, "after_create", DDL(_statement))  # type: ignore[no-untyped-call]
