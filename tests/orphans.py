"""T13, the orphan hunt: after a test no runner and no tool of an attempt is left among this test run's processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autorke.worker.process import MARKER, pid_start

RUN = "AUTORKE_TEST_RUN"
os.environ.setdefault(RUN, f"{os.getpid()}.{time.time_ns()}")
"""Every process that this test run starts has it in its environment: other runs on the machine are not ours."""
PATIENCE_S = 60.0


def environ_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def ours(mark: str) -> list[int]:
    """Processes that have this text in their environment, this one left out."""
    wanted, me = mark.encode(), os.getpid()
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if pid != me and wanted in environ_of(pid)]


def is_tool(pid: int) -> bool:
    return f"{MARKER}=".encode() in environ_of(pid)


def is_runner(pid: int) -> bool:
    """It leads a session and the test has not started it: its launcher or worker has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return stat[0] != "Z" and os.getsid(pid) == pid and int(stat[1]) != os.getpid()
    except OSError:
        return False


def orphans(mark: str | None = None) -> list[int]:
    """Runners and tools that are there, of this test run or of whatever has `mark` in its environment."""
    return [pid for pid in ours(mark or f"{RUN}={os.environ[RUN]}") if is_tool(pid) or is_runner(pid)]


def _born() -> set[tuple[int, int | None]]:
    """Orphans with the moments at which they began: a number alone may be another process by then."""
    return {(pid, pid_start(pid)) for pid in orphans()}


@pytest.fixture(autouse=True)
def no_orphans() -> Iterator[None]:
    """What runs to its end by itself may do so; what is left then is ended, and the test has failed. What was there
    before it (a package whose stack has just ended) is none of its."""
    before = _born()
    yield
    deadline = time.monotonic() + PATIENCE_S
    while (left := _born() - before) and time.monotonic() < deadline:
        time.sleep(0.1)
    said = {pid: words for pid, _ in left if (words := _ended(pid))}
    assert not said, f"left behind (T13): {said}"


def _ended(pid: int) -> str:
    """The command line of a process that is ended now, empty if it has just ended by itself."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return ""
    return words
