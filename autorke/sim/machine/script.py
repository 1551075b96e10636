"""The little of the shell language that simulated commands and containers need: lists of `echo`, `sleep` and `exit`.

Everything else is refused (None), and the caller says "unknown command": better than to pretend.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

SEPARATORS = {";", "&&", "||"}


@dataclass
class Ran:
    """What a script did."""

    code: int = 0
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0
    ended: bool = field(default=False, repr=False)


def interpret(text: str) -> Ran | None:
    """Run a script; None when it holds anything that is not known here."""
    lexer = shlex.shlex(text.replace("\n", ";"), posix=True, punctuation_chars=";&|<>()`$")
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        return None
    ran = Ran()
    statement: list[str] = []
    joint = ";"
    for word in [*words, ";"]:
        if word not in SEPARATORS:
            statement.append(word)
            continue
        wanted = joint == ";" or (joint == "&&") is (ran.code == 0)
        if statement and wanted and not ran.ended and not _run(statement, ran):
            return None
        statement, joint = [], word
    return ran


def _run(words: list[str], ran: Ran) -> bool:
    to_error = words[-2:] == [">&", "2"]
    if to_error:
        words = words[:-2]
    if not words or any(set(word) <= set("&|<>()`$") for word in words):
        return False
    name, args = words[0].rpartition("/")[2], words[1:]
    if name == "echo":
        if to_error:
            ran.stderr += " ".join(args) + "\n"
        else:
            ran.stdout += " ".join(args) + "\n"
    elif name == "exit" and all(word.isdigit() for word in args):
        ran.code, ran.ended = int(args[0]) if args else ran.code, True
        return True
    elif name == "sleep" and len(args) == 1 and args[0].replace(".", "", 1).isdigit():
        ran.seconds += float(args[0])
    elif name not in {"true", ":", "false"}:
        return False
    ran.code = 1 if name == "false" else 0
    return True
