"""One remote command: the only place where words become a shell line, and where its output is collected."""

from __future__ import annotations

import math
import shlex
import threading
from collections.abc import Callable, Sequence

import paramiko

OUTPUT_LIMIT = 4 * 1024 * 1024
"""Bytes kept of stdout and of stderr each; the rest is read and dropped, so that the command can end."""

LIMITED = 'if timeout -k 1 9 true >/dev/null 2>&1 </dev/null; then exec timeout -k 1 "$0" "$@"; fi; exec "$@"'
"""Script of a shell whose $0 is a number of seconds: runs its words, and has `timeout` end them and their children.

Closing a channel ends no command: sshd only closes its pipes. A machine without `timeout`, or with one that takes other
options (old busybox), runs the words as they are.
"""

_PIECE = 1 << 16
_SPARE = 3


def seconds_there(timeout: float) -> int:
    """How long a command may run on the machine, so that it has ended, and we know it, before we stop waiting.

    A short wait leaves no time for that: then the machine ends the command soon after we have gone.
    """
    return int(timeout) - _SPARE if timeout >= 2 * _SPARE else max(1, math.ceil(timeout))


def command_line(argv: Sequence[str], *, sudo: bool = False, ask: bool = False, limit: int | None = None) -> bytes:
    """The words as one line for the login shell of the machine, each in quotes. Raises ValueError.

    With `ask`, sudo reads its password from standard input instead of refusing when it wants one. `limit` is for how
    many seconds the machine lets them run, where it can.

    `shlex.quote` leaves harmless words bare, but a bare first word may be an assignment (`A=b`) or a keyword (`if`),
    and zsh expands a bare `=word`: so every word is quoted.
    """
    if not argv or not argv[0]:
        raise ValueError("no command")
    words = ["sudo", *(["-S", "-p", ""] if ask else ["-n"]), "--", *argv] if sudo else list(argv)
    if limit is not None:
        words = ["sh", "-c", LIMITED, str(limit), *words]
    if any("\0" in word for word in words):
        raise ValueError("a word holds a NUL byte")
    try:
        return " ".join(_quoted(word) for word in words).encode()
    except UnicodeEncodeError:
        raise ValueError("a word is not valid Unicode") from None


def _quoted(word: str) -> str:
    quoted = shlex.quote(word)
    return quoted if quoted != word else f"'{word}'"


def converse(channel: paramiko.Channel, stdin: bytes | None) -> tuple[bytes, bytes]:
    """Feed stdin and read both outputs to their end, at the same time: neither side can block the other."""
    stderr = bytearray()
    helpers = [_thread(_drain, channel.recv_stderr, stderr)]
    if stdin:
        helpers.append(_thread(_feed, channel, stdin))
    else:
        _end_of_input(channel)
    stdout = bytearray()
    _drain(channel.recv, stdout)
    for helper in helpers:
        helper.join()
    return bytes(stdout), bytes(stderr)


def _thread(work: Callable[..., None], *args: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=args, daemon=True)
    thread.start()
    return thread


def _drain(receive: Callable[[int], bytes], kept: bytearray) -> None:
    while piece := receive(_PIECE):
        kept += piece[: max(0, OUTPUT_LIMIT - len(kept))]


def _feed(channel: paramiko.Channel, data: bytes) -> None:
    try:
        for start in range(0, len(data), _PIECE):
            channel.sendall(data[start : start + _PIECE])
    except (OSError, EOFError):
        return  # the command ended without reading it all, or the line was cut: its exit code, or none, says so
    _end_of_input(channel)


def _end_of_input(channel: paramiko.Channel) -> None:
    try:
        channel.shutdown_write()
    except (OSError, EOFError):
        return  # closed already: the exit code is asked for next
