"""How a worker waits for a broker that is away: by steady tries, so that it is there again when the broker is."""

from __future__ import annotations

from functools import partial
from typing import Any

from celery.worker import consumer

PAUSE_S = 1.0
"""Between two tries. Celery's own pause grows to 30 s: after an outage of a minute nothing would start for ten more."""


class Consumer(consumer.Consumer):  # type: ignore[misc]
    """Named in `worker.app`."""

    def ensure_connected(self, conn: Any) -> Any:
        """Until there is a connection, or the worker is told to stop."""
        patient = partial(conn.ensure_connection, interval_start=PAUSE_S, interval_step=0, interval_max=PAUSE_S)
        conn.ensure_connection = patient
        return super().ensure_connected(conn)
