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
RANK: dict[Level, int] = {"info": 0, "warning": 1, "error": 2}
LOOK = 200
"""Bytes of a line that are looked at behind its time."""

STAMP = "(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z )?"
STAMP_LENGTH = len("2026-01-02T03:04:05.678Z ")


class Rule:
    """Lines of one level: by their first word, by logrus' field or short form, by klog's letter."""

    def __init__(self, words: str, fields: str, short: str, letters: str) -> None:
        forms = [
            rf"\[?(?:{words})\b",
            rf"(?:{short})\[",
            rf"[{letters}][0-9]{{4}} ",
            rf"[^\n]{{0,{LOOK}}}\blevel=(?:{fields})\b",
        ]
        self._pattern = re.compile(f"{STAMP}(?:{'|'.join(forms)})".encode(), re.IGNORECASE)
        begins = [*words.split("|"), *short.split("|")]
        heads = {word[:2] for word in begins} | {f"[{word[0]}" for word in begins}
        heads |= {f"{letter}{number}" for letter in letters for number in range(10)}
        self.heads = {head.lower().encode() for head in heads}
        """The first two characters of every line that is of this level and has no field."""

    def fits(self, line: bytes) -> bool:
        return self._pattern.match(line) is not None


ERROR = Rule(
    "error|fatal|failed|failure|critical|panic|unreachable|unknown|planning failed|cannot",
    fields="error|fatal|panic",
    short="ERRO|FATA|PANI",
    letters="EF",
)
WARNING = Rule(
    "warning|warn|deprecated|skipping|cancelled|not_started", fields="warn|warning", short="WARN", letters="W"
)


def level_of(line: bytes) -> Level:
    """The level of one line, its end left out."""
    if ERROR.fits(line):
        return "error"
    return "warning" if WARNING.fits(line) else "info"


def places(lines: bytes, level: Level) -> Iterator[int]:
    """Where lines of at least this level begin, in bytes that begin with a line. Most lines are told from their first
    two characters, which is many times faster than matching each."""
    rules = (ERROR,) if level == "error" else (ERROR, WARNING)
    heads = frozenset().union(*(rule.heads for rule in rules))
    with_fields = b"level=" in lines.lower()
    at = 0
    for line in lines.split(b"\n"):
        maybe = line[STAMP_LENGTH : STAMP_LENGTH + 2].lower() in heads or with_fields or not line[:1].isdigit()
        if maybe and any(rule.fits(line) for rule in rules):
            yield at
        at += len(line) + 1


def first_error(lines: bytes) -> int | None:
    """Where the first line of level error begins; None when there is none."""
    return next(places(lines, "error"), None)
