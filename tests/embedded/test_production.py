"""Two URLs make an installation production-like: nothing is started locally, Debian's PostgreSQL 15 and Redis serve."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from autorke.embedded import throwaway
from tests import debian
from tests.databases import text
from tests.embedded.tree import FULL, Tree, up

pytestmark = [pytest.mark.pg15, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    with (
        throwaway.postgres(debian.postgres_binaries()) as database,
        throwaway.valkey(debian.redis_server()) as broker,
    ):
        yield {"AUTORKE_DATABASE_URL": text(database), "AUTORKE_REDIS_URL": broker}


@pytest.fixture(scope="module")
def installation(urls: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    place = tmp_path_factory.mktemp("production")
    with up(place / "data", place / "out", FULL, **urls) as tree:
        tree.wait_for("Ready", 300)
        yield tree


def test_the_servers_are_debians(urls: dict[str, str]) -> None:
    with psycopg.connect(urls["AUTORKE_DATABASE_URL"].replace("+psycopg", "")) as connection:
        assert connection.info.server_version // 10000 == 15
    with redis.Redis.from_url(urls["AUTORKE_REDIS_URL"]) as client:
        assert "valkey_version" not in client.info("server")


def test_no_database_is_started_or_kept_locally(installation: Tree) -> None:
    commands = " ".join(installation.descendants())
    assert "valkey" not in commands
    assert "postgres -D" not in commands
    assert "embedded databases in" not in installation.output
    assert not (installation.data / "databases").exists()


def test_the_schema_is_in_the_outside_database(installation: Tree, urls: dict[str, str]) -> None:
    with psycopg.connect(urls["AUTORKE_DATABASE_URL"].replace("+psycopg", "")) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert tables is not None
    assert tables[0] > 20


def test_api_and_worker_use_them(installation: Tree, urls: dict[str, str]) -> None:
    for words in ("uvicorn", "celery"):
        environ = Path(f"/proc/{installation.pid_of(words)}/environ").read_bytes().decode()
        assert all(f"{name}={url}\0" in environ for name, url in urls.items())
    with redis.Redis.from_url(urls["AUTORKE_REDIS_URL"]) as client:
        connected = {entry["db"] for entry in client.client_list()}
        assert len(client.client_list()) > 1
        assert connected == {"0"}
