"""Who a process is: pids are reused, so an identity is (host, boot, pid, start time); and how its end is proven."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any
from uuid import UUID

from autorke.workflow.attempts import Process
from autorke.workflow.models import Attempt

MARKER = "AUTORKE_ATTEMPT"


def boot_id() -> str:
    """Changes with every boot of this host."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def runner_id() -> str:
    """This worker host's name; `AUTORKE_RUNNER_ID` overrides it where several run on one machine."""
    return os.environ.get("AUTORKE_RUNNER_ID") or socket.gethostname()


def pid_start(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot, None when there is none (or only a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])


def me() -> Process:
    return Process(runner_id(), boot_id(), os.getpid(), pid_start(os.getpid()) or 0)


def tools_of(attempt_id: str) -> list[int]:
    """Processes on this host that carry the attempt's marker in their environment, this one left out."""
    wanted = f"{MARKER}={attempt_id}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in environment:
            found.append(int(entry.name))
    return found


def marked() -> set[str]:
    """Attempts of which a tool is there, by the markers of all processes on this host."""
    start = f"{MARKER}=".encode()
    found: set[str] = set()
    for entry in Path("/proc").iterdir():
        try:
            environment = (entry / "environ").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        found.update(it.removeprefix(start).decode(errors="replace") for it in environment if it.startswith(start))
    return {attempt_id for attempt_id in found if _is_id(attempt_id)}


def _is_id(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


def lives(attempt: Attempt) -> bool:
    """Is the runner of this attempt a process of this host and boot at this moment?"""
    return attempt.pid is not None and pid_start(attempt.pid) == attempt.pid_start


def end(attempt: Attempt) -> None:
    """End the runner of an attempt, which is one of this host and boot, and its tools."""
    if attempt.pid is not None and lives(attempt):
        os.kill(attempt.pid, signal.SIGKILL)
    kill_tools(str(attempt.id))


def kill_tools(attempt_id: str) -> None:
    """End what an attempt has started; used by a runner that has lost its attempt."""
    for pid in tools_of(attempt_id):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def death_of(attempt: Attempt) -> dict[str, Any] | None:
    """Proof that an attempt of this host and boot has ended: neither its runner nor any tool of it is there."""
    if lives(attempt) or tools_of(str(attempt.id)):
        return None
    return {"how": "no process of the attempt is left on its host", "host": runner_id(), "pid": attempt.pid}
