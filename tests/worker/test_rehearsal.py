"""What a launcher does before its first fork: it leaves no trace, and a runner finds its statements compiled."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select

from autorke.core import events, queue
from autorke.core.db import Base, transaction
from autorke.worker import process
from autorke.worker.rehearsal import rehearse
from autorke.workflow.models import Ticket
from tests.workflow.conftest import Desk, desk

__all__ = ["desk"]

FEW = 3


def rows() -> dict[str, int]:
    with transaction() as session:
        return {
            name: session.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in Base.metadata.tables.items()
        }


def number(ticket: UUID) -> int:
    with transaction() as session:
        return session.get_one(Ticket, ticket).number


def test_a_rehearsal_leaves_no_row_and_takes_no_ticket_number(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(events, "publish", lambda channel, _payload: told.append(channel))
    monkeypatch.setattr(queue, "hint", lambda *_: told.append("hint"))
    before = rows()
    rehearse(process.me())
    assert (rows(), told) == (before, [])
    first = number(desk.submit())
    rehearse(process.me())
    assert number(desk.submit()) == first + 1


def test_a_runner_finds_its_statements_compiled(desk: Desk, configured_db: Engine) -> None:
    """All but a few that may have come since: without a rehearsal it compiles some thirty."""
    ticket = desk.submit(nodes=["a"])
    rehearse(process.me())
    for _ in range(2):  # the plan, then the run
        (claim,) = [it for it in map(desk.claim, desk.ready()) if it is not None]
        known = set(compiled(configured_db))
        desk.run(claim)
        assert len(set(compiled(configured_db)) - known) <= FEW
        desk.decide(ticket)


def compiled(engine: Engine) -> list[str]:
    return [str(found) for found in engine._compiled_cache.values()]  # type: ignore[union-attr]
