"""T10: a storm of tickets for overlapping locks: no deadlock, no double hold, all or none, first come first served.

One round is one ticket; 200 of them ask for 50 clusters and 300 machines. Eight threads submit, pause, resume, cancel
and grant while another looks; then everybody gets his turn, and each key's holders must have come in the order in which
they asked (P5, P18).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from autorke.core.db import transaction
from autorke.workflow import commands, engine
from autorke.workflow.errors import Ended
from autorke.workflow.locks import Key
from autorke.workflow.models import LockRequest, ResourceLock, Ticket
from tests.faults import place
from tests.workflow.conftest import USER, Desk

THREADS = 8
ENDED_AT_ONCE = 20


def run(seed: int, rounds: int) -> dict[str, Any]:
    with place.seeded(seed) as dice, place.desk(pool_size=THREADS + 2) as desk:
        forms = [_form(dice, clusters=max(1, rounds // 4), machines=max(4, rounds * 3 // 2)) for _ in range(rounds)]
        with _watched() as looks:
            cancelled = _storm(desk, dice, forms)
        figures = _everybodys_turn()
        with transaction() as session:
            query = text("select deadlocks from pg_stat_database where datname = current_database()")
            deadlocks = session.execute(query).scalar_one()
        assert deadlocks == 0
        assert looks
    return {"tickets": rounds, "cancelled": cancelled, "looks": len(looks), "deadlocks": deadlocks, **figures}


def _form(dice: random.Random, *, clusters: int, machines: int) -> dict[str, Any]:
    nodes = [f"m{n}" for n in dice.sample(range(machines), dice.randint(1, 4))]
    return {"nodes": nodes, "locks": [f"c{dice.randrange(clusters)}"] if dice.random() < 0.5 else []}


def _storm(desk: Desk, dice: random.Random, forms: list[dict[str, Any]]) -> int:
    tickets: list[UUID] = []

    def tried(action: Callable[[Session], object]) -> None:
        """Somebody else may have cancelled it meanwhile; a deadlock or any other database error is raised."""
        with suppress(Ended), transaction() as session:
            action(session)

    def live_one(form: dict[str, Any]) -> None:
        ticket = desk.submit(**form)
        tickets.append(ticket)
        tried(lambda s: commands.pause(s, ticket, USER, paused=True))
        _grant()
        tried(lambda s: commands.pause(s, ticket, USER, paused=False))
        if dice.random() < 0.3:
            tried(lambda s: commands.cancel(s, dice.choice(tickets), USER, "storm"))
        _grant()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(live_one, forms))
    with transaction() as session:
        return len(session.execute(select(Ticket.id).where(Ticket.state == "CANCELLED")).all())


def _grant() -> int:
    with transaction() as session:
        return engine.grant_locks(session)


@contextmanager
def _watched() -> Iterator[list[int]]:
    """Somebody looks all the time: whoever has a lock has all he asked for, and is the only one who has them."""
    looks: list[int] = []
    wrong: list[str] = []
    done = Event()

    def look() -> None:
        over = False
        while not over:
            over = done.is_set()  # so that it looks once at the end, and at least once
            with transaction() as session:
                session.execute(text("set transaction isolation level repeatable read"))
                wanted, held = _wanted(session), _held(session)
            if any(keys != wanted.get(ticket) for ticket, keys in held.items()):
                wrong.append(f"{held} where {wanted} was asked for")
            looks.append(sum(map(len, held.values())))

    watcher = Thread(target=look, name="watcher")
    watcher.start()
    try:
        yield looks
    finally:
        done.set()
        watcher.join()
    assert not wrong, wrong[0]


def _wanted(session: Session) -> dict[UUID, set[Key]]:
    """What every open ticket asked for, in the order of their places."""
    found: dict[UUID, set[Key]] = defaultdict(set)
    for row in session.execute(select(LockRequest).order_by(LockRequest.id)).scalars():
        found[row.ticket_id].add((row.kind, row.key))
    return dict(found)


def _held(session: Session) -> dict[UUID, set[Key]]:
    found: dict[UUID, set[Key]] = defaultdict(set)
    for lock in session.execute(select(ResourceLock)).scalars():
        found[lock.ticket_id].add((lock.kind, lock.key))
    return dict(found)


def _everybodys_turn() -> dict[str, int]:
    """End the holders, some at a time, until nobody waits; what is granted meanwhile keeps the order of each key."""
    with transaction() as session:
        places = {ticket: number for number, ticket in enumerate(_wanted(session))}
    last: dict[Key, int] = {}
    before: set[UUID] = set()
    turns = granted = 0
    while True:
        with transaction() as session:
            engine.grant_locks(session)
        with transaction() as session:
            wanted, held = _wanted(session), _held(session)
            active = set(session.execute(select(Ticket.id).where(Ticket.state == "ACTIVE")).scalars())
        if not wanted:
            assert not held
            return {"turns": turns, "granted": granted}
        assert held == {ticket: wanted[ticket] for ticket in active}
        assert active, "nobody can go on"
        newly = sorted(active - before, key=places.__getitem__)
        for ticket in newly:
            for key in wanted[ticket]:
                assert last.get(key, -1) < places[ticket], (
                    f"{key} went to a ticket that had asked earlier than its last"
                )
                last[key] = places[ticket]
        assert not before or not _overtaken(wanted, active, set(newly))
        before, turns, granted = active, turns + 1, granted + len(newly)
        for ticket in sorted(active, key=places.__getitem__)[:ENDED_AT_ONCE]:
            with transaction() as session:
                commands.cancel(session, ticket, USER, "his turn is over")


def _overtaken(wanted: dict[UUID, set[Key]], active: set[UUID], newly: set[UUID]) -> list[tuple[UUID, UUID]]:
    """Pairs of a ticket that has just got its locks and an older one that waits for one of them."""
    order = list(wanted)
    waits = [ticket for ticket in order if ticket not in active]
    return [
        (late, ticket)
        for late in newly
        for ticket in waits
        if order.index(ticket) < order.index(late) and wanted[ticket] & wanted[late]
    ]
