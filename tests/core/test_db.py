"""What may leave only after the commit leaves then, once, and never for what was rolled back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from autorke.core.db import after_commit, make_engine, new_session, transaction


def recorder(sent: list[str], name: str) -> Callable[[], None]:
    return lambda: sent.append(name)


@pytest.mark.usefixtures("configured_db")
class TestAfterCommit:
    def test_it_runs_after_the_commit_and_once(self) -> None:
        sent: list[str] = []
        with transaction() as session:
            session.execute(text("select 1"))
            after_commit(session, recorder(sent, "a"))
            session.flush()
            assert sent == []
        assert sent == ["a"]

    def test_the_release_of_a_savepoint_is_no_commit(self) -> None:
        sent: list[str] = []
        with transaction() as session:
            with session.begin_nested():
                after_commit(session, recorder(sent, "inner"))
                session.execute(text("select 1"))
            assert sent == []
            after_commit(session, recorder(sent, "outer"))
        assert sent == ["inner", "outer"]

    def test_a_rollback_drops_it_for_good(self) -> None:
        sent: list[str] = []
        session = new_session()
        with pytest.raises(ZeroDivisionError), session.begin():  # noqa: PT012  the block is the transaction
            session.execute(text("select 1"))
            after_commit(session, recorder(sent, "lost"))
            raise ZeroDivisionError
        with session.begin():
            session.execute(text("select 1"))
            after_commit(session, recorder(sent, "kept"))
        session.close()
        assert sent == ["kept"]

    def test_what_the_outer_transaction_wants_survives_the_rollback_of_a_savepoint(self) -> None:
        sent: list[str] = []
        with transaction() as session:
            after_commit(session, recorder(sent, "outer"))
            with pytest.raises(ZeroDivisionError), session.begin_nested():  # noqa: PT012  the block is the transaction
                session.execute(text("select 1"))
                raise ZeroDivisionError
        assert sent == ["outer"]

    def test_a_failing_action_fails_neither_the_commit_nor_the_others(self) -> None:
        sent: list[str] = []
        with transaction() as session:
            session.execute(text("create table kept (n int)"))
            after_commit(session, lambda: [][0])
            after_commit(session, recorder(sent, "b"))
        assert sent == ["b"]
        with transaction() as session:
            assert session.execute(text("select count(*) from kept")).scalar_one() == 0


def test_a_frozen_client_cannot_hold_a_lock_for_long(db_url: str) -> None:
    """engine.md §1 row 26"""
    engine = make_engine(db_url)
    with engine.connect() as link:
        limits = {
            name: link.execute(text(f"show {name}")).scalar_one()
            for name in ("idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout")
        }
    engine.dispose()
    assert limits == {
        "idle_in_transaction_session_timeout": "10s",
        "lock_timeout": "10s",
        "statement_timeout": "1min",
    }
