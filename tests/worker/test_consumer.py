"""A worker that has lost its broker tries again steadily, for as long as it takes."""

from __future__ import annotations

import pytest
from celery.exceptions import OperationalError
from kombu import Connection
from kombu.utils import functional

from autorke.core import queue
from autorke.worker.app import app as worker
from autorke.worker.consumer import PAUSE_S, Consumer

TRIES = 20


def test_the_pauses_between_tries_do_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(functional, "sleep", slept.append)
    consumer = object.__new__(Consumer)
    consumer.app, consumer.first_connection_attempt, consumer.broker_connection_retry_attempt = (
        queue.make_app(),
        True,
        0,
    )
    consumer.app.conf.broker_connection_max_retries = TRIES
    with pytest.raises(OperationalError), Connection("redis://127.0.0.1:9/0") as nowhere:
        consumer.ensure_connected(nowhere)
    assert TRIES - 1 <= sum(slept) / PAUSE_S <= TRIES


def test_workers_use_it() -> None:
    assert worker.conf.worker_consumer == f"{Consumer.__module__}:{Consumer.__name__}"
