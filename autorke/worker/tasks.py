"""Celery tasks: a hint comes in, Postgres decides, a runner is started, the task ends."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from uuid import UUID

from autorke.core.db import transaction
from autorke.core.queue import CANARY, LAUNCH, app
from autorke.core.settings import get_settings
from autorke.stuck.hosts import canary_taken
from autorke.worker import process, rundir
from autorke.worker.launcher import request_runner
from autorke.workflow import attempts, lifecycle
from autorke.workflow.attempts import Claim
from autorke.workflow.definition import handlers
from autorke.workflow.journal import lock_ticket
from autorke.workflow.models import Attempt

log = logging.getLogger(__name__)
RUNNER = ["-m", "autorke.worker.runner"]


@app.task(name=LAUNCH)  # type: ignore[untyped-decorator]
def launch(attempt_id: str) -> None:
    """Claim the attempt, if there is anything to claim, and start its runner. A host without room leaves it alone."""
    settings = get_settings()
    if not rundir.has_room(settings.run_dir):
        log.warning("no room in the run directory: claiming nothing", extra={"run_dir": str(settings.run_dir)})
        return
    with transaction() as session:
        held = attempts.claim(
            session,
            UUID(attempt_id),
            runner_id=process.runner_id(),
            boot_id=process.boot_id(),
            handlers=handlers(),
            lease=settings.lease,
        )
    if held is not None:
        start_runner(held)


@app.task(name=CANARY)  # type: ignore[untyped-decorator]
def canary() -> None:
    """Show that hints are taken."""
    canary_taken(process.runner_id())


def start_runner(held: Claim) -> None:
    """By the launcher where one listens, else as a process of its own; a start that fails gives the claim back."""
    path = get_settings().launcher_socket
    try:
        if path is not None:
            try:
                request_runner(path, held.attempt_id, held.token)
                return
            except OSError:
                log.warning("no launcher answers: starting the runner directly")
        subprocess.Popen(
            [sys.executable, *RUNNER, str(held.attempt_id), str(held.token)],
            env={**os.environ, process.MARKER: str(held.attempt_id)},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )
    except OSError:
        log.exception("no runner could be started")
        give_back(held)


def give_back(held: Claim) -> None:
    """Nothing was started: another attempt may be claimed at once. A fenced claim stays as it is."""
    with transaction() as session:
        ticket = lock_ticket(session, held.ticket_id)
        attempt = session.get_one(Attempt, held.attempt_id)
        if attempt.token == held.token and attempt.state == "CLAIMED" and attempt.pid is None:
            lifecycle.lost(session, ticket, attempt, None)
