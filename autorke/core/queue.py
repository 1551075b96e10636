"""The Celery application. A message is a hint that carries one id; Postgres decides (engine.md §0, §1)."""

from __future__ import annotations

import logging

from celery import Celery
from sqlalchemy.orm import Session

from autorke.core import events
from autorke.core.db import after_commit
from autorke.core.settings import get_settings

log = logging.getLogger(__name__)

LAUNCH = "autorke.launch"
RECONCILE = "autorke.reconcile"
CANARY = "autorke.canary"
"""A hint that only shows that hints are taken (engine.md §1 row 17)."""


def _broker_url() -> str:
    url = get_settings().redis_url
    if url is None:
        return "memory://"
    text = url.get_secret_value()
    return text.replace("unix://", "redis+socket://", 1) if text.startswith("unix://") else text


def make_app() -> Celery:
    """Settings follow engine.md §1: early ack, no result backend, no remote control, no long tasks."""
    app = Celery("autorke", broker=_broker_url())
    app.conf.update(
        task_acks_late=False,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        task_time_limit=60,
        task_serializer="json",
        accept_content=["json"],
        broker_transport_options={
            "visibility_timeout": 3600,
            "global_keyprefix": "autorke:",
            "socket_keepalive": True,
            "health_check_interval": 15,
            "socket_timeout": 10,
            "socket_connect_timeout": 3,
        },
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=3,
        broker_connection_max_retries=None,
        worker_soft_shutdown_timeout=10,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_max_tasks_per_child=1000,
        task_publish_retry=False,
        task_default_queue="launch",
    )
    return app


app = make_app()


def warm_up() -> None:
    """Load what the first message of a process needs (0.08 s); opens no connection. Forked children then have it."""
    app.finalize()
    with app.connection_for_write() as link:
        link.transport  # noqa: B018  importing it is what is wanted
    for part in (app, "backend"), (app.amqp, "send_task_message"), (app.events, "Dispatcher"):
        getattr(*part)


def hint(task: str, key: str) -> bool:
    """Publish one hint; False (logged) when the broker cannot take it: the outbox sends it again."""
    return _send(task, key)


def canary() -> None:
    """Publish a hint that means nothing; one that nobody has taken for a while is thrown away."""
    _send(CANARY, expires=30)


def _send(task: str, *args: str, **options: int) -> bool:
    if not events.answers():
        return False
    try:
        app.send_task(task, args=list(args), retry=False, ignore_result=True, **options)
    except Exception as error:  # kombu raises many kinds; none of them may fail a committed request
        log.warning("hint not sent", extra={"task": task, "error": type(error).__name__})
        return False
    return True


def send_after_commit(session: Session, task: str, key: str) -> None:
    """Publish a hint once this transaction is durable; ids only, never values."""
    after_commit(session, lambda: (hint(task, key), None)[1])
