"""Wake-ups over Redis: a hint that something changed, never the truth. Losing all of them costs only latency."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from autorke.core.settings import get_settings

log = logging.getLogger(__name__)
_state: dict[str, redis.Redis] = {}
_silent: dict[str, float] = {}
PREFIX = "autorke:wake:"
TIMEOUT_S = 1.0
QUIET_S = 2.0
"""A broker that has just not answered is not asked again for so long: a request sends several wake-ups and hints, and
one that hangs without closing anything must not hold it up for each."""


def client() -> redis.Redis | None:
    """The shared Redis client, or None when no broker is configured (unit tests)."""
    url = get_settings().redis_url
    if url is None:
        return None
    if "client" not in _state:
        _state["client"] = redis.Redis.from_url(
            url.get_secret_value(),
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            health_check_interval=15,
            retry=Retry(NoBackoff(), 1, (redis.ConnectionError,)),  # a new connection after a restart; no timeout twice
        )
    return _state["client"]


def publish(channel: str, payload: str) -> None:
    """Tell listeners of `channel` to look at the database; a broker that is down is not an error here."""
    _ask(lambda broker: broker.publish(PREFIX + channel, payload), channel)


def answers() -> bool:
    """Whether the broker answers at this moment (or none is configured); asked before anything that may wait longer."""
    return _ask(lambda broker: broker.ping(), "ping")


def _ask(question: Callable[[redis.Redis], object], what: str) -> bool:
    broker = client()
    if broker is None:
        return True
    if time.monotonic() < _silent.get("until", 0.0):
        return False
    try:
        question(broker)
    except redis.RedisError as error:
        _silent["until"] = time.monotonic() + QUIET_S
        log.warning("the broker does not answer", extra={"asked": what, "error": type(error).__name__})
        return False
    return True


def forget() -> None:
    """Drop the client without closing the parent's socket: the first thing a forked process does."""
    _state.clear()
    _silent.clear()
