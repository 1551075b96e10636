"""Wake-ups over Redis: a hint that something changed, never the truth. Losing all of them costs only latency."""

from __future__ import annotations

import logging

import redis

from autorke.core.settings import get_settings

log = logging.getLogger(__name__)
_state: dict[str, redis.Redis] = {}
PREFIX = "autorke:wake:"


def client() -> redis.Redis | None:
    """The shared Redis client, or None when no broker is configured (unit tests)."""
    url = get_settings().redis_url
    if url is None:
        return None
    if "client" not in _state:
        _state["client"] = redis.Redis.from_url(
            url.get_secret_value(), socket_timeout=2, socket_connect_timeout=2, health_check_interval=15
        )
    return _state["client"]


def publish(channel: str, payload: str) -> None:
    """Tell listeners of `channel` to look at the database; a broker that is down is not an error here."""
    broker = client()
    if broker is None:
        return
    try:
        broker.publish(PREFIX + channel, payload)
    except redis.RedisError as error:
        log.warning("wake-up not sent", extra={"channel": channel, "error": type(error).__name__})


def forget() -> None:
    """Drop the client without closing the parent's socket: the first thing a forked process does."""
    _state.clear()
