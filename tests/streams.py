"""Event streams that end by themselves, so that a test gets its answer."""

from __future__ import annotations

from typing import Any


class UntilIdle:
    """In the place of `sse.ROTATE`: a connection lasts until it has told all there is, however slow the machine is.

    `_events` adds it to the clock when a stream begins, and asks what is left of it only before it waits for news.
    """

    def __radd__(self, _now: float) -> Any:
        return _End()


class _End:
    """The moment at which one connection ends: later than any other until nothing is left to tell."""

    def __init__(self) -> None:
        self._idle = False

    def __gt__(self, _now: float) -> bool:
        return not self._idle

    def __sub__(self, _now: float) -> float:
        self._idle = True
        return 0.0
