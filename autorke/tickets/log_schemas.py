"""What the logs of a ticket look like over the API."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from autorke.core.schemas import Out

LevelName = Literal["error", "warning", "info"]


class LogStreamOut(Out):
    """`lines` counts whole lines; `first_error_line` is the number of the first line of level error."""

    id: UUID
    step: str
    attempt_n: int
    purpose: str
    node_id: str | None
    bytes: int
    lines: int
    first_error_line: int | None
    sha256: str | None
    closed_at: datetime | None


class LineOut(Out):
    """One line: number, time, level, text. `cut`: only the beginning of a line that is too long to show."""

    n: int
    at: str | None
    level: LevelName
    text: str
    cut: bool


class LinesOut(Out):
    """Lines from `from_line` on. `total` lines are there now, `closed` says that no more will come."""

    from_line: int
    lines: list[LineOut]
    total: int
    closed: bool


class LogFoundOut(Out):
    """Numbers of matching lines in the order of the search, `total` of them in this answer.

    `next_line` says where to go on with the same search; null: everything up to line `searched` was looked at.
    """

    lines: list[int]
    total: int
    next_line: int | None
    searched: int
    closed: bool


class FirstErrorOut(Out):
    line: int | None
    total: int
    closed: bool


class SaidOut(LineOut):
    stream_id: UUID
    node_id: str | None
    attempt_n: int


class MergedOut(Out):
    """Lines of all nodes of a step in the order of time. `next` goes on behind them (also later, when there are more),
    `previous` before them; `more` says whether there is more already in the direction of reading. A search that has
    found nothing yet answers without lines, and goes on from the same two."""

    lines: list[SaidOut]
    next: str | None
    previous: str | None
    more: bool
