"""The list of flows: risk, and how long they take."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from autorke.core.db import transaction
from autorke.tickets.flows import LATELY, risk_of
from autorke.workflow.definition import Effect
from autorke.workflow.states import TicketState
from tests.tickets.office import Office

ENDED = """
insert into ticket (id, flow_name, flow_version, flow_hash, flow_snapshot, policy, requester_id, request_hash, summary,
                    state, row_version, params, next_seq, last_hash, created_at, ended_at)
select gen_random_uuid(), :flow, 1, '', '{}', 'strict', gen_random_uuid(), '', '', :state, 1, '{}', 1, '',
       now() - make_interval(hours => n), now() - make_interval(hours => n) + make_interval(secs => :first + n)
from generate_series(1, :count) n
"""


def insert(flow: str, state: TicketState, count: int, first: int) -> None:
    """`count` tickets, the newest took first + 1 seconds, each older one a second more."""
    values = {"flow": flow, "state": state.value, "count": count, "first": first}
    with transaction() as session:
        session.execute(text(ENDED), values)


def test_a_flow_says_how_long_its_last_tickets_took(office: Office) -> None:
    insert("toy", TicketState.SUCCEEDED, 40, 100)
    insert("toy", TicketState.CANCELLED, 40, 9000)
    insert("toy-network", TicketState.SUCCEEDED, 2, 10)
    flows = {flow["name"]: flow for flow in office.person("viewer", "viewer").get("/flows")}
    took = flows["toy"]["duration"]
    assert took == {"tickets": LATELY, "mean_seconds": 115.5, "median_seconds": 115.5}
    assert flows["toy-network"]["duration"]["mean_seconds"] == 11.5
    assert flows["add_workers"]["duration"] is None
    assert flows["add_workers"]["risk"] == "high", "ippool is dangerous"
    assert flows["toy"]["risk"] == "medium"


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ([Effect.READ_ONLY], "low"),
        ([Effect.READ_ONLY, Effect.KEYED], "medium"),
        ([Effect.CONVERGENT, Effect.DANGEROUS, Effect.READ_ONLY], "high"),
    ],
)
def test_risk_is_that_of_the_worst_step(effects: list[Effect], expected: str) -> None:
    assert risk_of(effects) == expected
