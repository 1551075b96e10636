"""What the matrix of a ticket shows of its nodes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from autorke.core.schemas import Out


class CellOut(Out):
    node_id: str
    step: str
    attempt_n: int
    state: str
    summary: str
    error: dict[str, Any] | None
    batch_no: int
    started_at: datetime | None
    ended_at: datetime | None


class MatrixNodeOut(Out):
    node_id: str
    name: str
    address: str | None
    excluded_at: datetime | None
    excluded_reason: str | None
    results: list[CellOut]


class MatrixOut(Out):
    at: datetime
    nodes: list[MatrixNodeOut]
