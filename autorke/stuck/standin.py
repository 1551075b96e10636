"""An api process looks at what is stuck too, and stands in for worker hosts where a person has asked for it.

It does what the reconciler and the schedules do and nothing else: it starts no runner and ends no process.
"""

from __future__ import annotations

import logging
import socket
import threading
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from autorke.cmdb import sync
from autorke.core.db import transaction
from autorke.core.settings import Settings
from autorke.stuck.hosts import note_failure
from autorke.stuck.watch import Watcher, asked
from autorke.workflow.models import Attempt
from autorke.workflow.reconcile import Host, reconcile

log = logging.getLogger(__name__)
RECONCILER = frozenset({"no_worker_host", "no_reconciler"})


def _cannot_tell(_attempt: Attempt) -> dict[str, Any] | None:
    """An api process knows nothing of processes on worker hosts, not even of those on its own machine."""
    return None


class StandIn:
    """The thread of an api process that looks and stands in. Off when `stuck_every` is 0."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._host = Host(f"api on {socket.gethostname()}", "", _cannot_tell, note_failure)
        self._watcher = Watcher(settings, self._host.runner_id)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._syncing: threading.Thread | None = None

    def start(self) -> None:
        if self._settings.stuck_every:
            self._thread = threading.Thread(target=self._run, name="stuck", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Begin nothing else; what is under way is a matter of a moment, or of a process that ends."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._stop.wait(self._settings.stuck_every.total_seconds()):
            try:
                self.turn()
            except SQLAlchemyError as error:
                log.warning("stand-in waits for the database", extra={"error": type(error).__name__})
            except Exception:
                log.exception("stand-in failed")

    def turn(self) -> None:
        """Look, then do what was asked for."""
        self._watcher.turn()
        with transaction() as session:
            causes = {order.cause for order in asked(session)}
        if causes & RECONCILER:
            reconcile(self._settings, self._host)
        if "schedule_overdue" in causes and (self._syncing is None or not self._syncing.is_alive()):
            self._syncing = threading.Thread(target=sync.run_due, name="stand-in sync", daemon=True)
            self._syncing.start()
