"""What `celery -A autorke.worker.app worker` loads: the queue, its tasks, the flows, and fork-safe connections."""

from __future__ import annotations

import gc
from typing import Any

from celery.signals import setup_logging, worker_init, worker_process_init

from autorke.core import db, events, logs
from autorke.core.queue import app
from autorke.core.settings import get_settings
from autorke.flows.wiring import wire
from autorke.worker import tasks

__all__ = ["app", "tasks"]

wire()


@setup_logging.connect  # type: ignore[untyped-decorator]
def _setup_logging(**_: Any) -> None:
    logs.setup()


@worker_init.connect  # type: ignore[untyped-decorator]
def _share_memory(**_: Any) -> None:
    """What is loaded before the fork stays shared with the pool: their garbage collection does not touch it."""
    gc.collect()
    gc.freeze()


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _fresh_connections(**_: Any) -> None:
    """A forked child must not share its parent's database and broker connections (engine.md §1 row 22)."""
    url = get_settings().database_url
    if url is not None:
        db.configure(db.make_engine(url.get_secret_value(), pool_size=2))
    events.forget()
