"""A host's own note of each run that it has begun, written before the intent is committed.

Should the database fail over and forget that commit, the host still knows (`workflow.safemode`). The notes lie in
memory: they end with the boot, and so does every process of theirs.
"""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import asdict
from pathlib import Path
from uuid import UUID

from autorke.worker import process
from autorke.workflow.attempts import Claim
from autorke.workflow.safemode import Begun

log = logging.getLogger(__name__)
FOLDER = "autorke-begun"
KEPT_S = 7 * 86400.0
"""A backup may be restored to a point days ago."""


def note(run_dir: Path, held: Claim, plan_id: UUID | None, node_ids: list[str]) -> None:
    """Say that this process is about to begin a run. Raises OSError: what cannot be noted must not begin."""
    folder = run_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    me = process.me()
    values = Begun(
        attempt_id=held.attempt_id,
        token=held.token,
        ticket_id=held.ticket_id,
        step_id=held.step_id,
        plan_id=plan_id,
        node_ids=node_ids,
        boot_id=me.boot_id,
        pid=me.pid,
        pid_start=me.pid_start,
    )
    unfinished = folder / f".{held.attempt_id}"
    unfinished.write_text(json.dumps(asdict(values), default=str))
    unfinished.rename(folder / str(held.attempt_id))


def forget(run_dir: Path, held: Claim) -> None:
    """It was given up before its intent."""
    (run_dir / FOLDER / str(held.attempt_id)).unlink(missing_ok=True)


def noted(run_dir: Path) -> list[Begun]:
    """Every run that this boot of the host has begun in the last days; a note of somebody else is not believed."""
    found = []
    for path in sorted((run_dir / FOLDER).glob("[!.]*")):
        try:
            if path.lstat().st_uid != os.geteuid():
                continue
            said = json.loads(path.read_text())
            said |= {key: UUID(said[key]) for key in ("attempt_id", "ticket_id", "step_id", "plan_id") if said[key]}
            found.append(Begun(**said))
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            log.warning("a note of a begun run cannot be read", extra={"note": path.name})
    return found


def sweep(run_dir: Path) -> int:
    """Remove notes that nobody will ask for any more; returns how many."""
    removed = 0
    for path in (run_dir / FOLDER).glob("*"):
        try:
            if path.lstat().st_mtime < time.time() - KEPT_S:
                path.unlink()
                removed += 1
        except FileNotFoundError:
            continue
    return removed
