"""What runs by the clock: name -> function that does what is due. Called every few seconds on each worker host."""

from __future__ import annotations

from collections.abc import Callable

SCHEDULES: dict[str, Callable[[], None]] = {}
