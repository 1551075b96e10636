"""What happened: counters per machine and the journal of every mutation. This is the ground truth that tests compare
with.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TextIO

Count = Literal[
    "connects",
    "auth_ok",
    "auth_failed",
    "execs",
    "unknown_commands",
    "docker_reads",
    "docker_changes",
    "docker_events",
    "streams_unix",
    "streams_tcp",
    "kube_reads",
    "kube_writes",
    "kube_refused",
    "requests",
]

KEPT = 200_000
"""Journal entries kept in memory; the file keeps all."""


class Record:
    """Counters and journal of one simulation."""

    def __init__(self, journal_file: Path | None = None) -> None:
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._entries: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._seq = 0
        self.touched: set[str] = set()
        """Whoever was changed since the simulation was first built."""
        self._file: TextIO | None = journal_file.open("a", buffering=1) if journal_file else None

    def count(self, who: str, what: Count, amount: int = 1) -> None:
        self._counts[who][what] += amount

    def counters(self) -> dict[str, dict[str, int]]:
        """Machine, cluster or service name to its counters; whoever saw nothing is absent."""
        return {who: dict(counts) for who, counts in self._counts.items()}

    def reset(self) -> None:
        self._counts.clear()

    def note(self, who: str, what: str, **detail: Any) -> None:
        """Write down one mutation, with a gapless number and the time."""
        self._seq += 1
        self.touched.add(who)
        entry = {"seq": self._seq, "time": time.time(), "host": who, "what": what, **detail}
        self._entries.append(entry)
        if self._file is not None:
            self._file.write(json.dumps(entry) + "\n")

    @property
    def last(self) -> int:
        """Number of the newest entry."""
        return self._seq

    def since(self, seq: int, who: str | None = None) -> Iterator[dict[str, Any]]:
        """Entries after number `seq`, oldest first."""
        return (entry for entry in self._entries if entry["seq"] > seq and who in (None, entry["host"]))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
