"""Hints of what changed, kept for a while in each api process, and what each open page has heard of them.

Hints come over the broker to every process. They carry no content, so hearing one too often only costs a read; missing
one is what must not happen. A page that resumes names the time of the last hint it heard: when this process has
listened since then, the page gets what came after, and else the word that anything may have changed.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

TOPICS = ("inbox", "tickets", "machines", "clusters", "cmdb", "engine")
PEOPLE = "people"
"""A topic for the process itself: whoever holds a stream open is to be looked at anew."""
KEEP = 2000
"""Hints that a process remembers."""
SKEW = 5.0
"""Seconds that clocks of two processes may differ, and that a page may need from its first read to its stream."""
PAUSE = 2.0
"""Seconds between two tellings to one page; what comes meanwhile is told as one."""
DEAF = 10.0
"""Seconds between two guesses that something changed, while there is no broker to say so."""

Sees = Callable[[UUID | None], bool]
"""May this page's person see things of that cluster (None: of no cluster)?"""


class Memory:
    """The hints of one process, newest last. Used by the event loop only."""

    def __init__(self) -> None:
        self._kept: deque[tuple[float, str, UUID | None, tuple[str, ...]]] = deque(maxlen=KEEP)
        self.since = time.time()
        """From here on nothing is missing; moved when the connection to the broker was lost."""
        self.newest = 0.0
        self.people = 0
        """Rises when somebody's roles, session or token changed."""

    def take(self, payload: bytes) -> None:
        """One message of `core.hints`; what cannot be read is taken as a hint at everything."""
        try:
            told = [
                (str(it["topic"]), UUID(it["scope"]) if it["scope"] else None, tuple(map(str, it["ids"])))
                for it in json.loads(payload)
            ]
        except (ValueError, KeyError, TypeError):
            self.lost()
            return
        for topic, scope, ids in told:
            if topic == PEOPLE:
                self.people += 1
                continue
            if len(self._kept) == KEEP:
                self.since = self._kept[0][0]
            self.newest = self._moment()
            self._kept.append((self.newest, topic, scope, ids))

    def lost(self) -> None:
        """Hints may have been missed up to now: whoever listens is told that anything may have changed."""
        self._kept.clear()
        self.people += 1
        self.since = self.newest = self._moment()

    def _moment(self) -> float:
        """Now, and later than everything before, so that a time names a place."""
        return max(time.time(), self.newest + 0.000001)

    def after(self, moment: float) -> list[tuple[str, UUID | None, tuple[str, ...]]] | None:
        """What came after a time; None when that is not known any more."""
        if moment < self.since:
            return None
        return [(topic, scope, ids) for at, topic, scope, ids in self._kept if at > moment]


class Hearing:
    """One page: what it has heard, and what it is to be told next."""

    def __init__(self, memory: Memory, sees: Sees, cursor: str | None = None, *, again: bool = False) -> None:
        """`cursor` resumes; `again`: a page that was here before and cannot say what it heard. A page that is new is
        told what changed between its first read and now."""
        self._memory = memory
        self._sees = sees
        self._not_before = 0.0
        heard = _parsed(cursor)
        if heard is not None:
            self._heard = heard - SKEW
        else:
            self._heard = 0.0 if again else max(memory.since, time.time() - SKEW)

    def wait(self) -> float | None:
        """Seconds until something is to be told; None: nothing yet."""
        if self._heard >= self._memory.since and self._heard >= self._memory.newest:
            return None
        return max(0.0, self._not_before - time.monotonic())

    def told(self) -> list[dict[str, Any]]:
        """Topics with the ids of what changed, all others left out; empty while it is too early."""
        if self.wait() != 0.0:
            return []
        found = self._memory.after(self._heard)
        self._heard = max(self._memory.newest, self._memory.since)
        if found is None:
            self._not_before = time.monotonic() + PAUSE
            return everything()
        topics: dict[str, set[str] | None] = {}
        for topic, scope, ids in found:
            if self._sees(scope):
                known = topics.get(topic, set())
                topics[topic] = None if not ids or known is None else known | set(ids)
        if topics:
            self._not_before = time.monotonic() + PAUSE
        return [{"topic": topic, "ids": sorted(ids or ()), "all": ids is None} for topic, ids in topics.items()]

    @property
    def cursor(self) -> str:
        """What a page sends back to resume."""
        return repr(self._heard)


def everything(topics: Iterable[str] = TOPICS) -> list[dict[str, Any]]:
    """Anything may have changed."""
    return [{"topic": topic, "ids": [], "all": True} for topic in topics]


def _parsed(cursor: str | None) -> float | None:
    try:
        moment = float(cursor or "")
    except ValueError:
        return None
    return moment if 0 < moment < 1e12 else None
