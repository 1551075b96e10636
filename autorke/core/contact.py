"""Whether a piece of work has spoken to anything outside: tells a bug that did nothing from one that may have.

Every driver calls `made()` before the first byte leaves the process (tests/core/test_contact.py finds an edge that
forgets to). Whoever runs a piece of work watches it; after a failure `sealed()` is the proof that nothing was touched.
In doubt the answer is no: a contact made by a thread that belongs to no piece counts for every piece that is watched.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class TooLate(RuntimeError):
    """A thread wants to reach out for a piece of work that was already judged to have touched nothing."""


class Watch:
    """One piece of work, from its start until it is judged. Made by `watched()`."""

    def __init__(self, outer: Watch | None) -> None:
        self._outer = outer
        self._made = False
        self._sealed = False

    def sealed(self) -> bool:
        """True when nothing outside was contacted; from then on what is left of the piece cannot contact anything."""
        with _lock:
            self._sealed = not self._made
            return self._sealed

    def _mark(self) -> None:
        if self._sealed:
            raise TooLate
        self._made = True
        if self._outer is not None:
            self._outer._mark()


_lock = threading.Lock()
_watching: set[Watch] = set()
_mine: ContextVar[Watch | None] = ContextVar("contact_watch", default=None)


@contextmanager
def watched() -> Iterator[Watch]:
    """Watch what this thread does, and threads that it starts with a copy of its context (`drivers.fanout`)."""
    watch = Watch(_mine.get())
    with _lock:
        _watching.add(watch)
    token = _mine.set(watch)
    try:
        yield watch
    finally:
        _mine.reset(token)
        with _lock:
            _watching.discard(watch)


def made() -> None:
    """Called by a driver just before it speaks to the outside. Raises TooLate."""
    mine = _mine.get()
    with _lock:
        if mine is not None:
            mine._mark()
        for watch in _watching if mine is None else ():
            watch._made = True
