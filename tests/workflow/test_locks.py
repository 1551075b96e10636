"""P5, P18: all locks or none, first come first served. The storm of tickets (T10) is tests/faults/storm.py."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from autorke.core.db import transaction
from autorke.workflow import commands, engine, locks
from autorke.workflow.locks import Key
from autorke.workflow.models import LockRequest, ResourceLock, Ticket
from tests.workflow.conftest import USER, Desk


def held() -> dict[Key, UUID]:
    with transaction() as session:
        return {(lock.kind, lock.key): lock.ticket_id for lock in session.execute(select(ResourceLock)).scalars()}


def cancel(ticket: UUID) -> None:
    with transaction() as session:
        commands.cancel(session, ticket, USER, "test")


def grant() -> int:
    with transaction() as session:
        return engine.grant_locks(session)


def test_all_locks_or_none(desk: Desk) -> None:
    first = desk.submit(nodes=["a"], locks=["k1"])
    second = desk.submit(nodes=["b", "c"], locks=["k1"])
    assert desk.state(second) == "QUEUED"
    assert set(held().values()) == {first}
    cancel(first)
    grant()
    assert held() == {("machine", "b"): second, ("machine", "c"): second, ("cluster", "k1"): second}


def test_the_reason_for_waiting_is_shown(desk: Desk) -> None:
    first, second, third = (desk.submit(nodes=nodes) for nodes in (["a"], ["a", "b"], ["b", "c"]))
    with transaction() as session:
        numbers = {t.id: t.number for t in session.execute(select(Ticket)).scalars()}
        waits = {t: [(w.key, w.ticket_number, w.holds) for w in locks.waiting_for(session, t)] for t in (second, third)}
    assert waits[second] == [("a", numbers[first], True)]
    assert waits[third] == [("b", numbers[second], False)]


def test_a_cancelled_waiter_frees_its_place(desk: Desk) -> None:
    first, second, third = (desk.submit(nodes=nodes) for nodes in (["a"], ["a", "b"], ["b"]))
    cancel(second)
    assert grant() == 1
    assert [desk.state(t) for t in (first, third)] == ["ACTIVE", "ACTIVE"]


def test_fences_rise_with_every_hold(desk: Desk) -> None:
    fences = []
    for _ in range(3):
        ticket = desk.submit(nodes=["a", "b"])
        with transaction() as session:
            fences.append(locks.fence_of(session, ticket))
        cancel(ticket)
    assert fences == sorted(set(fences))


def test_a_lock_does_not_expire_and_ends_only_with_its_ticket(desk: Desk) -> None:
    ticket = desk.submit(nodes=["a"])
    desk.until(ticket, "change", "WAIT_POST_GATE")
    assert set(held().values()) == {ticket}
    assert desk.finish(ticket) == "SUCCEEDED"
    assert held() == {}
    with transaction() as session:
        assert session.execute(select(LockRequest)).first() is None


def test_a_ticket_that_somebody_holds_is_left_to_him(desk: Desk) -> None:
    """He may be waiting for the grant lock that the pass holds: neither waits for the other, the next pass comes."""
    first, second = desk.submit(nodes=["a"]), desk.submit(nodes=["a"])
    cancel(first)
    with transaction() as session:
        session.execute(select(Ticket).where(Ticket.id == second).with_for_update())
        assert grant() == 0
    assert grant() == 1
