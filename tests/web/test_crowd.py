"""More requests at once than there are threads and database connections: they take turns, none waits for another."""

from __future__ import annotations

import threading
import time

import pytest

from tests.api import V1, Api, secret_key  # noqa: F401
from tests.api import api as api

CROWD = 120


@pytest.mark.parametrize("path", ["/me", "/tickets"])
def test_a_crowd_is_served(api: Api, path: str) -> None:
    """With a connection held between two threads' work, so many would stand still until the pool gives up (30 s)."""
    viewer = api.caller("viewer")
    answers: list[int] = []

    def ask() -> None:
        answers.append(viewer.get(V1 + path).status_code)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(CROWD)]
    deadline = time.monotonic() + 28
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert answers == [200] * CROWD
