"""The described api, walked through as each role: nothing breaks, answers are as described, nobody does what he may
not. `./run bench security` walks for longer and under other seeds."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api import Api, secret_key  # noqa: F401
from tests.api import api as api
from tests.security.twoclusters import build, rows
from tests.security.walk import WHO, Walk, walk
from tests.test_roles import ACCESS
from tests.workflow.conftest import desk, world  # noqa: F401

READERS = ("anonymous", "viewer", "auditor", "network-admin")
"""They may change nothing but what is their own."""
OWN = {"saved_view", "ticket_seen", "ticket_watch", "user_account", "role_binding", "audit_entry", "login_attempt"}
"""Tables with one's own views and notes; the accounts of the callers; the record of who asked."""
SEED = 20


@pytest.mark.timeout(900)
def test_no_role_breaks_the_api_or_does_what_it_may_not(api: Api, desk: Any) -> None:  # noqa: F811
    build(api, desk)
    walks: list[Walk] = []
    for who in WHO:
        before = rows()
        walks.append(walk(api, who, seed=SEED, requests=40))
        changed = {name for name, row in rows().items() if row != before[name]}
        assert who not in READERS or changed <= OWN, (who, changed - OWN)
    problems = sorted(f"{it.who}: {problem}" for it in walks for problem in it.failures)
    assert not problems, "\n\n".join(problems[:5])
    assert all(it.requests >= 30 for it in walks), [(it.who, it.requests) for it in walks]
    assert set().union(*(it.operations for it in walks)) == set(ACCESS)
    assert sum(len(it.succeeded) for it in walks) > 20


def test_a_walk_would_notice(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A route that lets everybody in, and one that breaks."""
    monkeypatch.setattr("autorke.users.routes.describe", lambda *_: 1 // 0)
    monkeypatch.setitem(walk.__globals__["ACCESS"], "GET /api/v1/roles", "everywhere admin")
    found = walk(api, "viewer", seed=SEED, requests=60)
    said = {problem.split(":")[0] for problem in found.failures}
    assert "GET /api/v1/me" in said
    assert "GET /api/v1/roles" in said
