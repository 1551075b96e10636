"""The judgement on what a look has seen, by values alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

import bench.stuck
from autorke.core.ids import new_id
from autorke.core.settings import Settings
from autorke.stuck.detect import MOST, MOST_TICKETS, detect, quorum_in_reach
from autorke.stuck.facts import HostFacts, Limits, Observed, OpenGate, Outlived, People, Ready
from autorke.stuck.words import CAUSES
from autorke.users.access import Rights
from autorke.workflow.signing import StandIn

LIMITS = Limits.of(Settings())
NOW = datetime(2026, 11, 26, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
RITA, ANN, BO, CAI = (new_id() for _ in range(4))
NORTH, SOUTH = new_id(), new_id()


def host(name: str = "h1", **changes: Any) -> HostFacts:
    usual = HostFacts(name, NOW, False, ["act@1"], False, NOW, 0, 10**9, [], None)
    return replace(usual, **changes)


def ready(handler: str = "act@1", since: datetime = LONG_AGO) -> Ready:
    return Ready(new_id(), handler, since)


def causes(**seen: Any) -> list[str]:
    return [finding.cause for finding in detect(Observed(NOW, **seen), LIMITS)]


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        ({"hosts": [host()]}, []),
        ({"hosts": [host()], "ready": [ready(since=NOW)]}, []),
        ({"hosts": []}, ["no_worker_host"]),
        ({"hosts": [], "broker_down_since": LONG_AGO}, ["no_worker_host", "broker_down"]),
        ({"hosts": [host()], "broker_down_since": LONG_AGO}, []),
        ({"hosts": [host(broker_down_since=LONG_AGO)], "ready": [ready()]}, ["broker_down"]),
        ({"hosts": [host(broker_down_since=NOW)]}, []),
        ({"hosts": [host()], "canary_since": LONG_AGO}, ["hints_not_taken"]),
        ({"hosts": [host()], "canary_since": LONG_AGO, "ready": [ready()]}, ["hints_not_taken"]),
        ({"hosts": [host()], "canary_since": NOW}, []),
        ({"hosts": [host(drain=True)], "canary_since": LONG_AGO, "ready": [ready()]}, ["hosts_drained"]),
        ({"hosts": [host()], "ready": [ready(), ready("new@2")]}, ["handler_missing", "not_claimed"]),
        ({"hosts": [host(), host("h2", last_seen=LONG_AGO, drain=True, skew_ms=99_999)]}, ["host_silent"]),
        ({"hosts": [host(), host("h2", last_seen=LONG_AGO, stopped=True)]}, []),
        ({"hosts": [host(last_pass=LONG_AGO), host("h2")]}, []),
        ({"hosts": [host(last_pass=None)]}, []),
    ],
)
def test_hosts_broker_and_workers(seen: dict[str, Any], told: list[str]) -> None:
    assert causes(**seen) == told


def gate(quorum: int = 1, decided: dict[str, str] | None = None) -> OpenGate:
    title = {"zh": "步骤", "en": "step"}
    return OpenGate(new_id(), new_id(), NORTH, RITA, "ticket:approve", quorum, NOW, None, title, decided or {})


def people(*bindings: tuple[UUID, str, UUID | None], stand_ins: dict[UUID, UUID] | None = None) -> People:
    held: dict[UUID, frozenset[tuple[str, UUID | None]]] = {}
    for user, role, where in bindings:
        held[user] = held.get(user, frozenset()) | {(role, where)}
    given = {to: (StandIn(giver, None),) for to, giver in (stand_ins or {}).items()}
    return People(Rights(held), given)


def test_four_eyes_scope_quorum_and_delegation_decide_who_could_sign() -> None:
    assert not quorum_in_reach(gate(), people())
    assert not quorum_in_reach(gate(), people((RITA, "admin", None))), "never the requester"
    assert not quorum_in_reach(gate(), people((ANN, "approver", SOUTH))), "of another cluster"
    assert not quorum_in_reach(gate(), people((ANN, "viewer", None)))
    assert quorum_in_reach(gate(), people((ANN, "approver", NORTH)))
    assert quorum_in_reach(gate(), people((BO, "viewer", NORTH), (ANN, "approver", NORTH), stand_ins={BO: ANN}))
    both = people((ANN, "approver", NORTH), (BO, "viewer", NORTH), stand_ins={BO: ANN})
    assert not quorum_in_reach(gate(2), both), "who stands in signs for one, not for a second"
    two = people((ANN, "approver", NORTH), (CAI, "approver", None))
    assert quorum_in_reach(gate(2), two)
    assert quorum_in_reach(gate(2, {str(ANN): "APPROVE"}), two)
    assert not quorum_in_reach(gate(2, {str(ANN): "APPROVE"}), people((ANN, "approver", NORTH)))


def test_what_is_told_is_bounded() -> None:
    locks = [Outlived("ippool", str(at), new_id(), None, at, LONG_AGO) for at in range(MOST + 1)]
    found = detect(Observed(NOW, [host()], ready=[ready() for _ in range(MOST_TICKETS + 1)], outlived=locks), LIMITS)
    assert len(found) == MOST
    (waits,) = [one for one in found if one.cause == "not_claimed"]
    assert (len(waits.tickets), waits.evidence["count"]) == (MOST_TICKETS, MOST_TICKETS + 1)


def test_the_bench_brings_about_every_cause() -> None:
    assert set(bench.stuck.CASES) == set(CAUSES)
