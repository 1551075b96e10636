"""Numbered failpoints: every commit and every call of a driver is one, counted over all processes of a case.

`AUTORKE_FAILPOINT=series:n:mode` arms one for a whole run by hand. The product knows nothing of them: commits are
caught in SQLAlchemy's dialect, driver calls in `core.contact.made()`, which every driver says before it speaks.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import signal
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Engine

from autorke.core import contact

MODES = ("kill", "stop", "raise", "commit-then-raise")
SERIES = ("main", "log", "heartbeat")
"""What a background thread commits is counted apart, or the numbers would depend on time."""
_CELLS = struct.Struct("6q")


class Injected(RuntimeError):
    """Raised at a driver call; at a commit it is the driver's own OperationalError, as when the server goes away."""


@dataclass(frozen=True)
class Point:
    series: str
    n: int
    mode: str

    @classmethod
    def parse(cls, words: str) -> Point:
        series, n, mode = words.split(":")
        return cls(series, int(n), mode)


class Counter:
    """Counts of each series, which point is armed, and whether it was met; shared by every process forked later."""

    def __init__(self) -> None:
        self._cells = mmap.mmap(-1, _CELLS.size)
        self._lock = os.memfd_create("failpoints")
        self.armed: Point | None = None
        self.on = False
        """True in the processes whose points count; the test's own never do."""

    def arm(self, point: Point | None) -> None:
        self._cells[:] = _CELLS.pack(0, 0, 0, 0, 0, 0)
        self.armed = point

    @property
    def counts(self) -> dict[str, int]:
        return dict(zip(SERIES, _CELLS.unpack(self._cells[:])[:3], strict=True))

    @property
    def met(self) -> bool:
        return bool(_CELLS.unpack(self._cells[:])[3])

    @property
    def stopped(self) -> int:
        """The process that a `stop` has frozen, 0 for none."""
        return int(_CELLS.unpack(self._cells[:])[4])

    def _next(self, series: str) -> int:
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            cells = list(_CELLS.unpack(self._cells[:]))
            cells[SERIES.index(series)] += 1
            self._cells[:] = _CELLS.pack(*cells)
            return int(cells[SERIES.index(series)])
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)

    def _mark(self, pid: int) -> None:
        cells = list(_CELLS.unpack(self._cells[:]))
        cells[3], cells[4] = 1, pid
        self._cells[:] = _CELLS.pack(*cells)

    def passes(self, act: Callable[[], Any], error: Callable[[], Exception]) -> Any:
        """Do what the point stands for, or what is armed at it."""
        if not self.on:
            return act()
        series = _series()
        with _one_at_a_time:
            n = self._next(series)
        if self.armed is None or (self.armed.series, self.armed.n) != (series, n):
            return act()
        self._mark(os.getpid())
        if self.armed.mode == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.armed.mode == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        if self.armed.mode == "raise":
            raise error()
        done = act()
        if self.armed.mode == "commit-then-raise":
            raise error()
        return done


_one_at_a_time = threading.Lock()
COUNTER = Counter()


def _series() -> str:
    name = threading.current_thread().name
    return "heartbeat" if name == "heartbeat" else "log" if name.startswith("log") else "main"


def catch(engine: Engine) -> None:
    """Make this engine's commits points; processes forked later inherit it."""
    dialect: Any = engine.dialect
    commit = dialect.do_commit

    def do_commit(connection: Any) -> None:
        COUNTER.passes(lambda: commit(connection), lambda: psycopg.OperationalError("injected at a commit"))

    dialect.do_commit = do_commit


def catch_drivers() -> None:
    """Make driver calls points. Called once; drivers call `contact.made` through its module."""
    made = contact.made

    def point() -> None:
        COUNTER.passes(made, lambda: Injected("injected at a driver call"))

    contact.made = point
