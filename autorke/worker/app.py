"""What `celery -A autorke.worker.app worker` loads: the queue, its tasks, the flows, and fork-safe connections."""

from __future__ import annotations

import gc
import logging
from typing import Any

from celery.signals import setup_logging, worker_init, worker_process_init

from autorke.core import db, events, logs
from autorke.core.queue import CANARY, app
from autorke.core.settings import get_settings
from autorke.flows.wiring import wire
from autorke.worker import tasks

__all__ = ["app", "tasks"]

wire()
app.conf.worker_consumer = "autorke.worker.consumer:Consumer"


@setup_logging.connect  # type: ignore[untyped-decorator]
def _setup_logging(**_: Any) -> None:
    logs.setup()
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).addFilter(_no_canary)


def _no_canary(record: logging.LogRecord) -> bool:
    """A canary comes every few seconds; only one that fails is worth a line."""
    about = getattr(record, "data", None)
    return record.levelno > logging.INFO or not (isinstance(about, dict) and about.get("name") == CANARY)


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
