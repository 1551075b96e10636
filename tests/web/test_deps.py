"""One transaction per request, ended before the answer leaves."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import text
from sqlalchemy.orm import Session

from autorke.core.db import after_commit
from autorke.core.errors import Conflict
from autorke.web.deps import SessionDep
from tests.api import Api

router = APIRouter()
sent: list[str] = []


@router.post("/note/{value}")
def add_note(value: str, session: SessionDep) -> dict[str, str]:
    session.execute(text("INSERT INTO note VALUES (:value)"), {"value": value})
    after_commit(session, lambda: sent.append(value))
    if value == "refuse":
        raise Conflict(reason="the test says so")
    if value == "break":
        raise ZeroDivisionError
    return {"value": value}


def _prepare(api: Api, session: Session) -> None:
    session.execute(text("CREATE TABLE note (value text UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
    session.commit()
    sent.clear()
    api.app.include_router(router)


def _notes(session: Session) -> list[str]:
    with session.begin():
        return list(session.execute(text("SELECT value FROM note ORDER BY value")).scalars())


def test_the_commit_happens_before_the_response(api: Api, session: Session) -> None:
    """A constraint that only fails at commit must become an error, never a 200 that was not true."""
    _prepare(api, session)
    assert api.anonymous.post("/note/a").status_code == 200
    assert _notes(session) == ["a"]
    answer = api.anonymous.post("/note/a")
    assert answer.status_code == 409
    assert answer.json()["code"] == "already-exists"
    assert _notes(session) == ["a"]
    assert sent == ["a"], "what leaves after the commit leaves only after a commit"


def test_a_refusal_rolls_back(api: Api, session: Session) -> None:
    _prepare(api, session)
    assert api.anonymous.post("/note/refuse").status_code == 409
    assert api.anonymous.post("/note/break").status_code == 500
    assert (_notes(session), sent) == ([], [])
