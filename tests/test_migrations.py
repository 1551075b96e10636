"""Migrations: equal to the models, and up and down one by one, on an empty database and on one with rows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.engine import URL

from autorke.core.db import Base
from migrations.models import MODELS
from tests.databases import ROOT, Template, alembic_config
from tests.filled import count, fill

OBJECTS = {
    "checks": """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
                 WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'
                 ORDER BY 1, 2""",
    "indexes": """SELECT tablename, indexname, indexdef FROM pg_indexes
                  WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1, 2""",
    "triggers": """SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
                   WHERE NOT tgisinternal ORDER BY 1, 2""",
    "functions": """SELECT proname, prosrc FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
                    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND deptype = 'e') ORDER BY 1""",
    "columns": """SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity
                  FROM information_schema.columns
                  WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY 1, 2""",
}


@pytest.fixture
def empty(database_template: Template) -> Iterator[URL]:
    with database_template.empty() as url:
        yield url


@pytest.fixture
def config(empty: URL) -> Config:
    return alembic_config(empty)


@pytest.fixture
def plain_engine(empty: URL) -> Iterator[Engine]:
    engine = create_engine(empty, poolclass=NullPool)
    yield engine
    engine.dispose()


def revisions(config: Config) -> list[str]:
    """Oldest first; there is one line of them."""
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    return found[::-1]


def objects(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    return {kind: [tuple(row) for row in connection.execute(text(query))] for kind, query in OBJECTS.items()}


def test_no_slice_is_forgotten() -> None:
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "autorke").rglob("models.py")}
    assert {module.__name__.replace(".", "/") + ".py" for module in MODELS} == files


def test_there_is_one_line_of_revisions(config: Config) -> None:
    script = ScriptDirectory.from_config(config)
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1


def test_models_and_migrations_are_equal(config: Config) -> None:
    command.upgrade(config, "head")
    command.check(config)


@pytest.mark.parametrize("kind", OBJECTS)
def test_a_migrated_database_has_exactly_what_the_models_make(
    kind: str, config: Config, plain_engine: Engine, database_template: Template
) -> None:
    """Autogenerate does not see triggers, functions, CHECKs and the predicates of partial indexes."""
    command.upgrade(config, "head")
    with plain_engine.connect() as connection:
        migrated = objects(connection)[kind]
    with database_template.empty() as other:
        engine = create_engine(other, poolclass=NullPool)
        Base.metadata.create_all(engine)
        with engine.connect() as connection:
            modelled = objects(connection)[kind]
    assert migrated == modelled


def test_up_and_down_on_an_empty_database(config: Config, plain_engine: Engine) -> None:
    for revision in revisions(config):
        command.upgrade(config, revision)
        command.downgrade(config, "-1")
        command.upgrade(config, revision)
    for _ in revisions(config):
        command.downgrade(config, "-1")
    with plain_engine.connect() as connection:
        left = objects(connection)
    assert left == {kind: [] for kind in OBJECTS}


def test_up_and_down_on_a_filled_database(config: Config, plain_engine: Engine) -> None:
    """Every table holds a row when the next migration runs over it; no step up loses one."""
    before: dict[str, int] = {}
    for revision in revisions(config):
        command.upgrade(config, revision)
        with plain_engine.begin() as connection:
            after = count(connection)
            assert {name: after[name] for name in before if name in after} == before
            before = fill(connection)
            assert set(before.values()) == {1}
    for _ in revisions(config):
        command.downgrade(config, "-1")
    command.upgrade(config, "head")
    with plain_engine.begin() as connection:
        assert set(fill(connection).values()) == {1}


def test_chunks_of_logs_from_before_get_the_step_of_their_attempt(config: Config, plain_engine: Engine) -> None:
    command.upgrade(config, "7d82d6b28d67")
    with plain_engine.begin() as connection:
        fill(connection)
    command.upgrade(config, "head")
    with plain_engine.begin() as connection:
        steps = connection.execute(text("select c.step_id, s.id from log_chunk c, step s")).all()
    assert [step == own for step, own in steps] == [True]


LOGS_WITHOUT_LINES, LOGS_WITH_LINES = "ef456e8a4f56", "c9e84a2d3990"


def test_logs_from_before_the_line_index_get_it(config: Config, plain_engine: Engine) -> None:
    """Chunks that end anywhere, two streams, one of them closed without a line end: as if they were written today."""
    command.upgrade(config, LOGS_WITHOUT_LINES)
    pieces = (b"ok: one\nok: t", b"wo\nfai", b"led: three\n", b"ok: f", b"our")
    with plain_engine.begin() as connection:
        fill(connection)
        connection.execute(text("delete from log_chunk"))
        connection.execute(text("update log_stream set closed_at = now()"))
        insert = text(
            "insert into log_chunk (stream_id, seq, byte_off, data) select id, :seq, :off, :data from log_stream"
        )
        for seq, piece in enumerate(pieces):
            connection.execute(insert, {"seq": seq, "off": sum(map(len, pieces[:seq])), "data": piece})
    command.upgrade(config, LOGS_WITH_LINES)
    with plain_engine.begin() as connection:
        rows = connection.execute(text("select first_line, lines, batch, ticket_id from log_chunk order by seq")).all()
        stream = connection.execute(text("select lines, first_error_line from log_stream")).one()
        ticket = connection.execute(text("select id from ticket")).scalar_one()
        following = connection.execute(text("select nextval('log_batch_seq')")).scalar_one()
    assert [(row.first_line, row.lines) for row in rows] == [(1, 1), (2, 1), (3, 1), (4, 0), (4, 0)]
    assert [row.batch for row in rows] == [1, 2, 3, 4, 5]
    assert {row.ticket_id for row in rows} == {ticket}
    assert following == 6
    assert tuple(stream) == (4, 3)
    command.downgrade(config, LOGS_WITHOUT_LINES)
    with plain_engine.begin() as connection:
        assert connection.execute(
            text("select string_agg(data, '' order by seq) from log_chunk")
        ).scalar_one() == b"".join(pieces)
