"""Runners that are gone: how tests make one vanish, and hosts that can or cannot tell."""

from __future__ import annotations

from sqlalchemy import text

from autorke.core.db import transaction
from autorke.worker import process
from autorke.workflow import lifecycle, results
from autorke.workflow.attempts import Claim, Process
from autorke.workflow.reconcile import Host
from tests.workflow.conftest import Desk

BLIND = Host("elsewhere", "another-boot", lambda _attempt: None)
SEEING = Host("here", process.boot_id(), lambda attempt: {"how": "the test says so", "pid": attempt.pid})
GONE = Process("here", process.boot_id(), 1, 1)


def silence() -> None:
    """Every lease has run out, long ago."""
    with transaction() as session:
        session.execute(
            text(
                "update step_attempt set lease_until = clock_timestamp() - interval '2 minutes'"
                " where state in ('CLAIMED', 'RUNNING')"
            )
        )


def claimed(desk: Desk) -> Claim:
    held = desk.claim(desk.ready()[0])
    assert held is not None
    return held


def claim_and_vanish(desk: Desk) -> None:
    """A runner is started and is never heard of, and a host that cannot look for it judges."""
    claimed(desk)
    silence()
    desk.reconcile(BLIND)


def begin_and_vanish(desk: Desk, started: list[str]) -> Claim:
    """A runner commits its intent, starts these nodes, and is never heard of again."""
    held = claimed(desk)
    with transaction() as session:
        assert lifecycle.begin(session, held, GONE, None)
    for node in started:
        with transaction() as session:
            assert results.start(session, held, node, 0)
    silence()
    return held
