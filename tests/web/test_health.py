from __future__ import annotations

import pytest
from sqlalchemy import create_engine

from autorke.core import db
from autorke.core.settings import get_settings
from tests.api import V1, Api


def test_health_without_a_broker(api: Api) -> None:
    assert api.anonymous.get(f"{V1}/health").json() == {
        "status": "ok",
        "database": "ok",
        "broker": "off",
        "stuck": 0,
    }


def test_health_with_a_broker(api: Api, configured_redis: str) -> None:
    assert api.anonymous.get(f"{V1}/health").json()["broker"] == "ok"


def test_a_broker_that_is_down_does_not_stop_the_api(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTORKE_REDIS_URL", "redis://127.0.0.1:1/0")
    get_settings.cache_clear()
    answer = api.anonymous.get(f"{V1}/health")
    assert (answer.status_code, answer.json()["broker"]) == (200, "down")


def test_a_database_that_is_down_is_a_503(api: Api) -> None:
    db.configure(create_engine("postgresql+psycopg://nobody:hunter2@127.0.0.1:1/none"))
    answer = api.anonymous.get(f"{V1}/health")
    assert (answer.status_code, answer.json()["database"], answer.json()["stuck"]) == (503, "down", None)
    assert "hunter2" not in answer.text
