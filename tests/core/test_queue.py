"""Celery carries hints: its settings are those that make every trap of engine.md §1 harmless."""

from __future__ import annotations

from typing import Any

import pytest

from autorke.core import events, queue
from autorke.core.settings import get_settings

EXPECTED: dict[str, Any] = {
    "task_acks_late": False,
    "task_reject_on_worker_lost": None,
    "task_ignore_result": True,
    "result_backend": None,
    "worker_prefetch_multiplier": 1,
    "task_time_limit": 60,
    "task_soft_time_limit": None,
    "task_serializer": "json",
    "accept_content": ["json"],
    "worker_soft_shutdown_timeout": 10,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_send_task_events": False,
    "worker_enable_remote_control": False,
    "worker_hijack_root_logger": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "task_publish_retry": False,
}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_setting(name: str) -> None:
    assert queue.make_app().conf[name] == EXPECTED[name]


def test_the_broker_is_ours_alone_and_checked() -> None:
    options = queue.make_app().conf.broker_transport_options
    assert options["global_keyprefix"] == "autorke:"
    assert options["socket_keepalive"] is True
    assert options["health_check_interval"] == 15
    assert 0 < options["socket_connect_timeout"] <= 5  # an approval waits no longer for a dead broker


def test_a_broker_that_is_away_costs_seconds_and_no_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    """A committed request does not fail because its hint could not be sent."""
    monkeypatch.setenv("AUTORKE_REDIS_URL", "redis://127.0.0.1:9/0")
    get_settings.cache_clear()
    events.forget()
    try:
        monkeypatch.setattr(queue, "app", queue.make_app())
        assert queue.hint(queue.LAUNCH, "an-id") is False
    finally:
        events.forget()
        get_settings.cache_clear()


def test_a_unix_socket_url_becomes_celerys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTORKE_REDIS_URL", "unix:///run/x.sock?db=1")
    get_settings.cache_clear()
    try:
        assert queue._broker_url() == "redis+socket:///run/x.sock?db=1"
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
