"""Node results: who has succeeded, who is still to do, and how a step stands. A success is never repeated (P1, P10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from autorke.core import events
from autorke.core.db import after_commit
from autorke.workflow.attempts import Claim
from autorke.workflow.definition import Outcome, Unit
from autorke.workflow.errors import Fenced
from autorke.workflow.models import Attempt, DatabaseLine, NodeResult, StepRow, TicketNode
from autorke.workflow.states import AttemptState, NodeState, Purpose, StepState

WHOLE = "*"
"""The node id under which a step of unit TICKET keeps its one result."""


def wanted_nodes(session: Session, ticket_id: UUID, step: StepRow) -> list[str]:
    """Targets of the step: all nodes of the ticket that no person has excluded."""
    if step.unit == Unit.TICKET:
        return [WHOLE]
    query = select(TicketNode.node_id).where(TicketNode.ticket_id == ticket_id, TicketNode.excluded_at.is_(None))
    return list(session.execute(query.order_by(TicketNode.ord)).scalars())


def last_states(session: Session, step: StepRow) -> dict[str, NodeState]:
    """Each node's newest result in this step."""
    query = (
        select(NodeResult.node_id, NodeResult.state)
        .join(Attempt, Attempt.id == NodeResult.attempt_id)
        .where(NodeResult.step_id == step.id)
        .order_by(Attempt.n)
    )
    return {node_id: NodeState(state) for node_id, state in session.execute(query)}


def open_nodes(session: Session, ticket_id: UUID, step: StepRow) -> list[str]:
    """Exactly the nodes that a retry would touch: wanted and not succeeded."""
    last = last_states(session, step)
    return [n for n in wanted_nodes(session, ticket_id, step) if last.get(n) is not NodeState.SUCCEEDED]


def planned_nodes(session: Session, step: StepRow) -> list[str]:
    """The nodes of the current round's plan: an approval covers these and no other."""
    query = (
        select(Attempt.node_ids)
        .where(Attempt.step_id == step.id, Attempt.purpose == Purpose.PLAN, Attempt.state == AttemptState.SUCCEEDED)
        .order_by(Attempt.n.desc())
        .limit(1)
    )
    return list(session.execute(query).scalar_one())


def verdict(session: Session, ticket_id: UUID, step: StepRow) -> StepState:
    """WAIT_POST_GATE when every wanted node has succeeded; UNKNOWN before PARTIAL before FAILED."""
    last = last_states(session, step)
    states = [last.get(node, NodeState.NOT_STARTED) for node in wanted_nodes(session, ticket_id, step)]
    if NodeState.UNKNOWN in states or NodeState.RUNNING in states:
        return StepState.UNKNOWN
    succeeded = states.count(NodeState.SUCCEEDED)
    if succeeded == len(states):
        return StepState.WAIT_POST_GATE
    return StepState.PARTIAL if succeeded else StepState.FAILED


def start(session: Session, held: Claim, node_id: str, batch_no: int) -> bool:
    """Record that a node begins. False when it has succeeded or is running already; raises Fenced.

    An attempt starts a node once, so its own RUNNING row means that the answer to the first COMMIT was lost: True.
    """
    _hold(session, held)
    made = session.execute(
        insert(NodeResult)
        .values(
            attempt_id=held.attempt_id,
            node_id=node_id,
            step_id=held.step_id,
            batch_no=batch_no,
            state=NodeState.RUNNING.value,
            summary="",
            evidence={},
            started_at=func.clock_timestamp(),
        )
        .on_conflict_do_nothing()
        .returning(NodeResult.node_id)
    )
    if made.one_or_none() is not None:
        _tell(session, held)
        return True
    row = session.get(NodeResult, (held.attempt_id, node_id))
    return row is not None and row.state == NodeState.RUNNING


def _hold(session: Session, held: Claim) -> None:
    query = select(Attempt.id).where(
        Attempt.id == held.attempt_id, Attempt.token == held.token, Attempt.state == AttemptState.RUNNING
    )
    if session.execute(query.with_for_update(read=True)).one_or_none() is None:
        raise Fenced()


def _tell(session: Session, held: Claim) -> None:
    """Wake who looks at the ticket: a node result is no event, it is read from its row."""
    after_commit(session, lambda: events.publish(f"ticket:{held.ticket_id}", "nodes"))


def finish(session: Session, held: Claim, outcomes: Mapping[str, Outcome]) -> None:
    """Record how nodes ended; raises Fenced when the attempt is no longer ours."""
    _hold(session, held)
    for node_id, outcome in outcomes.items():
        ended = {
            "state": outcome.state.value,
            "summary": outcome.summary,
            "error": outcome.error,
            "evidence": outcome.evidence,
            "ended_at": func.clock_timestamp(),
        }
        made = insert(NodeResult).values(
            attempt_id=held.attempt_id, node_id=node_id, step_id=held.step_id, batch_no=0, **ended
        )  # a failover of the database may have lost the row of its beginning
        session.execute(
            made.on_conflict_do_update(
                index_elements=[NodeResult.attempt_id, NodeResult.node_id],
                set_=ended,
                where=NodeResult.state == NodeState.RUNNING,
            )
        )
    _tell(session, held)


def restate(session: Session, held: Claim, outcomes: Mapping[str, Outcome]) -> None:
    """At the end of a run: record again what was recorded and is not there, as after a failover of the database."""
    query = select(NodeResult.node_id).where(
        NodeResult.attempt_id == held.attempt_id, NodeResult.state != NodeState.RUNNING
    )
    settled = set(session.execute(query).scalars())
    missing = {node_id: outcome for node_id, outcome in outcomes.items() if node_id not in settled}
    if missing:
        finish(session, held, missing)


def leave_out(session: Session, held: Claim, node_ids: Sequence[str], state: NodeState, why: str) -> None:
    """Record nodes that were never begun: NOT_STARTED after a stop, CANCELLED after a cancel."""
    _hold(session, held)
    rows: list[dict[str, Any]] = [
        {
            "attempt_id": held.attempt_id,
            "node_id": node_id,
            "step_id": held.step_id,
            "batch_no": -1,
            "state": state.value,
            "summary": why,
            "evidence": {},
            "ended_at": func.clock_timestamp(),
        }
        for node_id in node_ids
    ]
    session.execute(insert(NodeResult).values(rows).on_conflict_do_nothing())


def withdraw(session: Session, step: StepRow, why: str) -> None:
    """A success that turned out to be none, such as an order that nobody answered: it may be done again."""
    rows = update(NodeResult).where(NodeResult.step_id == step.id, NodeResult.state == NodeState.SUCCEEDED)
    session.execute(rows.values(state=NodeState.FAILED.value, summary=why))


def lose(session: Session, attempt: Attempt) -> list[str]:
    """A lost runner leaves its running nodes UNKNOWN and the others NOT_STARTED; returns the unknown ones.

    A node without a row has not begun, for its row is committed before its first effect; unless the database has failed
    over since, which may have lost that row.
    """
    rows = session.execute(select(NodeResult).where(NodeResult.attempt_id == attempt.id)).scalars().all()
    unknown = []
    for row in rows:
        if row.state == NodeState.RUNNING:
            row.state = NodeState.UNKNOWN.value
            unknown.append(row.node_id)
    known = {row.node_id for row in rows}
    forgetful = _failed_over_since(session, attempt)
    step = session.get_one(StepRow, attempt.step_id)
    targets = [WHOLE] if forgetful and step.unit == Unit.TICKET else attempt.node_ids
    for node_id in targets:
        if node_id not in known:
            session.add(without_row(attempt, node_id, forgotten=forgetful))
            unknown += [node_id] if forgetful else []
    session.flush()
    return unknown


def _failed_over_since(session: Session, attempt: Attempt) -> bool:
    query = select(DatabaseLine.id).where(DatabaseLine.changed_at > (attempt.intent_at or func.clock_timestamp()))
    return session.execute(query).first() is not None


def unknown_nodes(session: Session, attempt_id: UUID) -> list[str]:
    """Nodes of which an attempt cannot say how they ended, in order of their ids."""
    query = select(NodeResult.node_id).where(NodeResult.attempt_id == attempt_id)
    unknown = query.where(NodeResult.state == NodeState.UNKNOWN).order_by(NodeResult.node_id)
    return list(session.execute(unknown).scalars())


def without_row(attempt: Attempt, node_id: str, *, forgotten: bool) -> NodeResult:
    """The result of a node that has none: not begun, or of which the database may have lost what was recorded."""
    return NodeResult(
        attempt_id=attempt.id,
        node_id=node_id,
        step_id=attempt.step_id,
        batch_no=-1,
        state=(NodeState.UNKNOWN if forgotten else NodeState.NOT_STARTED).value,
        summary="the database has lost what was recorded of this node" if forgotten else "runner lost",
        error=None,
        evidence={},
        started_at=func.clock_timestamp() if forgotten else None,
        ended_at=None,
    )


def truth(session: Session, ticket_id: UUID) -> dict[str, dict[str, str]]:
    """`{step: {node: state}}` of everything that was ever begun: what a cancelled ticket says of itself."""
    query = (
        select(StepRow.key, NodeResult.node_id, NodeResult.state)
        .join(NodeResult, NodeResult.step_id == StepRow.id)
        .join(Attempt, Attempt.id == NodeResult.attempt_id)
        .where(StepRow.ticket_id == ticket_id)
        .order_by(StepRow.ord, Attempt.n)
    )
    table: dict[str, dict[str, str]] = {}
    for key, node_id, state in session.execute(query):
        table.setdefault(key, {})[node_id] = state
    return table


def summary_of(session: Session, step: StepRow) -> dict[str, Any]:
    """Counts by state, for lists and for the attempt's outcome."""
    counts: dict[str, int] = {}
    for state in last_states(session, step).values():
        counts[state.value] = counts.get(state.value, 0) + 1
    return counts
