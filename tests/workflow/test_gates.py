"""Who may let a step begin: policies, quorum, four eyes, delegation, expiry. Races (T9): tests/faults/races.py."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from autorke.core.db import db_now, transaction
from autorke.core.errors import NotFound
from autorke.core.ids import new_id
from autorke.workflow import commands, journal
from autorke.workflow.definition import Effect, Policy
from autorke.workflow.errors import (
    AlreadyDecided,
    CommentNeeded,
    GateNotOpen,
    NotEligible,
    RequesterMayNotApprove,
    StalePlan,
)
from autorke.workflow.gates import Decision, gates_of
from autorke.workflow.models import Delegation, Gate
from tests.workflow.conftest import Desk
from tests.workflow.toy import World, make_flow

READ, CHANGE, DANGER = Effect.READ_ONLY, Effect.CONVERGENT, Effect.DANGEROUS
TWO_EYES = make_flow("toy-quorum-2")
for _step in TWO_EYES.steps:
    _step.quorum = 2


@pytest.mark.parametrize(
    ("policy", "effects", "expected"),
    [
        (Policy.STRICT, [READ, CHANGE, READ], ["pre post", "pre post", "pre post"]),
        (Policy.STANDARD, [READ, CHANGE, CHANGE], ["", "pre", "pre post"]),
        (Policy.STANDARD, [READ, CHANGE, READ], ["", "pre", "post"]),
        (Policy.EXPRESS, [READ, CHANGE, CHANGE], ["", "pre", ""]),
        (Policy.EXPRESS, [READ, READ], ["", ""]),
        (Policy.EXPRESS, [READ, CHANGE, DANGER, CHANGE], ["", "pre", "pre post", ""]),
        (Policy.STANDARD, [DANGER, CHANGE], ["pre post", "pre post"]),
    ],
)
def test_policy_says_which_gates_stand(policy: Policy, effects: list[Effect], expected: list[str]) -> None:
    """A DANGEROUS step keeps both gates under every policy, express too."""
    found = [gates_of(policy, effects, place) for place in range(len(effects))]
    assert [" ".join(["pre"] * pre + ["post"] * post) for pre, post in found] == expected


def waiting(desk: Desk, flow: str = "toy", **request: object) -> tuple[UUID, UUID, str]:
    """A ticket that waits at its first gate: (ticket, gate, subject hash)."""
    ticket = desk.submit(flow=flow, **request)
    desk.work()
    gate, subject = next(iter(desk.open_gates(ticket).items()))
    return ticket, gate, subject


def sign(ticket: UUID, gate: UUID, subject: str, who: UUID, acting_for: UUID | None = None) -> str:
    with transaction() as session:
        commands.decide(session, ticket, {gate: subject}, who, Decision(True, subject, acting_for=acting_for))
        return session.get_one(Gate, gate).state


def delegate(giver: UUID, taker: UUID, *, scope: UUID | None = None, days: int = 1, begins: int = -1) -> UUID:
    with transaction() as session:
        now = db_now(session)
        row = Delegation(
            from_id=giver,
            to_id=taker,
            scope_id=scope,
            valid_from=now + timedelta(days=begins),
            valid_to=now + timedelta(days=days),
            reason="leave",
        )
        session.add(row)
        session.flush()
        return row.id


def test_quorum_counts_distinct_people(desk: Desk, world: World) -> None:
    ticket, gate, subject = waiting(desk, "toy-quorum-2")
    assert sign(ticket, gate, subject, desk.approvers[0]) == "OPEN"
    with pytest.raises(AlreadyDecided):
        sign(ticket, gate, subject, desk.approvers[0])
    desk.work()
    assert world.journal == []
    assert sign(ticket, gate, subject, desk.approvers[1]) == "APPROVED"


def test_delegate_and_delegator_count_once(desk: Desk) -> None:
    ticket, gate, subject = waiting(desk, "toy-quorum-2")
    first, second, stand_in = *desk.approvers[:2], new_id()
    delegate(first, stand_in)
    assert sign(ticket, gate, subject, first) == "OPEN"
    assert sign(ticket, gate, subject, stand_in, acting_for=first) == "OPEN"
    assert sign(ticket, gate, subject, second) == "APPROVED"


def test_an_approver_who_stands_in_for_another_counts_once(desk: Desk) -> None:
    ticket, gate, subject = waiting(desk, "toy-quorum-2")
    first, second, third = desk.approvers
    delegate(first, second)
    assert sign(ticket, gate, subject, second, acting_for=first) == "OPEN"
    assert sign(ticket, gate, subject, first) == "OPEN"
    assert sign(ticket, gate, subject, third) == "APPROVED"


@pytest.mark.parametrize(
    "terms", [{"days": 0, "begins": -2}, {"begins": 1, "days": 2}, {"scope": new_id()}], ids=["over", "early", "scope"]
)
def test_a_delegation_that_does_not_hold_here_and_now_is_none(desk: Desk, terms: dict[str, object]) -> None:
    ticket, gate, subject = waiting(desk)
    stand_in = new_id()
    delegate(desk.approvers[0], stand_in, **terms)  # type: ignore[arg-type]
    with pytest.raises(NotEligible):
        sign(ticket, gate, subject, stand_in, acting_for=desk.approvers[0])


def test_a_delegation_is_not_passed_on_and_gives_nothing_to_the_requester(desk: Desk) -> None:
    ticket, gate, subject = waiting(desk)
    middle, last = new_id(), new_id()
    delegate(desk.approvers[0], middle)
    delegate(middle, last)
    with pytest.raises(NotEligible):
        sign(ticket, gate, subject, last, acting_for=middle)
    delegate(desk.approvers[0], desk.requester)
    with pytest.raises(RequesterMayNotApprove):
        sign(ticket, gate, subject, desk.requester, acting_for=desk.approvers[0])
    delegate(desk.requester, last)
    with pytest.raises(RequesterMayNotApprove):
        sign(ticket, gate, subject, last, acting_for=desk.requester)


def test_a_delegation_that_ends_before_the_start_stops_it(desk: Desk, world: World) -> None:
    """P14, for delegates."""
    ticket, gate, subject = waiting(desk)
    stand_in = new_id()
    given = delegate(desk.approvers[0], stand_in)
    assert sign(ticket, gate, subject, stand_in, acting_for=desk.approvers[0]) == "APPROVED"
    with transaction() as session:
        session.delete(session.get_one(Delegation, given))
    desk.work()
    assert world.journal == []
    assert desk.steps(ticket)["configure"] == "WAIT_PRE_GATE"
    assert list(desk.open_gates(ticket)) == [gate]


def test_a_rejection_needs_words_and_one_is_enough(desk: Desk) -> None:
    ticket, gate, subject = waiting(desk, "toy-quorum-2")
    sign(ticket, gate, subject, desk.approvers[0])
    with pytest.raises(CommentNeeded), transaction() as session:
        commands.decide(session, ticket, {gate: subject}, desk.approvers[1], Decision(False, subject, "  "))
    desk.decide(ticket, who=desk.approvers[1], approve=False, comment="not these")
    assert desk.state(ticket) == "REJECTED"


def test_a_revoked_approval_counts_no_more_and_may_be_given_again(desk: Desk, world: World) -> None:
    """P14"""
    ticket, gate, subject = waiting(desk)
    sign(ticket, gate, subject, desk.approvers[0])
    assert desk.steps(ticket)["configure"] == "READY"
    with transaction() as session:
        commands.revoke(session, ticket, gate, desk.approvers[0])
    assert (desk.steps(ticket)["configure"], list(desk.open_gates(ticket))) == ("WAIT_PRE_GATE", [gate])
    desk.work()
    assert world.journal == []
    with pytest.raises(NotFound), transaction() as session:
        commands.revoke(session, ticket, gate, desk.approvers[1])
    assert sign(ticket, gate, subject, desk.approvers[0]) == "APPROVED"
    desk.work()
    assert world.journal == [("configure", "*")]


def test_an_approval_of_an_earlier_plan_is_history_and_is_not_taken_back(desk: Desk) -> None:
    """The run that the new gate has released must not be stopped by words about the old one."""
    ticket = desk.submit()
    desk.until(ticket, "close", "WAIT_PRE_GATE")
    old = list(desk.open_gates(ticket))[-1]
    desk.decide(ticket, who=desk.approvers[0], approve=False, comment="not so")
    assert desk.state(ticket) == "ATTENTION"
    for key in [key for key, state in desk.steps(ticket).items() if state in ("FAILED", "GATE_CLOSED")]:
        with transaction() as session:
            commands.retry(session, ticket, key, journal.By("user", "x"))
    desk.work()
    desk.decide(ticket, who=desk.approvers[1])
    before = len(desk.events(ticket))
    with pytest.raises(GateNotOpen), transaction() as session:
        commands.revoke(session, ticket, old, desk.approvers[0])
    assert len(desk.events(ticket)) == before
    assert desk.finish(ticket) == "SUCCEEDED"


def expire(ticket: UUID) -> None:
    with transaction() as session:
        session.execute(
            text(
                "update gate set expires_at = clock_timestamp() - interval '1 s' where state = 'OPEN'"
                " and step_id in (select id from step where ticket_id = :ticket)"
            ),
            {"ticket": ticket},
        )


def test_an_expired_gate_ends_a_ticket_that_has_changed_nothing(desk: Desk) -> None:
    ticket, gate, subject = waiting(desk)
    expire(ticket)
    with pytest.raises(GateNotOpen):
        sign(ticket, gate, subject, desk.approvers[0])
    desk.reconcile()
    assert desk.state(ticket) == "EXPIRED"


def test_an_expired_gate_after_a_change_asks_a_person(desk: Desk, world: World) -> None:
    ticket = desk.submit()
    desk.until(ticket, "close", "WAIT_PRE_GATE")
    expire(ticket)
    desk.reconcile()
    assert desk.steps(ticket)["close"] == "GATE_CLOSED"
    assert desk.steps(ticket)["change"] == "WAIT_POST_GATE"  # a result that waits for a person goes on waiting
    assert desk.state(ticket) == "ATTENTION"
    with transaction() as session:
        commands.retry(session, ticket, "close", journal.By("user", "x"))
    assert desk.finish(ticket) == "SUCCEEDED"


def test_what_was_planned_anew_is_approved_anew(desk: Desk) -> None:
    """The hash that the browser displayed is sent back: a race with a new plan is a 409 (engine.md §3.9)."""
    ticket, gate, _ = waiting(desk)
    with pytest.raises(StalePlan):
        sign(ticket, gate, "0" * 64, desk.approvers[0])


def test_one_refused_gate_refuses_the_whole_decision(desk: Desk) -> None:
    ticket = desk.submit()
    desk.until(ticket, "configure", "WAIT_POST_GATE")
    shown = desk.open_gates(ticket)
    assert len(shown) == 2
    stale = dict(zip(shown, [*list(shown.values())[:1], "f" * 64], strict=True))
    with pytest.raises(StalePlan), transaction() as session:
        commands.decide(session, ticket, stale, desk.approvers[0], Decision(True, ""))
    assert desk.open_gates(ticket) == shown
