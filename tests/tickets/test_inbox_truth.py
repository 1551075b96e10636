"""What an inbox offers is what the engine takes: tried for everybody on every gate, offered or not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from autorke.core.db import new_session, transaction
from autorke.core.errors import AutoRkeError
from autorke.tickets import decisions, inbox, signers
from autorke.users.access import Actor, Role, current_bindings
from autorke.web.paging import PageQuery
from autorke.workflow.models import Ticket
from tests.tickets.office import Office, Somebody

ROLES: list[Role] = ["viewer", "requester", "approver", "network-admin", "admin"]
FLOWS = ["toy", "toy-network", "toy-two-people"]


class Rolled(Exception):
    """Nothing of a try stays."""


def world(office: Office, dice: random.Random) -> list[Somebody]:
    """People with roles here and there who stand in for each other, and tickets at different gates."""
    places = [office.api.cluster("north"), office.api.cluster("south"), None]
    people = [office.person(f"p{place}", dice.choice(ROLES), cluster_id=dice.choice(places)) for place in range(9)]
    for place in range(8):
        giver, taker = dice.sample(people, 2)
        office.delegate(giver, taker, scope=dice.choice([None, places[place % 2]]), days=dice.choice([1, 1, 1, 0]))
    for place in range(7):
        office.ticket(dice.choice(people), f"n{place}", scope=dice.choice(places), flow=dice.choice(FLOWS))
    boss = office.person("boss", "admin")
    for row in boss.get("/inbox")["items"][::2]:
        gates = [{key: gate[key] for key in ("gate_id", "subject_hash")} for gate in row["gates"]]
        boss.post(f"/tickets/{row['ticket']['id']}/decisions", {"gates": gates, "decision": "approve"})
    office.desk.work()
    return [*people, boss]


def actors(person: Somebody) -> Iterator[Actor]:
    """The person as himself, and as two tokens of his that may less."""
    with transaction() as session:
        bindings = current_bindings(session, person.id)
    for scopes in (None, frozenset({"ticket:read"}), frozenset({"ticket:read", "network:approve"})):
        yield Actor(person.id, "p", bindings, "token", person.id, None, scopes)


def offered(session: Session, actor: Actor) -> dict[UUID, bool]:
    """Gate → may he sign it, of everything that his inbox shows; the number is that of its rows."""
    rows = (
        inbox.inbox_page(session, actor, "approve", PageQuery(limit=500)).items if actor.anywhere("ticket:read") else []
    )
    assert len(rows) == inbox.counts(session, actor)["approve"]
    assert all(any(gate["may_sign"] for gate in row["gates"]) for row in rows)
    return {gate["gate_id"]: gate["may_sign"] for row in rows for gate in row["gates"]}


def taken(session: Session, actor: Actor, gate: Any) -> bool:
    """Whether the engine lets him sign, tried and undone."""
    item = decisions.Item(gate.ticket_id, {gate.gate_id: gate.subject_hash})
    try:
        with session.begin_nested():
            decisions.decide(session, actor, item, approve=True, comment="")
            raise Rolled
    except Rolled:
        return True
    except AutoRkeError:
        return False


@pytest.mark.parametrize("seed", range(3))
def test_an_inbox_offers_exactly_what_the_engine_takes(office: Office, seed: int) -> None:
    people = world(office, random.Random(seed))
    tried: list[bool] = []
    with new_session() as session:
        gates = signers.open_gates(session, people[0].id, Ticket.id.is_not(None))
        assert len(gates) >= 7
        for actor in (actor for person in people for actor in actors(person)):
            shown = offered(session, actor)
            for gate in gates:
                truth = taken(session, actor, gate)
                assert shown.get(gate.gate_id, False) is truth, (actor, gate)
                tried.append(truth)
        session.rollback()
    assert any(tried)
    assert not all(tried)
