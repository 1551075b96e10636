"""`python -m autorke migrate | admin | openapi`: exit codes, and what goes to which stream."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import NullPool, create_engine, inspect

from tests.databases import ROOT, Template, text


def run(command: str, url: str | None = None) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AUTORKE_")}
    if url:
        environ["AUTORKE_DATABASE_URL"] = url
    return subprocess.run(
        [sys.executable, "-m", "autorke", command], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=220
    )


@pytest.fixture
def empty_url(database_template: Template) -> Iterator[str]:
    with database_template.empty() as url:
        yield text(url)


def test_migrate_makes_the_schema_and_may_be_repeated(empty_url: str) -> None:
    assert run("migrate", empty_url).returncode == 0
    assert run("migrate", empty_url).returncode == 0
    engine = create_engine(empty_url, poolclass=NullPool)
    assert {"machine", "ticket", "event", "alembic_version"} <= set(inspect(engine).get_table_names())


def test_admin_prints_a_password_once(db_url: str) -> None:
    first = run("admin", db_url)
    assert first.returncode == 0
    assert len(first.stdout.strip()) >= 16
    second = run("admin", db_url)
    assert (second.returncode, second.stdout) == (1, "")
    assert "there are users already" in second.stderr


@pytest.mark.parametrize("command", ["migrate", "admin"])
def test_without_a_database_they_say_which_setting_is_missing(command: str) -> None:
    done = run(command)
    assert done.returncode == 2
    assert "AUTORKE_DATABASE_URL is not set" in done.stderr


def test_openapi_is_one_json_document() -> None:
    done = run("openapi")
    assert done.returncode == 0, done.stderr
    assert "/api/v1/tickets" in json.loads(done.stdout)["paths"]


def test_an_unknown_command_is_wrong_usage() -> None:
    assert run("fly").returncode == 2
