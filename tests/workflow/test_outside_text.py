"""Whatever machines print, a result is stored, readable and without secrets."""

from __future__ import annotations

import math

from sqlalchemy import select

from autorke.core.db import transaction
from autorke.core.errors import Text
from autorke.workflow.definition import Outcome, Problem
from autorke.workflow.models import PlanRow
from autorke.workflow.states import NodeState
from tests.workflow.conftest import Desk
from tests.workflow.toy import World

HOSTILE = {"nul": "a\0b", "surrogate": "\ud800", "nan": math.nan, "list": [math.inf, "\0"], "k\0": 1}


def test_text_that_postgres_refuses_does_not_lose_a_result(desk: Desk, world: World) -> None:
    world.state = {"versions": ("1.0", 2), 7: 1.5, "ratio": 0.1, **HOSTILE}
    world.behave["change:a"] = lambda: Outcome(NodeState.SUCCEEDED, "a\0\ud800", dict(HOSTILE), {"code": "\0"})
    ticket = desk.submit()
    assert desk.finish(ticket) == "SUCCEEDED"
    assert "plan.drifted" not in [e.kind for e in desk.events(ticket)]


def test_findings_and_fingerprints_are_masked_like_plans(desk: Desk, world: World) -> None:
    secret = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"
    seen = Text(zh=f"看到 {secret}", en=f"saw {secret}")
    world.state = {"key": secret}
    world.problems = [Problem("leak", seen, seen, blocking=False)]
    ticket = desk.submit()
    assert desk.finish(ticket) == "SUCCEEDED"  # the observed state is masked too, or it would have drifted
    with transaction() as session:
        rows = session.execute(select(PlanRow)).scalars().all()
        assert rows
        assert not [row for row in rows if "MIIEow" in str([row.body, row.fingerprint, row.problems])]
