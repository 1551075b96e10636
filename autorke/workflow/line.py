"""Which history of the database is being written: a promoted standby and a restored backup begin another one."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

LINE = (
    "(select system_identifier from pg_control_system())::text || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)"
)
"""SQL: the server's identity and its WAL timeline. The timeline of pg_control_checkpoint() follows only with the first
checkpoint after a promotion, and a claim may come before that."""


def current_line(session: Session) -> str:
    line: str = session.execute(text(f"select {LINE}")).scalar_one()
    return line
