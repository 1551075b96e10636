"""A model of the engine: people, hints, runners and crashes in any order, on a real database, against P1-P18.

Each rule is something that may happen at any moment; each invariant bears the name it has in engine.md §3.4.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, select, text

from autorke.core import db
from autorke.core.db import transaction
from autorke.core.errors import AutoRkeError
from autorke.worker import process, runner
from autorke.workflow import attempts, commands, gates, journal, lifecycle, locks, outbox, results
from autorke.workflow.attempts import Claim, Process
from autorke.workflow.definition import Outcome
from autorke.workflow.errors import Fenced, RequesterMayNotApprove, StalePlan
from autorke.workflow.gates import Decision
from autorke.workflow.models import Approval, Attempt, Event, Gate, NodeResult, ResourceLock, StepRow, Ticket
from autorke.workflow.reconcile import Host
from autorke.workflow.states import TERMINAL_TICKET
from tests.databases import Template
from tests.databases import text as url_text
from tests.workflow.conftest import USER, Desk
from tests.workflow.toy import WORLD, bug, fail, unreachable

NODES = ["a", "b", "c", "d"]
DEAD = Host("here", process.boot_id(), lambda attempt: {"how": "the model says so", "pid": attempt.pid})
TEMPLATE: dict[str, Template] = {}


class EngineModel(RuleBasedStateMachine):
    """One installation with a few tickets on four machines."""

    def __init__(self) -> None:
        super().__init__()
        self._clone = TEMPLATE["template"].clone()
        self.engine: Engine = db.make_engine(url_text(self._clone.__enter__()))
        db.configure(self.engine)
        self.desk = Desk()
        self.tickets: list[UUID] = []
        self.claims: list[Claim] = []
        self.begun: list[Claim] = []
        self.hinted: list[UUID] = []
        WORLD.reset()
        gates.configure_directory(self.desk.holds)
        outbox._transport.clear()

    def teardown(self) -> None:
        self.engine.dispose()
        self._clone.__exit__(None, None, None)

    @initialize()
    def people(self) -> None:
        self.desk.rights.update(self.desk.approvers)

    def tried(self, action: Any) -> bool:
        """A refusal is a legal answer; anything else that is raised fails the model."""
        try:
            with transaction() as session:
                action(session)
        except AutoRkeError:
            return False
        return True

    # what people do ------------------------------------------------------------------------------------------------
    @precondition(lambda self: len(self.tickets) < 4)
    @rule(
        nodes=st.lists(st.sampled_from(NODES), min_size=1, max_size=3, unique=True),
        policy=st.sampled_from(["strict", "standard", "express"]),
        size=st.integers(1, 3),
        budget=st.integers(0, 1),
    )
    def submit(self, nodes: list[str], policy: str, size: int, budget: int) -> None:
        batches = {"canary": 1, "size": size, "budget": budget}
        self.tickets.append(self.desk.submit(nodes=nodes, policy=policy, batches=batches))

    @precondition(lambda self: self.tickets)
    @rule(data=st.data(), who=st.integers(0, 2), approve=st.integers(0, 5))
    def decide(self, data: Any, who: int, approve: int) -> None:
        ticket = data.draw(st.sampled_from(self.tickets))
        said = Decision(approve > 0, "", "no" if approve == 0 else "")
        shown = self.desk.open_gates(ticket)
        self.tried(lambda s: commands.decide(s, ticket, shown, self.desk.approvers[who], said))

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def requester_or_stale_hash_is_refused(self, data: Any) -> None:
        ticket = data.draw(st.sampled_from(self.tickets))
        for gate_id, subject in self.desk.open_gates(ticket).items():
            with pytest.raises(RequesterMayNotApprove), transaction() as session:
                commands.decide(session, ticket, {gate_id: subject}, self.desk.requester, Decision(True, ""))
            with pytest.raises(StalePlan), transaction() as session:
                commands.decide(session, ticket, {gate_id: "f" * 64}, self.desk.approvers[0], Decision(True, ""))

    @rule(who=st.integers(0, 2))
    def role_changes(self, who: int) -> None:
        self.desk.rights ^= {self.desk.approvers[who]}

    @precondition(lambda self: self.tickets)
    @rule(data=st.data(), what=st.sampled_from(["retry", "cancel", "pause", "resume", "exclude", "close", "revoke"]))
    def operate(self, data: Any, what: str) -> None:
        ticket = data.draw(st.sampled_from(self.tickets))
        stuck = [
            k for k, s in self.desk.steps(ticket).items() if s in ("PARTIAL", "FAILED", "PLAN_FAILED", "GATE_CLOSED")
        ]
        actions = {
            "cancel": lambda s: commands.cancel(s, ticket, USER, "model"),
            "pause": lambda s: commands.pause(s, ticket, USER, paused=True),
            "resume": lambda s: commands.pause(s, ticket, USER, paused=False),
            "exclude": lambda s: commands.exclude(s, ticket, [data.draw(st.sampled_from(NODES))], USER, "model"),
            "close": lambda s: commands.close_failed(s, ticket, USER, "model"),
            "retry": lambda s: [commands.retry(s, ticket, key, USER) for key in stuck[:1]],
            "revoke": lambda s: self._revoke(s, ticket),
        }
        self.tried(actions[what])

    def _revoke(self, session: Any, ticket: UUID) -> None:
        query = select(Approval).join(Gate, Gate.id == Approval.gate_id).join(StepRow, StepRow.id == Gate.step_id)
        for row in (
            session.execute(query.where(StepRow.ticket_id == ticket, Approval.revoked_at.is_(None))).scalars().all()
        ):
            commands.revoke(session, ticket, row.gate_id, row.approver_id)
            return

    @precondition(lambda self: self.tickets)
    @rule(done=st.booleans(), who=st.integers(0, 2), override=st.booleans())
    def resolve(self, done: bool, who: int, override: bool) -> None:
        with transaction() as session:
            query = select(Attempt, StepRow.ticket_id).join(StepRow, StepRow.id == Attempt.step_id)
            rows = session.execute(query.where(Attempt.state == "UNKNOWN")).all()
            unknown = [(a.id, t, self._unknown_nodes(session, a.id)) for a, t in rows]
        for attempt_id, ticket, nodes in unknown:
            verdicts = dict.fromkeys(nodes, done)
            approver = self.desk.approvers[who]
            self.tried(
                lambda s: commands.resolve(s, ticket, attempt_id, approver, verdicts, "model", override=override)  # noqa: B023
            )

    @staticmethod
    def _unknown_nodes(session: Any, attempt_id: UUID) -> list[str]:
        query = select(NodeResult.node_id).where(NodeResult.attempt_id == attempt_id, NodeResult.state == "UNKNOWN")
        return list(session.execute(query).scalars())

    # what the machinery does ---------------------------------------------------------------------------------------
    @rule(times=st.integers(1, 3))
    def hints(self, times: int) -> None:
        """Every hint that was ever sent may come again, in any order (T4)."""
        self.hinted += [attempt for attempt in self.desk.ready() if attempt not in self.hinted]
        for _ in range(times):
            for attempt_id in reversed(self.hinted):
                held = self.desk.claim(attempt_id)
                if held is not None:
                    self.claims.append(held)

    @precondition(lambda self: self.claims)
    @rule(
        behaviour=st.dictionaries(st.sampled_from(NODES), st.sampled_from([fail, unreachable, bug]), max_size=2),
        drift=st.booleans(),
    )
    def run(self, behaviour: dict[str, Any], drift: bool) -> None:
        held = self.claims.pop(0)
        WORLD.behave = {f"change:{node}": act for node, act in behaviour.items()}
        WORLD.state = {"kernel": "new"} if drift else {}
        runner.run_attempt(held.attempt_id, held.token)

    @precondition(lambda self: self.claims)
    @rule(nodes=st.integers(0, 2))
    def begin_and_die(self, nodes: int) -> None:
        """The runner commits its intent, starts some nodes, and is gone."""
        held = self.claims.pop(0)
        me = Process("here", process.boot_id(), 1, 1)
        try:
            with transaction() as session:
                if attempts.adopt(session, held.attempt_id, held.token) is None:
                    return
                attempts.register_process(session, held, me, self.lease)
                if not lifecycle.begin(session, held, me, dict(WORLD.state)):
                    return
            self._start_some(held, nodes)
        except Fenced:
            return
        self.begun.append(held)

    def _start_some(self, held: Claim, count: int) -> None:
        with transaction() as session:
            attempt = session.get_one(Attempt, held.attempt_id)
            step = session.get_one(StepRow, held.step_id)
            if attempt.purpose != "RUN":
                return
            for node in attempt.node_ids[:count]:
                if results.start(session, held, node, 0) and step.unit == "NODE":
                    WORLD.journal.append((f"{step.ticket_id}:change", node))

    @property
    def lease(self) -> Any:
        from autorke.core.settings import get_settings

        return get_settings().lease

    @rule(proof=st.booleans())
    def runners_are_silent(self, proof: bool) -> None:
        """Every lease runs out, for good; with or without a way to prove the death."""
        with transaction() as session:
            session.execute(
                text(
                    "update step_attempt set lease_until = clock_timestamp() - interval '2 minutes'"
                    " where state in ('CLAIMED', 'RUNNING')"
                )
            )
        blind = Host("elsewhere", "another-boot", lambda _a: None)
        self.desk.reconcile(DEAD if proof else blind)
        self.claims.clear()

    @rule()
    def reconcile_twice(self) -> None:
        """P13: a second pass right after the first finds nothing to do."""
        self.desk.reconcile(DEAD)
        again = self.desk.reconcile(DEAD)
        assert not set(again) - {"hints"}, again

    @precondition(lambda self: self.begun)
    @rule(data=st.data())
    def a_lost_runner_speaks(self, data: Any) -> None:
        """P6: whoever lost his attempt changes nothing by speaking late."""
        held = data.draw(st.sampled_from(self.begun))
        with transaction() as session:
            row = session.get_one(Attempt, held.attempt_id)
            lost = row.token != held.token or row.state != "RUNNING"
        if not lost:
            return
        for speak in (
            lambda s: results.finish(s, held, {"a": Outcome.ok()}),
            lambda s: results.start(s, held, "a", 0),
            lambda s: lifecycle.finish_run(s, held, None),
            lambda s: attempts.heartbeat(s, held, self.lease),
        ):
            with pytest.raises(Fenced), transaction() as session:
                speak(session)

    @precondition(lambda self: self.tickets)
    @rule()
    def gates_expire(self) -> None:
        with transaction() as session:
            session.execute(
                text(
                    "update gate set expires_at = clock_timestamp() - interval '1 s' where state = 'OPEN'"
                    " and id = (select id from gate where state = 'OPEN' order by opened_at limit 1)"
                )
            )
        self.desk.reconcile(DEAD)

    # what must hold ------------------------------------------------------------------------------------------------
    @invariant()
    def p1_p8_p10_nothing_runs_twice_without_a_person(self) -> None:
        with transaction() as session:
            starts = Counter(
                (row.step_id, row.node_id)
                for row in session.execute(select(NodeResult).where(NodeResult.started_at.is_not(None))).scalars()
            )
            succeeded = Counter(
                (row.step_id, row.node_id)
                for row in session.execute(select(NodeResult).where(NodeResult.state == "SUCCEEDED")).scalars()
            )
            decided = Counter(
                (e.ticket_id, e.body["step"])
                for e in session.execute(select(Event).where(Event.kind == "step.retry")).scalars()
            )
            steps = {s.id: (s.ticket_id, s.key) for s in session.execute(select(StepRow)).scalars()}
        assert all(count == 1 for count in succeeded.values())
        assert all(count <= 1 + decided[steps[step]] for (step, _), count in starts.items())

    @invariant()
    def p2_p5_one_live_change_per_ticket_and_machine(self) -> None:
        with transaction() as session:
            query = select(StepRow.ticket_id).join(Attempt, Attempt.step_id == StepRow.id)
            query = query.where(Attempt.purpose == "RUN", Attempt.state.in_(["READY", "CLAIMED", "RUNNING", "UNKNOWN"]))
            assert all(count == 1 for count in Counter(session.execute(query).scalars()).values())
            states = {t.id: t.state for t in session.execute(select(Ticket)).scalars()}
            held = {(lock.kind, lock.key): lock.ticket_id for lock in session.execute(select(ResourceLock)).scalars()}
        for ticket_id, state in states.items():
            owns = [key for key, owner in held.items() if owner == ticket_id]
            assert bool(owns) == (state not in TERMINAL_TICKET and state != "QUEUED"), state

    @invariant()
    def p3_p14_every_start_was_approved_by_others_on_that_plan(self) -> None:
        with transaction() as session:
            query = select(Attempt, StepRow, Ticket).join(StepRow, StepRow.id == Attempt.step_id)
            query = query.join(Ticket, Ticket.id == StepRow.ticket_id).where(Attempt.purpose == "RUN")
            for attempt, step, ticket in session.execute(query.where(Attempt.intent_at.is_not(None))):
                if not step.pre_gate:
                    continue
                signed = select(Approval).join(Gate, Gate.id == Approval.gate_id)
                signed = signed.where(Gate.step_id == step.id, Gate.phase == "PRE", Approval.decision == "APPROVE")
                signed = signed.where(Approval.at < attempt.intent_at, Approval.subject_hash == Gate.subject_hash)
                people = {row.approver_id for row in session.execute(signed).scalars()}
                assert people - {ticket.requester_id}

    @invariant()
    def p4_events_are_gapless_and_chained(self) -> None:
        with transaction() as session:
            assert all(journal.verify_chain(session, ticket) for ticket in self.tickets)

    @invariant()
    def p7_no_dead_end(self) -> None:
        for ticket in self.tickets:
            with transaction() as session:
                row = session.get_one(Ticket, ticket)
                if row.state in TERMINAL_TICKET or row.state in ("ATTENTION", "PAUSED"):
                    continue
                if row.state == "QUEUED":
                    assert locks.waiting_for(session, ticket) or ticket in locks.grantable(session)
                    continue
                query = (
                    select(Attempt.id).join(StepRow, StepRow.id == Attempt.step_id).where(StepRow.ticket_id == ticket)
                )
                query = query.where(Attempt.state.in_(["READY", "CLAIMED", "RUNNING"]))
                moving = session.execute(query).first() is not None
            assert moving or self.desk.open_gates(ticket), (row.state, self.desk.steps(ticket))

    @invariant()
    def p9_nothing_starts_after_a_cancel(self) -> None:
        with transaction() as session:
            query = select(Attempt, Ticket).join(StepRow, StepRow.id == Attempt.step_id)
            query = query.join(Ticket, Ticket.id == StepRow.ticket_id).where(Ticket.cancel_requested_at.is_not(None))
            for attempt, ticket in session.execute(query):
                assert attempt.intent_at is None or attempt.intent_at <= ticket.cancel_requested_at


@pytest.mark.timeout(900)
def test_the_engine_holds_its_invariants(database_template: Template) -> None:
    TEMPLATE["template"] = database_template
    examples = int(os.environ.get("AUTORKE_MODEL_EXAMPLES", "40"))
    run_state_machine_as_test(
        EngineModel,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.target],
        ),
    )
    db._state.clear()
