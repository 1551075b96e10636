"""The fixtures everybody builds on: real servers, fresh for each test, not run by root."""

import os

import psycopg
import pytest
import redis
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from autorke.core import db


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_sees_a_database_of_its_own(session: Session, turn: int) -> None:
    session.execute(text("CREATE TABLE leftover (turn int)"))
    session.commit()
    names = session.execute(text("SELECT count(*) FROM leftover")).scalar_one()
    assert names == 0


def test_core_db_uses_the_configured_database(configured_db: Engine, db_url: str) -> None:
    with db.transaction() as session:
        name = session.execute(text("SELECT current_database()")).scalar_one()
    assert name == make_url(db_url).database


def test_postgres_does_not_run_as_root(db_url: str) -> None:
    with psycopg.connect(db_url.replace("+psycopg", "")) as connection:
        owner = os.stat(f"/proc/{connection.info.backend_pid}").st_uid
    assert owner != 0


def test_redis_starts_empty_and_answers(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("seen", "1")
        assert client.get("seen") == b"1"
