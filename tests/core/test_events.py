"""Wake-ups cost nothing when the broker is well, and little when it hangs without closing anything."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from autorke.core import events, queue
from autorke.core.settings import get_settings


@pytest.fixture
def black_hole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A broker that takes connections and never says a word."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "hole.sock"))
        server.listen(64)
        monkeypatch.setenv("AUTORKE_REDIS_URL", f"unix://{tmp_path / 'hole.sock'}")
        get_settings.cache_clear()
        events.forget()
        yield server
    events.forget()
    get_settings.cache_clear()


def test_a_broker_that_hangs_is_asked_once_by_a_request_not_for_every_wake_up(
    black_hole: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = events._ask

    def counted(question: Callable[[redis.Redis], object], what: str) -> bool:
        return real(lambda broker: (asked.append(what), question(broker)), what)

    monkeypatch.setattr(events, "_ask", counted)
    monkeypatch.setattr(events, "QUIET_S", 3600.0)
    for number in range(5):
        events.publish("ticket:1", str(number))
    assert queue.hint(queue.LAUNCH, "an-id") is False
    assert asked == ["ticket:1"]


def test_it_is_asked_again_after_a_while(configured_redis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    events.forget()
    assert events.answers()
    events._silent["until"] = time.monotonic() + 60
    assert not events.answers()
    events._silent["until"] = time.monotonic() - 1
    assert events.answers()
