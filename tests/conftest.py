"""Fixtures for everybody: a real PostgreSQL and a real Valkey, started once; a fresh database for each test.

`AUTORKE_TEST_DATABASE_URL` and `AUTORKE_TEST_REDIS_URL` switch to outside servers; that database user must be allowed
to create databases, that Redis database is emptied before each test.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext

import hypothesis
import pytest
import redis
from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from autorke.core import db, events
from autorke.core.settings import get_settings
from autorke.embedded import throwaway
from autorke.worker import process
from tests import debian, orphans
from tests.databases import Template, text

ON_DEBIAN_TOO = (
    "tests.test_migrations",
    "tests.workflow.test_flow",
    "tests.workflow.test_gates",
    "tests.workflow.test_logstore",
    "tests.machines.test_service",
    "tests.machines.test_search",
    "tests.machines.test_set_routes",
    "tests.overview.test_fleet",
    "tests.overview.test_machine_story",
    "tests.cmdb.test_sync",
)
"""Modules whose tests run twice: on the embedded servers, and on Debian's PostgreSQL 15 and Redis (marker pg15)."""
SERVERS = ("embedded", pytest.param("debian", marks=pytest.mark.pg15))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__ in ON_DEBIAN_TOO and "server" in metafunc.fixturenames:
        metafunc.parametrize("server", SERVERS, indirect=True)


def pytest_configure(config: pytest.Config) -> None:
    """Where tests run in several processes, each hunts the orphans of its own."""
    if hasattr(config, "workerinput"):
        os.environ[orphans.RUN] = f"{os.environ[orphans.RUN]}.{config.workerinput['workerid']}"


# A machine that is busy with something else is no finding. Each run of CI tries the same examples, so that a change is
# blamed for what it broke; a search that asks for more of them gets new ones.
hypothesis.settings.register_profile(
    "patient",
    deadline=None,
    derandomize="AUTORKE_FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("patient")
# Looks by the clock would add statements to those that tests count.
os.environ.setdefault("AUTORKE_STUCK_EVERY", "PT0S")
# A run in the background inherits an ignored SIGINT, and so would every process that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_tool() -> Iterator[None]:
    """Where a test has run an attempt in this process, the children that come later are no tools of it."""
    yield
    os.environ.pop(process.MARKER, None)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> str:
    """Which pair of servers this test talks to: embedded (or an outside one, by URL), or debian."""
    return str(getattr(request, "param", "embedded"))


@pytest.fixture(scope="session")
def embedded_template() -> Iterator[Template]:
    outside = os.environ.get("AUTORKE_TEST_DATABASE_URL")
    with nullcontext(make_url(outside)) if outside else throwaway.postgres() as url, Template(url) as template:
        yield template


@pytest.fixture(scope="session")
def debian_template() -> Iterator[Template]:
    with throwaway.postgres(debian.postgres_binaries()) as url, Template(url) as template:
        yield template


@pytest.fixture
def database_template(server: str, request: pytest.FixtureRequest) -> Template:
    template: Template = request.getfixturevalue(f"{server}_template")
    return template


@pytest.fixture
def db_url(database_template: Template) -> Iterator[str]:
    """SQLAlchemy URL of a migrated database that only this test sees."""
    with database_template.clone() as url:
        yield text(url)


@pytest.fixture
def engine(db_url: str) -> Iterator[Engine]:
    engine = db.make_engine(db_url, frozen_s=200)  # a machine that is busy with something else is no frozen client
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def run_dir() -> Iterator[str]:
    """What runners keep in memory; a short name, for sockets live below it."""
    with tempfile.TemporaryDirectory(prefix="arke-", dir="/dev/shm") as folder:
        yield folder


@pytest.fixture
def configured_db(engine: Engine, db_url: str, run_dir: str) -> Iterator[Engine]:
    """`core.db` and the settings (also those of child processes) point at this test's database."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AUTORKE_DATABASE_URL", db_url)
        environment.setenv("AUTORKE_RUN_DIR", run_dir)
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
def embedded_redis() -> Iterator[str]:
    outside = os.environ.get("AUTORKE_TEST_REDIS_URL")
    with nullcontext(outside) if outside else throwaway.valkey() as url:
        yield url


@pytest.fixture(scope="session")
def debian_redis() -> Iterator[str]:
    with throwaway.valkey(debian.redis_server()) as url:
        yield url


@pytest.fixture
def redis_url(server: str, request: pytest.FixtureRequest) -> str:
    """URL of an empty Redis (redis-py's form; `core.queue` derives Celery's)."""
    url: str = request.getfixturevalue(f"{server}_redis")
    with redis.Redis.from_url(url, socket_timeout=5) as client:
        client.flushdb()
    return url


@pytest.fixture
def configured_redis(redis_url: str) -> Iterator[str]:
    """Wake-ups (`core.events`) and child processes use this test's Redis."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AUTORKE_REDIS_URL", redis_url)
        environment.setattr(events, "TIMEOUT_S", 30.0)  # a machine that is busy with something else is no dead broker
        get_settings.cache_clear()
        events.forget()
        yield redis_url
        client = events._state.pop("client", None)
        if client is not None:
            client.close()
        events.forget()
    get_settings.cache_clear()
