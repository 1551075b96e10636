"""Which lines of a log are errors and warnings: one rule for the writer's index, the search and the viewer.

After the time at its beginning, a line is an error when it begins with one of the words below (as our own lines,
Ansible's and most tools' do), carries logrus' `level=error` (rke, Docker, Kubernetes' helpers) or its short form
`ERRO[0001]`, or klog's `E0102 ` / `F0102 `. A warning alike. Only the first bytes of a line are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

Level = Literal["error", "warning", "info"]
LOOK = 200
"""Bytes of a line that are looked at behind its time."""

STAMP = rb"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}Z )?"
STAMP_LENGTH = len("2026-01-02T03:04:05.678Z ")
_ERROR = rb"\[?(?:error|fatal|failed|failure|critical|panic|unreachable|unknown|planning failed|cannot)\b"
_WARNING = rb"\[?(?:warning|warn|deprecated|skipping|cancelled|not_started)\b"


def _rule(words: bytes, logrus: bytes, klog: bytes, levels: bytes) -> re.Pattern[bytes]:
    rest = rb"|%s\[|%s[0-9]{4} |[^\n]{0,%d}\blevel=(?:%s)\b)" % (logrus, klog, LOOK, levels)
    return re.compile(rb"^" + STAMP + rb"(?:" + words + rest, re.IGNORECASE | re.MULTILINE)


ERROR = _rule(_ERROR, rb"(?:ERRO|FATA|PANI)", rb"[EF]", rb"error|fatal|panic")
WARNING = _rule(_WARNING, rb"WARN", rb"W", rb"warn|warning")


def level_of(line: bytes) -> Level:
    """The level of one line, its end left out."""
    if ERROR.match(line):
        return "error"
    return "warning" if WARNING.match(line) else "info"


def places(lines: bytes, level: Level) -> Iterator[int]:
    """Where lines of at least this level begin, in bytes that begin with a line."""
    if level == "error":
        yield from (hit.start() for hit in ERROR.finditer(lines))
        return
    found = {hit.start() for rule in (ERROR, WARNING) for hit in rule.finditer(lines)}
    yield from sorted(found)


def first_error(lines: bytes) -> int | None:
    """Where the first line of level error begins; None when there is none."""
    hit = ERROR.search(lines)
    return hit.start() if hit else None
