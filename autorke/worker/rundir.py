"""The private directory of an attempt, in memory: made by its runner, swept when a killed runner left it behind."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from autorke.worker import process

PREFIX = "autorke-"
OWNER = "attempt"  # names the attempt; locked for as long as its runner lives
ROOM = 1_000_000
"""Bytes: keys, an inventory, Ansible's records of a few machines. Long before, `stuck` tells that it becomes full."""
OURS = re.compile(re.escape(PREFIX) + "[0-9a-f]{12}")


def has_room(parent: Path) -> bool:
    """Can a run keep its private files there? Where it cannot, none may begin: it would fail half-way."""
    try:
        return shutil.disk_usage(parent).free >= ROOM
    except OSError:
        return False


@contextmanager
def private_dir(parent: Path, attempt_id: UUID) -> Iterator[Path]:
    """A directory that only this user can enter, gone when the block ends."""
    path = parent / f"{PREFIX}{attempt_id.hex[-12:]}"  # short: sockets live below it
    path.mkdir(mode=0o700)
    try:
        owner = os.open(path / OWNER, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError:  # no room: without its owner nobody would sweep it
        path.rmdir()
        raise
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(owner, str(attempt_id).encode())
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(owner)


def sweep(parent: Path) -> int:
    """Remove directories whose runner and tools are gone: they may hold keys. Returns how many were removed."""
    removed = 0
    for path in parent.glob(f"{PREFIX}*"):
        if not OURS.fullmatch(path.name):  # other parts of the product keep things there too
            continue
        try:
            left_behind = path.lstat().st_uid == os.geteuid() and path.is_dir() and _abandoned(path)
        except FileNotFoundError:  # its runner has just ended
            continue
        if left_behind:
            shutil.rmtree(path, ignore_errors=True)
            removed += 1
    return removed


def _abandoned(path: Path) -> bool:
    try:
        owner = os.open(path / OWNER, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:  # being made at this moment, or not ours
        return False
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        attempt = os.read(owner, 100).decode()
    except BlockingIOError:
        return False
    finally:
        os.close(owner)
    return bool(attempt) and not process.tools_of(attempt)
