"""What runs by the clock: name -> function that does what is due. Called every few seconds on each worker host."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autorke.cmdb import sync

SCHEDULES: Mapping[str, Callable[[], None]] = {"cmdb": sync.run_due}
