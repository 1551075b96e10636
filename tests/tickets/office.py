"""People with their real roles, and tickets of the toy flow on their way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from autorke.core.db import db_now, transaction
from autorke.users.access import Role, may
from autorke.workflow import gates, outbox
from autorke.workflow.models import Delegation, Ticket
from tests.api import V1, Api
from tests.workflow.conftest import Desk
from tests.workflow.toy import WORLD, make_flow

NETWORK = make_flow("toy-network")  # its first step is the network admin's
NETWORK.steps[0].permission = "network:approve"
TWO = make_flow("toy-two-people")
for _step in TWO.steps:
    _step.quorum = 2


@dataclass
class Somebody:
    id: UUID
    client: TestClient

    def get(self, path: str, **params: Any) -> Any:
        answer = self.client.get(V1 + path, params=params or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.client.post(V1 + path, json=body or {})
        assert answer.status_code == status, answer.text
        return answer.json()

    def tab(self, name: str = "approve") -> list[int]:
        """Numbers of the tickets of one tab, in order."""
        return [row["ticket"]["number"] for row in self.get("/inbox", tab=name)["items"]]


@dataclass
class Office:
    """One AutoRke whose workers are run by the test."""

    api: Api
    desk: Desk

    def person(self, name: str, *roles: Role, cluster_id: UUID | None = None) -> Somebody:
        user_id = self.api.user(name, *roles, cluster_id=cluster_id)
        return Somebody(user_id, self.bearer(self.api.token(user_id)))

    def bearer(self, token: str) -> TestClient:
        client = self.api.anonymous
        client.headers["Authorization"] = f"Bearer {token}"
        return client

    def ticket(self, requester: Somebody, *nodes: str, scope: UUID | None = None, **request: Any) -> Ticket:
        """A ticket that has been worked on until it needs a person."""
        self.desk.requester = requester.id
        ticket_id = self.desk.submit(nodes=list(nodes) or ["a", "b", "c"], **request)
        with transaction() as session:
            session.get_one(Ticket, ticket_id).scope_id = scope
        self.desk.work()
        with transaction() as session:
            return session.get_one(Ticket, ticket_id)

    def delegate(self, giver: Somebody, taker: Somebody, scope: UUID | None = None, days: int = 1) -> UUID:
        with transaction() as session:
            now = db_now(session)
            begins, ends = now - timedelta(days=2), now + timedelta(days=days)
            row = Delegation(
                from_id=giver.id, to_id=taker.id, scope_id=scope, valid_from=begins, valid_to=ends, reason="leave"
            )
            session.add(row)
            session.flush()
            return row.id


@pytest.fixture
def office(api: Api) -> Iterator[Office]:
    gates.configure_directory(cast(gates.Holds, may))
    outbox._transport.clear()  # no broker: the test is the worker
    WORLD.reset()
    yield Office(api, Desk())
    WORLD.reset()
