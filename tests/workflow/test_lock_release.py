"""A lock is taken away by hand only where nothing of its ticket can still act; everything else keeps it for good."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from autorke.core.db import transaction
from autorke.core.errors import NotFound
from autorke.workflow import commands, engine, locks
from autorke.workflow.errors import ReasonNeeded
from autorke.workflow.journal import verify_chain
from autorke.workflow.lock_release import LockStillNeeded, LockTicketOpen, force_release, obstacles
from autorke.workflow.models import Gate, ResourceLock, Ticket
from tests.workflow.conftest import USER, Desk
from tests.workflow.test_locks import held
from tests.workflow.toy import fail
from tests.workflow.vanish import BLIND, SEEING, begin_and_vanish

KEY = ("machine", "a")


def release(key: tuple[str, str] = KEY, *, reason: str = "host is gone", close: bool = True) -> str:
    with transaction() as session:
        return force_release(session, key, by=USER, reason=reason, close_ticket=close).state


def outlive(ticket_id: UUID, key: tuple[str, str] = KEY) -> None:
    """What a restored backup may leave behind: a lock of a ticket that has ended."""
    with transaction() as session:
        session.add(ResourceLock(kind=key[0], key=key[1], ticket_id=ticket_id, fence=1))


def resolved(desk: Desk, ticket: UUID, attempt_id: UUID, *, override: bool) -> None:
    for person in desk.approvers[: 2 if override else 1]:
        with transaction() as session:
            commands.resolve(session, ticket, attempt_id, person, {"a": False}, "seen", override=override)


def test_a_lock_that_outlived_its_ticket_is_released_and_told(desk: Desk) -> None:
    ticket = desk.submit(policy="express")
    assert desk.finish(ticket) == "SUCCEEDED"
    outlive(ticket)
    waiting = desk.submit(nodes=["a"])
    assert desk.state(waiting) == "QUEUED"
    assert release(close=False) == "SUCCEEDED"
    assert held() == {}
    (event,) = [e for e in desk.events(ticket) if e.kind == "lock.released"]
    assert event.body == {"kind": "machine", "key": "a", "reason": "host is gone", "closes": False}
    assert (event.actor_type, event.actor_id) == ("user", "tester")
    with transaction() as session:
        assert verify_chain(session, ticket)
        engine.grant_locks(session)
    assert held() == {KEY: waiting}
    with pytest.raises(NotFound):
        release(("machine", "b"))


def test_an_open_ticket_ends_with_its_lock_and_only_when_that_is_said(desk: Desk, world: Any) -> None:
    world.behave["change:a"] = fail
    ticket = desk.submit(policy="express", locks=["k1"])
    assert desk.finish(ticket) == "ATTENTION"
    with pytest.raises(LockTicketOpen):
        release(close=False)
    assert desk.state(ticket) == "ATTENTION"
    assert release(("cluster", "k1")) == "FAILED"
    assert held() == {}, "all of the ticket's locks are given back"
    assert world.released == [(str(ticket), False)], "and its machines"
    kinds = [event.kind for event in desk.events(ticket)]
    assert kinds[kinds.index("lock.released") :] == ["lock.released", "gate.void", "ticket.ended"]


def test_a_ticket_at_a_gate_ends_with_its_lock_and_its_gate_is_void(desk: Desk) -> None:
    ticket = desk.submit()
    desk.until(ticket, "change", "WAIT_PRE_GATE")
    gates = desk.open_gates(ticket)
    assert gates
    assert release() == "FAILED"
    with transaction() as session:
        assert {session.get_one(Gate, gate_id).state for gate_id in gates} == {"VOID"}
    assert desk.work() == 0, "nothing of it ever runs again"


@pytest.mark.parametrize("state", ["READY", "CLAIMED", "RUNNING"])
def test_a_lock_stays_while_an_attempt_has_not_ended(desk: Desk, state: str) -> None:
    ticket = desk.submit()
    desk.until(ticket, "change", "READY")
    if state == "CLAIMED":
        assert desk.claim(desk.ready()[0])
    elif state == "RUNNING":
        begin_and_vanish(desk, ["a"])
    before = held()
    with pytest.raises(LockStillNeeded) as refused:
        release()
    assert f"attempt 2 of step change has not ended ({state})" in str(refused.value)
    assert "取消工单" in refused.value.hint.zh
    assert held() == before
    assert [e for e in desk.events(ticket) if e.kind == "lock.released"] == []


def test_a_lock_stays_until_the_unknown_is_resolved(desk: Desk) -> None:
    ticket = desk.submit()
    desk.until(ticket, "change", "READY")
    lost = begin_and_vanish(desk, ["a"])
    desk.reconcile(SEEING)
    with pytest.raises(LockStillNeeded, match="UNKNOWN"):
        release()
    resolved(desk, ticket, lost.attempt_id, override=False)
    assert release() == "FAILED"


def test_a_lock_stays_when_nothing_proves_that_the_runner_has_ended(desk: Desk) -> None:
    ticket = desk.submit()
    desk.until(ticket, "change", "READY")
    lost = begin_and_vanish(desk, ["a"])
    desk.reconcile(BLIND)
    resolved(desk, ticket, lost.attempt_id, override=True)
    with pytest.raises(LockStillNeeded, match="nothing proves that its runner has ended"):
        release()
    with transaction() as session:
        commands.close_failed(session, ticket, USER, "two people took the responsibility")
    outlive(ticket)
    assert release(close=False) == "FAILED", "the ticket has ended: its lock is nobody's"


def test_a_lock_of_an_ended_ticket_stays_while_an_attempt_of_it_runs(desk: Desk) -> None:
    """Cannot happen; if a record was damaged, the lock is the last thing that holds others off."""
    ticket = desk.submit()
    desk.until(ticket, "change", "READY")
    begin_and_vanish(desk, ["a"])
    with transaction() as session:
        session.get_one(Ticket, ticket).state = "FAILED"
    with pytest.raises(LockStillNeeded, match="RUNNING"):
        release(close=False)
    assert KEY in held()


def test_a_release_needs_a_reason_and_a_lock(desk: Desk) -> None:
    ticket = desk.submit(policy="express")
    desk.finish(ticket)
    outlive(ticket)
    with pytest.raises(ReasonNeeded):
        release(reason=" ")
    with pytest.raises(NotFound):
        release(("machine", "z"))
    assert held() == {KEY: ticket}


def test_obstacles_are_told_for_many_tickets_at_once(desk: Desk) -> None:
    ready, at_gate = desk.submit(nodes=["a"]), desk.submit(nodes=["b"])
    desk.until(ready, "configure", "READY")
    desk.until(at_gate, "configure", "WAIT_PRE_GATE")
    with transaction() as session:
        found = obstacles(session, [ready, at_gate])
        assert locks.fence_of(session, at_gate) > 0
    assert list(found) == [ready]
    assert found[ready].zh.startswith("步骤 configure 的执行")
