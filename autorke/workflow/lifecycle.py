"""What a runner does to its attempt, as short transactions: begin after the last look at gate and drift, then end.

Each function locks the ticket, checks the token, changes state, and lets the ticket advance, all in one commit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from autorke.core.canonical import canonical, sha256_hex, without_floats
from autorke.workflow import attempts, engine, gates, results
from autorke.workflow.attempts import Claim, Process
from autorke.workflow.definition import Outcome, Plan
from autorke.workflow.errors import Fenced
from autorke.workflow.journal import SYSTEM, By, lock_ticket, record
from autorke.workflow.models import Attempt, NodeResult, PlanRow, StepRow, Ticket
from autorke.workflow.states import AttemptState, GatePhase, GateState, NodeState, Purpose, StepState

MAX_LOSSES = 3
LOST = "runner lost before any effect"


def begin(
    session: Session, held: Claim, process: Process, observed: dict[str, Any] | None, *, observed_ms: int = 0
) -> bool:
    """Commit the write-ahead intent, if the approval still stands and nothing drifted since the plan (P3, P14).

    `observed` is the state just read, None for a step without drift check; reading it took `observed_ms`. False: the
    attempt was given up without effect and the ticket shows why. Raises Fenced.
    """
    ticket = lock_ticket(session, held.ticket_id)
    step = attempts.step_of(session, held)
    attempt = session.get_one(Attempt, held.attempt_id, populate_existing=True)
    if attempt.token == held.token and attempt.state == AttemptState.RUNNING and attempt.pid == process.pid:
        return True  # the answer to our own COMMIT was lost
    if attempt.token != held.token or attempt.state != AttemptState.CLAIMED:
        raise Fenced()
    if not attempts.may_begin(step, held.purpose) or ticket.cancel_requested_at is not None:
        attempts.abandon(session, ticket, attempt, "no longer wanted")
        engine.advance(session, ticket)
        return False
    if held.purpose is not Purpose.PROBE and (ticket.pause_requested_at is not None or attempts.halted(session)):
        attempts.abandon(session, ticket, attempt, "paused before it began")
        attempts.create(session, ticket, step, held.purpose, attempt.node_ids, parent_id=attempt.id)
        return False
    if held.purpose is Purpose.RUN and not _still_approved(session, ticket, step, attempt, observed):
        engine.advance(session, ticket)
        return False
    attempts.begin(session, held, process)
    if held.purpose is Purpose.RUN:
        step.started_at = step.started_at or func.clock_timestamp()
        engine.move(session, ticket, step, StepState.RUNNING, n=attempt.n)
    by = By("runner", process.runner_id)
    body = {"step": step.key, "n": attempt.n, "purpose": held.purpose.value, "observed_ms": observed_ms}
    record(session, ticket, "attempt.started", by, body)
    return True


def _still_approved(
    session: Session, ticket: Ticket, step: StepRow, attempt: Attempt, observed: dict[str, Any] | None
) -> bool:
    plan = session.get_one(PlanRow, step.plan_id)
    if step.pre_gate:
        gate = gates.live_gate(session, step, GatePhase.PRE)
        if gate is None or gate.plan_hash != plan.plan_hash:
            raise Fenced()
        if gate.state != GateState.APPROVED or not gates.quorum_met(session, ticket, gate):
            attempts.abandon(session, ticket, attempt, "the approval no longer stands")
            engine.move(session, ticket, step, StepState.WAIT_PRE_GATE)
            gates.reopen(session, ticket, step, gate)
            return False
    drift = _drift(plan.fingerprint, observed)
    if drift:
        attempts.abandon(session, ticket, attempt, "drift")
        record(session, ticket, "plan.drifted", SYSTEM, {"step": step.key, "drift": drift})
        plan.superseded_at = func.clock_timestamp()
        plan.superseded_reason = {"drift": drift}
        engine.start_planning(session, ticket, step, step.retry_nodes)
        return False
    return True


def _drift(planned: dict[str, Any], observed: dict[str, Any] | None) -> list[dict[str, Any]]:
    """What the approver must see: each key that differs, as it was planned and as it is."""
    if observed is None:
        return []
    now = json.loads(canonical(without_floats(observed)))  # the plan's side has been through JSON too
    keys = sorted(set(planned) | set(now))
    return [
        {"key": key, "planned": planned.get(key), "now": now.get(key)}
        for key in keys
        if planned.get(key) != now.get(key)
    ]


def finish_plan(session: Session, held: Claim, plan: Plan, problems: Sequence[dict[str, Any]]) -> None:
    """Freeze and hash a plan; a blocking problem stops the step here, otherwise its pre gate opens.

    `problems` are those of the plan as JSON, masked like its body.
    """
    ticket = attempts.end(session, held, AttemptState.SUCCEEDED, {"problems": len(plan.problems)})
    step = attempts.step_of(session, held)
    body = {
        "flow_hash": ticket.flow_hash,
        "ticket": str(ticket.id),
        "step": step.key,
        "handler": step.handler,
        "round": step.round,
        "nodes": _planned(session, held),
        "fingerprint": without_floats(plan.fingerprint),
        "problems": list(problems),
        "plan": without_floats(plan.body),
    }
    row = PlanRow(
        step_id=step.id,
        round=step.round,
        body=body,
        plan_hash=sha256_hex(body),
        fingerprint=body["fingerprint"],
        problems=body["problems"],
    )
    session.add(row)
    session.flush()
    step.plan_id = row.id
    record(session, ticket, "plan.frozen", SYSTEM, {"step": step.key, "round": step.round, "plan_hash": row.plan_hash})
    if any(problem.blocking for problem in plan.problems):
        engine.move(session, ticket, step, StepState.PLAN_FAILED)
    else:
        engine.move(session, ticket, step, StepState.WAIT_PRE_GATE)
        if step.pre_gate:
            gates.open_gate(session, ticket, step, GatePhase.PRE, ttl=engine.gate_ttl())
    engine.advance(session, ticket)


def _planned(session: Session, held: Claim) -> list[str]:
    return list(session.execute(select(Attempt.node_ids).where(Attempt.id == held.attempt_id)).scalar_one())


def fail_plan(session: Session, held: Claim, error: dict[str, Any]) -> None:
    """Planning itself failed: the ticket shows the error and a person plans again or cancels."""
    ticket = attempts.end(session, held, AttemptState.FAILED, {"error": error})
    step = attempts.step_of(session, held)
    step.result = {"error": error}
    engine.move(session, ticket, step, StepState.PLAN_FAILED, error=error)
    engine.advance(session, ticket)


def finish_run(session: Session, held: Claim, result: dict[str, Any] | None, *, cancelled: bool = False) -> None:
    """Close a run from its node results and let the ticket go on."""
    ticket = lock_ticket(session, held.ticket_id)
    step = attempts.step_of(session, held)
    if result is not None:
        step.result = {**_early_answer(step), **result}
    verdict = results.verdict(session, ticket.id, step)
    if verdict is StepState.UNKNOWN:  # a node that has begun and of which not even the runner knows the end
        results.lose(session, session.get_one(Attempt, held.attempt_id))
    state = {
        StepState.WAIT_POST_GATE: AttemptState.SUCCEEDED,
        StepState.PARTIAL: AttemptState.PARTIAL,
        StepState.UNKNOWN: AttemptState.UNKNOWN,
    }.get(verdict, AttemptState.FAILED)
    if cancelled and state is not AttemptState.UNKNOWN:
        state = AttemptState.CANCELLED
    counts = results.summary_of(session, step)
    attempts.end(session, held, state, {"counts": counts})
    if state is AttemptState.UNKNOWN:  # the runner itself says so: it is alive and done, nothing of it runs on
        attempt = session.get_one(Attempt, held.attempt_id, populate_existing=True)
        attempt.death_proof = {"by": "runner", "how": "it ended by itself"}
    body = {"step": step.key, "state": state.value, "counts": counts}
    record(session, ticket, "attempt.ended", By("runner", str(held.attempt_id)), body)
    engine.settle_step(session, ticket, step)
    if state is AttemptState.UNKNOWN:  # evidence for the person who decides, as after a lost runner
        unknown = results.unknown_nodes(session, held.attempt_id)
        attempts.create(session, ticket, step, Purpose.PROBE, unknown, parent_id=held.attempt_id)
    engine.advance(session, ticket)


def _early_answer(step: StepRow) -> dict[str, Any]:
    """The outside may have answered before the runner had closed the run: that answer stays."""
    return {key: value for key, value in (step.result or {}).items() if key == "callback"}


def finish_probe(session: Session, held: Claim, seen: dict[str, Outcome]) -> None:
    """Store what a probe saw beside the unknown attempt; it changes no state, a person does."""
    evidence = {
        node: {"suggests": outcome.state.value, "summary": outcome.summary, "evidence": outcome.evidence}
        for node, outcome in seen.items()
    }
    ticket = attempts.end(session, held, AttemptState.SUCCEEDED, {"probe": evidence})
    step = attempts.step_of(session, held)
    suggests = {node: outcome.state.value for node, outcome in seen.items()}
    record(session, ticket, "attempt.probed", SYSTEM, {"step": step.key, "suggests": suggests})


def lost(session: Session, ticket: Ticket, attempt: Attempt, proof: dict[str, Any] | None) -> None:
    """The reconciler's verdict on a silent runner. Read-only work starts again; a run becomes UNKNOWN (P8)."""
    step = session.get_one(StepRow, attempt.step_id, populate_existing=True)
    if attempt.state == AttemptState.CLAIMED or attempt.purpose != Purpose.RUN:
        _again(session, ticket, step, attempt)
        return
    attempt.state = AttemptState.UNKNOWN.value
    attempt.token += 1
    attempt.death_proof = proof
    unknown = results.lose(session, attempt)
    body = {"step": step.key, "n": attempt.n, "unknown": unknown, "death_proven": proof is not None}
    record(session, ticket, "attempt.unknown", SYSTEM, body)
    if not unknown:
        _nothing_under_way(session, ticket, step, attempt)
        return
    engine.move(session, ticket, step, StepState.UNKNOWN)
    attempts.create(session, ticket, step, Purpose.PROBE, unknown, parent_id=attempt.id)
    engine.advance(session, ticket)


def _again(session: Session, ticket: Ticket, step: StepRow, attempt: Attempt) -> None:
    """Nothing can have happened: a new attempt for the same nodes, a bounded number of times in a row.

    A plan that is lost each time needs a person; a run that is lost each time is planned (and approved) anew; after a
    probe that is lost each time the person who resolves decides without it.
    """
    attempts.abandon(session, ticket, attempt, LOST)
    purpose = Purpose(attempt.purpose)
    if attempts.in_a_row(session, step, purpose, LOST) < MAX_LOSSES:
        attempts.create(session, ticket, step, purpose, attempt.node_ids, parent_id=attempt.id)
    elif purpose is Purpose.PLAN:
        engine.move(session, ticket, step, StepState.PLAN_FAILED, error={"code": "planning-lost"})
        engine.advance(session, ticket)
    elif purpose is Purpose.RUN:
        engine.start_planning(session, ticket, step, step.retry_nodes)


def _nothing_under_way(session: Session, ticket: Ticket, step: StepRow, attempt: Attempt) -> None:
    """No node was under way, and the new token lets none begin: each node's truth is known, no person is asked."""
    attempt.state = AttemptState.FAILED.value
    attempt.ended_at = func.clock_timestamp()
    session.flush()
    engine.settle_step(session, ticket, step)
    engine.advance(session, ticket)


def resolve(
    session: Session, ticket: Ticket, attempt: Attempt, verdicts: dict[str, NodeState], by: By, why: str
) -> None:
    """A person's verdict on each unknown node; the step then stands as if the runner had said so."""
    step = session.get_one(StepRow, attempt.step_id, populate_existing=True)
    query = select(NodeResult).where(NodeResult.attempt_id == attempt.id, NodeResult.state == NodeState.UNKNOWN)
    for row in session.execute(query).scalars():
        row.state = verdicts[row.node_id].value
        row.summary = f"resolved: {why}"
        row.ended_at = func.clock_timestamp()
    done = all(state is NodeState.SUCCEEDED for state in verdicts.values())
    attempt.state = (AttemptState.RESOLVED_DONE if done else AttemptState.RESOLVED_FAILED).value
    attempt.ended_at = func.clock_timestamp()
    attempt.reason = why
    session.flush()
    for probe in [attempts.live(session, step, Purpose.PROBE)]:
        if probe is not None:
            attempts.abandon(session, ticket, probe, "resolved")
    said = {node: state.value for node, state in verdicts.items()}
    record(session, ticket, "attempt.resolved", by, {"step": step.key, "verdicts": said, "reason": why})
    engine.settle_step(session, ticket, step)
    engine.advance(session, ticket)
