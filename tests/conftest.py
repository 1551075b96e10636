"""Fixtures for everybody: a real PostgreSQL and a real Valkey, started once; a fresh database for each test.

`AUTORKE_TEST_DATABASE_URL` and `AUTORKE_TEST_REDIS_URL` switch to outside servers; that database user must be allowed
to create databases, that Redis database is emptied before each test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import redis
from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from autorke.core import db, events
from autorke.core.settings import get_settings
from autorke.embedded import throwaway
from tests.databases import Template, text


@pytest.fixture(scope="session")
def database_template() -> Iterator[Template]:
    outside = os.environ.get("AUTORKE_TEST_DATABASE_URL")
    if outside:
        template = Template(make_url(outside))
        yield template
        template.close()
        return
    with throwaway.postgres() as url:
        template = Template(url)
        yield template
        template.close()


@pytest.fixture
def db_url(database_template: Template) -> Iterator[str]:
    """SQLAlchemy URL of a migrated database that only this test sees."""
    with database_template.clone() as url:
        yield text(url)


@pytest.fixture
def engine(db_url: str) -> Iterator[Engine]:
    engine = db.make_engine(db_url)
    yield engine
    engine.dispose()


@pytest.fixture
def configured_db(engine: Engine, db_url: str) -> Iterator[Engine]:
    """`core.db` and the settings (also those of child processes) point at this test's database."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AUTORKE_DATABASE_URL", db_url)
        get_settings.cache_clear()
        db.configure(engine)
        yield engine
        db._state.clear()
    get_settings.cache_clear()


@pytest.fixture
def session(configured_db: Engine) -> Iterator[Session]:
    """An open session; a test that wants others to see its rows commits."""
    session = db.new_session()
    yield session
    session.close()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    outside = os.environ.get("AUTORKE_TEST_REDIS_URL")
    if outside:
        yield outside
        return
    with throwaway.valkey() as url:
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """URL of an empty Redis (redis-py's form; `core.queue` derives Celery's)."""
    with redis.Redis.from_url(redis_server, socket_timeout=5) as client:
        client.flushdb()
    return redis_server


@pytest.fixture
def configured_redis(redis_url: str) -> Iterator[str]:
    """Wake-ups (`core.events`) and child processes use this test's Redis."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AUTORKE_REDIS_URL", redis_url)
        get_settings.cache_clear()
        events._state.clear()
        yield redis_url
        client = events._state.pop("client", None)
        if client is not None:
            client.close()
    get_settings.cache_clear()
