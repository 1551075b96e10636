"""The two loops of a worker host: the reconciler's passes, and the schedules such as the CMDB sync."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from autorke.core import queue
from autorke.core.db import transaction
from autorke.core.settings import get_settings
from autorke.flows import schedules as flow_schedules
from autorke.stuck.hosts import HostWatch, Means, note_failure
from autorke.worker import begun, process, rundir
from autorke.workflow import safemode
from autorke.workflow.definition import handlers
from autorke.workflow.line import current_line
from autorke.workflow.models import Runner
from autorke.workflow.reconcile import Host, reconcile

log = logging.getLogger(__name__)


def this_host() -> Host:
    return Host(process.runner_id(), process.boot_id(), process.death_of, note_failure)


def _means() -> Means:
    from autorke.worker.tasks import launch  # which asks the launcher, whose module imports this one

    return Means(process.marked, process.lives, process.end, launch, queue.canary)


def report(host: Host, run_dir: Path) -> None:
    """Say that this host lives, which boot it is, what it can run; after a failover also what it has begun."""
    values = {"boot_id": host.boot_id, "version": version("autorke"), "handlers": handlers()}
    with transaction() as session:
        row = session.get(Runner, host.runner_id, with_for_update=True)
        rebooted = row is not None and row.boot_id != host.boot_id
        statement = insert(Runner).values(id=host.runner_id, host=host.runner_id, drain=False, **values)
        statement = statement.on_conflict_do_update(
            index_elements=[Runner.id], set_={**values, "last_seen": func.clock_timestamp()}
        )
        session.execute(statement)
        row = session.get_one(Runner, host.runner_id, populate_existing=True)
        if row.line != current_line(session):
            safemode.account(session, row, begun.noted(run_dir), rebooted=rebooted and row.line is not None)


def reconciler() -> None:
    """Pass after pass; an unreachable database only delays the next one."""
    settings, host = get_settings(), this_host()
    watch = HostWatch(settings, host.runner_id, host.boot_id, _means())
    while True:
        try:
            report(host, settings.run_dir)
            done = reconcile(settings, host)
            if done:
                log.info("reconciled", extra={"done": done})
            watch.after_pass()
        except SQLAlchemyError as error:
            log.warning("reconciler waits for the database", extra={"error": type(error).__name__})
        time.sleep(settings.reconcile_every.total_seconds())


def schedules() -> None:
    """Run whatever is due, one after another; each schedule guards itself against a second host."""
    folder = get_settings().run_dir
    due: dict[str, Callable[[], object]] = {
        "run directories": partial(rundir.sweep, folder),
        "notes of begun runs": partial(begun.sweep, folder),
    }
    due.update(flow_schedules.SCHEDULES)
    while True:
        for name, run_due in due.items():
            try:
                run_due()
            except Exception:
                log.exception("schedule failed", extra={"schedule": name})
        time.sleep(5)
