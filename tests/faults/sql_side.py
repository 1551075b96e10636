"""The side of the engine on PostgreSQL: the same words as `memory.Memory`, said to the product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from autorke.core.db import db_now, transaction
from autorke.core.errors import AutoRkeError
from autorke.core.ids import new_id
from autorke.core.settings import get_settings
from autorke.tickets.service import parse_callback
from autorke.worker import process
from autorke.workflow import attempts, callbacks, commands, lifecycle, options, results
from autorke.workflow.attempts import Claim, Process
from autorke.workflow.definition import Outcome, Problem
from autorke.workflow.errors import Fenced
from autorke.workflow.gates import Decision
from autorke.workflow.models import (
    Approval,
    Attempt,
    Delegation,
    Gate,
    NodeResult,
    ResourceLock,
    StepRow,
    Ticket,
    TicketNode,
)
from autorke.workflow.reconcile import Host
from autorke.workflow.states import LIVE_ATTEMPT, NodeState, Purpose
from tests.faults.memory import Behaviour, Claimed, Ends
from tests.workflow.conftest import USER, Desk
from tests.workflow.toy import WORLD, ToyIn, bug, fail, make_flow, unreachable, words

FLOW = "toy-model"
DEAD = Host("here", process.boot_id(), lambda attempt: {"how": "the model says so", "pid": attempt.pid})
BLIND = Host("elsewhere", "another-boot", lambda _attempt: None)
ACTS = {NodeState.FAILED: fail, NodeState.UNREACHABLE: unreachable, NodeState.UNKNOWN: bug}
ME = Process("here", process.boot_id(), 1, 1)
OVER = (
    "update step_attempt set lease_until = clock_timestamp() - interval '2 minutes'"
    " where state in ('CLAIMED', 'RUNNING')"
)


class Sql:
    """One installation on a database of its own. People have names here and ids there."""

    def __init__(self, desk: Desk, people: list[str]) -> None:
        self.desk = desk
        self.ids = {name: new_id() for name in people}
        self.names = {user: name for name, user in self.ids.items()}
        self.tickets: list[UUID] = []
        self.claims: dict[Claimed, Claim] = {}
        self.begun: list[Claim] = []
        self.release(1)
        desk.rights.clear()

    def tried(self, order: Callable[[Session], object]) -> str:
        try:
            with transaction() as session:
                order(session)
        except AutoRkeError as error:
            return error.code
        return "ok"

    # people --------------------------------------------------------------------------------------------------------
    def submit(self, nodes: list[str], policy: str, flat: bool, budget: int, size: int) -> None:
        batches: dict[str, Any] = {"canary": 1, "size": size, "budget": budget}
        request = ToyIn.model_validate({"nodes": nodes, "policy": policy, "flat": flat, "batches": batches})
        with transaction() as session:
            self.tickets.append(commands.submit(session, FLOW, request, self.desk.requester)[0].id)

    def decide(self, number: int, who: str, approve: bool, comment: str, right_hash: bool) -> str:
        ticket = self.tickets[number]
        shown = self.desk.open_gates(ticket)
        if not right_hash:
            shown = dict.fromkeys(shown, "f" * 64)
        said = Decision(approve, "", comment)
        return self.tried(lambda s: commands.decide(s, ticket, shown, self.ids[who], said))

    def requester_is_refused(self, number: int) -> set[str]:
        answers = set()
        for gate, subject in self.desk.open_gates(self.tickets[number]).items():
            order = {gate: subject}
            decide = commands.decide
            answers.add(
                self.tried(lambda s: decide(s, self.tickets[number], order, self.desk.requester, Decision(True, "")))  # noqa: B023
            )
        return answers

    def order(self, number: int, what: str, who: str, more: str) -> str:
        ticket = self.tickets[number]
        stuck = next((key for key, state in self.desk.steps(ticket).items() if state in options.STUCK), "configure")
        orders: dict[str, Callable[[Session], object]] = {
            "cancel": lambda s: commands.cancel(s, ticket, USER, "model"),
            "pause": lambda s: commands.pause(s, ticket, USER, paused=True),
            "resume": lambda s: commands.pause(s, ticket, USER, paused=False),
            "exclude": lambda s: commands.exclude(s, ticket, [more], USER, "model"),
            "close": lambda s: commands.close_failed(s, ticket, USER, "model"),
            "retry": lambda s: commands.retry(s, ticket, stuck, USER),
            "revoke": lambda s: self._revoke(s, ticket, self.ids[who]),
        }
        return self.tried(orders[what])

    def _revoke(self, session: Session, ticket: UUID, who: UUID) -> None:
        options.refuse(options.ended(session.get_one(Ticket, ticket)))
        query = select(Gate.id).join(Approval, Approval.gate_id == Gate.id).join(StepRow, StepRow.id == Gate.step_id)
        query = query.where(StepRow.ticket_id == ticket, Approval.approver_id == who, Approval.revoked_at.is_(None))
        query = query.where(Gate.phase == "PRE", Gate.state.in_(["OPEN", "APPROVED"])).order_by(StepRow.ord).limit(1)
        gate = session.execute(query).scalar_one_or_none()
        commands.revoke(session, ticket, gate or new_id(), who)

    def resolve(self, number: int, who: str, done: bool, override: bool) -> str:
        ticket = self.tickets[number]
        with transaction() as session:
            query = select(Attempt.id).join(StepRow, StepRow.id == Attempt.step_id)
            query = query.where(StepRow.ticket_id == ticket, Attempt.state == "UNKNOWN")
            attempt = session.execute(query).scalar_one_or_none() or new_id()
            verdicts = dict.fromkeys(results.unknown_nodes(session, attempt), done)
        resolve = commands.resolve
        return self.tried(lambda s: resolve(s, ticket, attempt, self.ids[who], verdicts, "model", override=override))

    def role(self, who: str) -> None:
        self.desk.rights ^= {self.ids[who]}

    def delegate(self, giver: str, taker: str) -> None:
        with transaction() as session:
            gone = delete(Delegation).where(Delegation.to_id == self.ids[taker]).returning(Delegation.id)
            if session.execute(gone).first() is None:
                ids = {"from_id": self.ids[giver], "to_id": self.ids[taker]}
                until = session.execute(text("select clock_timestamp() + interval '1 day'")).scalar_one()
                session.add(Delegation(**ids, valid_from=db_now(session), valid_to=until, reason="leave"))

    # machinery -----------------------------------------------------------------------------------------------------
    def claim_all(self, expected: list[Claimed]) -> list[tuple[int, str, Purpose]]:
        """Hints of all that waits, twice and in any order; `expected` gives the claims their names."""
        taken = [claim for claim in map(self.desk.claim, self.desk.ready() * 2) if claim is not None]
        found = []
        for claim in taken:
            name = (self.tickets.index(claim.ticket_id), self._key(claim), claim.purpose)
            found.append(name)
            for it in expected:
                if (it.ticket, it.step, it.purpose) == name:
                    self.claims[it] = claim
        return found

    def _key(self, claim: Claim) -> str:
        with transaction() as session:
            return session.get_one(StepRow, claim.step_id).key

    def late_hints(self) -> int:
        """Hints of everything that was ever claimed come again: how many are taken a second time."""
        return sum(self.desk.claim(claim.attempt_id) is not None for claim in self.claims.values())

    def run(self, claim: Claimed, how: Behaviour) -> Ends:
        held = self.claims[claim]
        WORLD.behave = {f"{claim.step}:{node}": ACTS[state] for node, state in how.nodes.items() if state in ACTS}
        WORLD.state = {"kernel": "new"} if how.drifted else {}
        WORLD.problems = [Problem("model", words("x"), words("x"))] if how.blocked else []
        self.desk.run(held)
        WORLD.state, WORLD.problems = {}, []
        with transaction() as session:
            query = select(NodeResult.node_id, NodeResult.state).where(NodeResult.attempt_id == held.attempt_id)
            rows = session.execute(query.order_by(NodeResult.started_at.nulls_last(), NodeResult.node_id))
            return {row.node_id: NodeState(row.state) for row in rows} if claim.purpose is Purpose.RUN else {}

    def begin_and_die(self, claim: Claimed, count: int) -> bool:
        held = self.claims[claim]
        try:
            with transaction() as session:
                if attempts.adopt(session, held.attempt_id, held.token) is None:
                    return False
                attempts.register_process(session, held, ME, get_settings().lease)
                if not lifecycle.begin(session, held, ME, dict(WORLD.state)):
                    return False
            with transaction() as session:
                nodes = session.get_one(Attempt, held.attempt_id).node_ids if held.purpose is Purpose.RUN else []
                for node in nodes[:count]:
                    results.start(session, held, node, 0)
        except Fenced:
            return False
        self.begun.append(held)
        return True

    def lost_runners_write_nothing(self) -> int:
        """P6: whoever lost his attempt changes nothing by speaking late; returns how many have tried."""
        tried = 0
        for held in self.begun:
            with transaction() as session:
                row = session.get_one(Attempt, held.attempt_id)
                if row.token == held.token and row.state == "RUNNING":
                    continue
            tried += 1
            for speak in _writes(held):
                with pytest.raises(Fenced), transaction() as session:
                    speak(session)
        return tried

    def silent(self, proven: bool) -> None:
        with transaction() as session:
            session.execute(text(OVER))
        self.desk.reconcile(DEAD if proven else BLIND)

    def reconcile(self) -> None:
        """P13: a second pass right after the first finds nothing to do."""
        self.desk.reconcile(DEAD)
        again = self.desk.reconcile(DEAD)
        assert not set(again) - {"hints"}, again

    def expire_gate(self, number: int) -> bool:
        shown = list(self.desk.open_gates(self.tickets[number]))
        if not shown:
            return False
        with transaction() as session:
            session.get_one(Gate, shown[0]).expires_at = func.clock_timestamp() - text("interval '1 s'")
        self.desk.reconcile(DEAD)
        return True

    def callback(self, number: int, late: bool) -> str:
        """The outside answers by a token of its own, twice; the repeat gets the same answer (P11)."""
        begun = [it for it in self.desk.attempts(self.tickets[number], "notice") if it.intent_at is not None]
        if not begun:
            return "nothing"
        body = b'{"order": 7}'
        with transaction() as session:
            ttl = callbacks.MAX_SKEW * (-1 if late else 12)
            issued = callbacks.issue(session, begun[-1].id, "order", ttl=ttl, allowed_from=())
            at = str(int(db_now(session).timestamp()))
        sign = callbacks.sign(issued.hmac_secret, at, body)
        received = callbacks.Received(issued.token, at, sign, body, "192.0.2.1")
        answers = []
        for _ in range(2):
            with transaction() as session:
                answers.append(callbacks.accept(session, received, parse_callback))
        assert answers[0] == answers[1]
        return f"applied {answers[0]['applied']}"

    def halt(self) -> None:
        with transaction() as session:
            session.execute(
                text(
                    "insert into engine_switch (name, halted, reason) values ('all', true, 'model')"
                    " on conflict (name) do update set halted = not engine_switch.halted"
                )
            )

    def release(self, quorum: int) -> None:
        """A new release of the flow with another quorum; tickets that are under way keep theirs (P17)."""
        for step in make_flow(FLOW, version=quorum).steps:
            step.quorum = quorum

    # how it stands -------------------------------------------------------------------------------------------------
    def snapshot(self) -> list[Any]:
        with transaction() as session:
            return [self._shown(session, session.get_one(Ticket, ticket)) for ticket in self.tickets]

    def _shown(self, session: Session, ticket: Ticket) -> dict[str, Any]:
        out = select(TicketNode.node_id).where(TicketNode.ticket_id == ticket.id, TicketNode.excluded_at.is_not(None))
        locks = select(ResourceLock.key).where(ResourceLock.ticket_id == ticket.id)
        steps = session.execute(select(StepRow).where(StepRow.ticket_id == ticket.id).order_by(StepRow.ord)).scalars()
        return {
            "state": ticket.state,
            "cancel": ticket.cancel_requested_at is not None,
            "pause": ticket.pause_requested_at is not None,
            "excluded": sorted(session.execute(out).scalars()),
            "locks": sorted(session.execute(locks).scalars()),
            "steps": {step.key: self._shown_step(session, step) for step in steps},
        }

    def _shown_step(self, session: Session, step: StepRow) -> dict[str, Any]:
        live = select(Attempt).where(Attempt.step_id == step.id, Attempt.state.in_(LIVE_ATTEMPT))
        gates = select(Gate).where(Gate.step_id == step.id, Gate.state.in_(["OPEN", "APPROVED"]))
        return {
            "state": step.state,
            "live": {
                it.purpose: (it.state, sorted(it.node_ids), it.death_proof is not None)
                for it in session.execute(live).scalars()
            },
            "gates": {it.phase: (it.state, self._signed(session, it.id)) for it in session.execute(gates).scalars()},
            "last": {node: state.value for node, state in results.last_states(session, step).items()},
        }

    def _signed(self, session: Session, gate: UUID) -> dict[str, tuple[bool, str | None]]:
        query = select(Approval).where(Approval.gate_id == gate, Approval.revoked_at.is_(None))
        return {
            self.names[it.approver_id]: (it.decision == "APPROVE", self.names.get(it.acting_for_id))  # type: ignore[arg-type]
            for it in session.execute(query).scalars()
        }


def _writes(held: Claim) -> list[Callable[[Session], object]]:
    return [
        lambda s: results.finish(s, held, {"a": Outcome.ok()}),
        lambda s: results.start(s, held, "a", 0),
        lambda s: lifecycle.finish_run(s, held, None),
        lambda s: attempts.heartbeat(s, held, get_settings().lease),
    ]
