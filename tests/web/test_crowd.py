"""More requests at once than there are threads and database connections: they take turns, none waits for another."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import event

from autorke.core import db
from autorke.web.deps import AT_ONCE
from tests.api import V1, Api, secret_key  # noqa: F401
from tests.api import api as api

CROWD = 120


def test_a_crowd_finds_the_connections_of_the_one_before(api: Api) -> None:
    """A connection made anew for each of many takes seconds on a machine under load, or does not come in time: 503."""
    viewer = api.caller("viewer")
    made: list[object] = []

    def ask() -> None:
        assert viewer.get(f"{V1}/tickets").status_code == 200

    def crowd() -> None:
        threads = [threading.Thread(target=ask, daemon=True) for _ in range(CROWD)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)

    event.listen(db.get_engine(), "connect", lambda *_: made.append(1))
    crowd()
    crowd()
    assert len(made) <= AT_ONCE + 1  # which a sign-in or a page's counts take besides


@pytest.mark.parametrize("path", ["/me", "/tickets"])
def test_a_crowd_is_served(api: Api, path: str) -> None:
    """With a connection held between two threads' work, so many would stand still until the pool gives up: 503."""
    viewer = api.caller("viewer")
    answers: list[int] = []

    def ask() -> None:
        answers.append(viewer.get(V1 + path).status_code)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(CROWD)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert answers == [200] * CROWD
