"""P5, P18: all locks or none, first come first served; a storm of tickets without deadlock or double hold (T10)."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from autorke.core.db import transaction
from autorke.workflow import commands, engine, locks
from autorke.workflow.errors import Ended
from autorke.workflow.locks import Key
from autorke.workflow.models import LockRequest, ResourceLock, Ticket
from tests.workflow.conftest import USER, Desk

TICKETS, CLUSTERS, MACHINES = 100, 30, 150


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


@pytest.mark.faults
def test_a_storm_of_tickets_has_no_deadlock_no_double_hold_and_no_overtaking(desk: Desk) -> None:
    """T10: submits, pauses, resumes, cancels and grants from eight threads; then everybody gets his turn in order."""
    dice = random.Random(10)
    forms = [
        {
            "nodes": [f"m{n}" for n in dice.sample(range(MACHINES), dice.randint(1, 4))],
            "locks": [f"c{dice.randrange(CLUSTERS)}"] if dice.random() < 0.5 else [],
        }
        for _ in range(TICKETS)
    ]
    tickets: list[UUID] = []

    def tried(action: Callable[[Session], object]) -> None:
        """Somebody else may have cancelled it meanwhile; a deadlock or any other database error is raised."""
        with suppress(Ended), transaction() as session:
            action(session)

    def live_one(form: dict[str, list[str]]) -> None:
        ticket = desk.submit(**form)
        tickets.append(ticket)
        tried(lambda s: commands.pause(s, ticket, USER, paused=True))
        grant()
        tried(lambda s: commands.pause(s, ticket, USER, paused=False))
        if dice.random() < 0.3:
            tried(lambda s: commands.cancel(s, dice.choice(tickets), USER, "storm"))
        grant()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(live_one, forms))
    before: set[UUID] = set()
    while wanted := wishes():
        grant()
        active, owned = active_tickets(), defaultdict(set)
        for key, owner in held().items():
            owned[owner].add(key)
        assert owned == {ticket: wanted[ticket] for ticket in active}
        assert not overtaken(wanted, active, active - before if before else set())
        assert active  # somebody can always go on
        before = active
        for ticket in list(active)[:20]:
            cancel(ticket)
    assert held() == {}


def wishes() -> dict[UUID, set[Key]]:
    """What every open ticket asked for, in the order of their places."""
    with transaction() as session:
        found: dict[UUID, set[Key]] = defaultdict(set)
        for row in session.execute(select(LockRequest).order_by(LockRequest.id)).scalars():
            found[row.ticket_id].add((row.kind, row.key))
        return dict(found)


def active_tickets() -> set[UUID]:
    with transaction() as session:
        return set(session.execute(select(Ticket.id).where(Ticket.state == "ACTIVE")).scalars())


def overtaken(wanted: dict[UUID, set[Key]], active: set[UUID], newly: set[UUID]) -> list[tuple[UUID, UUID]]:
    """Pairs of a ticket that has just got its locks and an older one that waits for one of them."""
    order = list(wanted)
    waits = [ticket for ticket in order if ticket not in active]
    return [
        (late, ticket)
        for late in newly
        for ticket in waits
        if order.index(ticket) < order.index(late) and wanted[ticket] & wanted[late]
    ]
