"""The same work on many machines at once, where one machine's trouble stays its own."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from autorke.core.errors import Text
from autorke.drivers.base import DriverError

Item = TypeVar("Item")
Value = TypeVar("Value")
STOP_SECONDS = 0.2
"""How long it may take until a wish to stop is noticed."""


class WorkOverdue(DriverError):
    """An item took longer than its share of time; its thread may still be at it, and its result is dropped."""

    code = "work-overdue"
    text = Text(zh="{item} 超过 {seconds} 秒没有结束", en="{item} did not end within {seconds} s")
    maybe_done = True


class Stopped(Exception):
    """Nobody wants the outcomes any more; raised by `fan_out` to its caller."""


@dataclass(frozen=True)
class Outcome(Generic[Item, Value]):
    """What became of one item: a value or an error, and how long it took."""

    item: Item
    value: Value | None
    error: BaseException | None
    seconds: float

    @property
    def ok(self) -> bool:
        return self.error is None


def fan_out(
    items: Iterable[Item],
    work: Callable[[Item], Value],
    *,
    limit: int = 50,
    deadline: float | None = None,
    on_done: Callable[[Outcome[Item, Value]], None] | None = None,
    stop: threading.Event | None = None,
) -> list[Outcome[Item, Value]]:
    """Call `work` on every item, at most `limit` at a time; the outcomes are in the order of the items.

    `deadline` is in seconds for each item, from its own start. An overdue item gives its place to the next one, so
    machines that hang never starve the others. `on_done` runs in the calling thread, in order of completion. Once
    `stop` is set no other item begins and Stopped is raised; what has begun is for the caller to end.
    """
    return _FanOut(list(items), work, limit, deadline, on_done, stop).run()


@dataclass
class _FanOut(Generic[Item, Value]):
    items: list[Item]
    work: Callable[[Item], Value]
    limit: int
    deadline: float | None
    on_done: Callable[[Outcome[Item, Value]], None] | None
    stop: threading.Event | None = None
    started: dict[int, float] = field(default_factory=dict)
    outcomes: dict[int, Outcome[Item, Value]] = field(default_factory=dict)
    finished: queue.SimpleQueue[tuple[int, Outcome[Item, Value]]] = field(default_factory=queue.SimpleQueue)

    def run(self) -> list[Outcome[Item, Value]]:
        waiting = deque(range(len(self.items)))
        while waiting or self.started:
            if self.stop is not None and self.stop.is_set():
                raise Stopped
            while waiting and len(self.started) < max(1, self.limit):
                self._start(waiting.popleft())
            self._await_next()
        return [self.outcomes[index] for index in range(len(self.items))]

    def _start(self, index: int) -> None:
        self.started[index] = time.monotonic()
        context = contextvars.copy_context()
        # Daemon threads: one that hangs for ever must not keep the process from ending.
        threading.Thread(target=context.run, args=(self._work, index), name=f"fan-out-{index}", daemon=True).start()

    def _work(self, index: int) -> None:
        item, start = self.items[index], self.started[index]
        try:
            outcome = Outcome[Item, Value](item, self.work(item), None, time.monotonic() - start)
        except BaseException as error:
            outcome = Outcome[Item, Value](item, None, error, time.monotonic() - start)
        self.finished.put((index, outcome))

    def _await_next(self) -> None:
        try:
            index, outcome = self.finished.get(timeout=self._patience())
        except queue.Empty:
            self._give_up_overdue()
        else:
            if index in self.started:
                self._record(index, outcome)

    def _patience(self) -> float | None:
        waits = [] if self.stop is None else [STOP_SECONDS]
        if self.deadline is not None:
            waits.append(min(self.started.values()) + self.deadline - time.monotonic())
        return max(0.0, min(waits)) if waits else None

    def _give_up_overdue(self) -> None:
        if self.deadline is None:
            return
        now, seconds = time.monotonic(), self.deadline
        for index in [index for index, start in self.started.items() if start + seconds <= now]:
            item = self.items[index]
            error = WorkOverdue(item=_name(item), seconds=f"{seconds:g}")
            self._record(index, Outcome(item, None, error, now - self.started[index]))

    def _record(self, index: int, outcome: Outcome[Item, Value]) -> None:
        del self.started[index]
        self.outcomes[index] = outcome
        if self.on_done is not None:
            self.on_done(outcome)


def _name(item: object) -> str:
    name = getattr(item, "name", item)
    return str(name)
