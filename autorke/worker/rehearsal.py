"""What every runner would do anew after its fork, done once before it: an attempt that is planned and run in one
transaction, which is then rolled back.

SQLAlchemy compiles a statement when it meets it first (about 1 ms each, some 30 in a runner's life); forked children
inherit what their launcher has compiled. Nothing of the rehearsal is ever visible to anybody else.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from autorke.core import db
from autorke.core.errors import Text
from autorke.core.ids import new_id
from autorke.core.redact import Secrets
from autorke.workflow import attempts, commands, context, engine, gates, lifecycle, logrows, results
from autorke.workflow.attempts import Claim, Process
from autorke.workflow.context import Loaded
from autorke.workflow.definition import Accepted, Effect, Flow, Node, Outcome, Plan, Unit
from autorke.workflow.journal import lock_ticket
from autorke.workflow.logstore import LogWriter
from autorke.workflow.models import Approval, Attempt, Gate, PlanRow, StepRow, Ticket, TicketNode
from autorke.workflow.states import GatePhase, GateState, TicketState

_NAME = Text(zh="预演", en="rehearsal")
_LEASE = timedelta(minutes=1)


class _Nothing(BaseModel):
    """Parameters of a flow that does nothing."""


_flow = Flow("rehearsal", 1, _NAME, _Nothing, _Nothing)  # not registered: no ticket of it can be made
_step = _flow.step("act", title=_NAME, does=_NAME, effect=Effect.CONVERGENT, unit=Unit.NODE, timeout=_LEASE)
_node = Node("rehearsal", "rehearsal", {})


def rehearse(process: Process) -> None:
    """Go through a runner's life with the functions it uses. Raises SQLAlchemyError when the database is away."""
    session = db.new_session()
    try:
        with session.begin() as whole:
            _play(session, process)
            whole.rollback()
    finally:
        session.close()


def _play(session: Session, process: Process) -> None:
    ticket_id = _submit(session)
    held = _adopt(session, process)
    _begin(session, held, process)
    lifecycle.finish_plan(session, held, Plan({}), [])
    _approve(session, lock_ticket(session, ticket_id))
    held = _adopt(session, process)
    _begin(session, held, process)
    _scene(session)
    attempts.wishes(session, held)
    results.start(session, held, _node.id, 0)
    results.finish(session, held, {_node.id: Outcome.ok()})
    _write_log(session, held)
    _scene(session)
    attempts.has_ended(session, held)
    results.restate(session, held, {_node.id: Outcome.ok()})
    lifecycle.finish_run(session, held, None)


def _scene(session: Session) -> None:
    """What is a transaction of its own in a runner's life begins without any object in memory."""
    session.flush()
    session.expunge_all()


def _submit(session: Session) -> UUID:
    """An active ticket; its number is no number that a ticket can have, so that no number is used up."""
    accepted = Accepted(_Nothing(), [_node], [], None)
    ticket = Ticket(
        number=0, flow_name=_flow.name, flow_version=1, flow_hash=_flow.hash, flow_snapshot=_flow.snapshot(),
        policy=accepted.policy.value, requester_id=new_id(), request_hash="", summary="",
        state=TicketState.ACTIVE.value, params={},
    )  # fmt: skip
    session.add(ticket)
    session.flush()
    session.add(TicketNode(ticket_id=ticket.id, node_id=_node.id, ord=0, name=_node.name, data={}))
    session.add_all(commands.step_rows(_flow, accepted, ticket.id))
    session.flush()
    engine.advance(session, lock_ticket(session, ticket.id))
    return ticket.id


def _adopt(session: Session, process: Process) -> Claim:
    """The attempt that is READY, claimed and held by a runner."""
    _scene(session)
    ready = select(Attempt.id).where(Attempt.state == "READY").join(StepRow).join(Ticket).where(Ticket.number == 0)
    attempt_id = session.scalars(ready).one()
    session.execute(update(Attempt).where(Attempt.id == attempt_id).values(state="CLAIMED", token=1))
    held = attempts.adopt(session, attempt_id, 1)
    if held is None:
        raise RuntimeError("a claim that is there was not found")
    attempts.register_process(session, held, process, _LEASE)
    return held


def _begin(session: Session, held: Claim, process: Process) -> None:
    """Read everything, commit the intent."""
    _scene(session)
    row, ticket = session.get_one(StepRow, held.step_id), session.get_one(Ticket, held.ticket_id)
    plan = session.get(PlanRow, row.plan_id) if row.plan_id else None
    loaded = Loaded(_flow, _step, held, ticket, row, session.get_one(Attempt, held.attempt_id), plan)
    secrets = Secrets()
    writer = LogWriter(held.ticket_id, held.attempt_id, secrets)  # never started: it only stands in its place
    context.make_context(session, loaded, run_dir=Path(), secrets=secrets, writer=writer)
    _scene(session)
    lifecycle.begin(session, held, process, None)
    _scene(session)


def _approve(session: Session, ticket: Ticket) -> None:
    """Ask whether the gate's quorum is met, as every runner does; then let the step pass without a gate, because
    nobody has signed it."""
    step = engine.steps_of(session, ticket)[0]
    gate = gates.live_gate(session, step, GatePhase.PRE)
    if gate is None:
        raise RuntimeError("the plan opened no gate")
    said = {"decision": "APPROVE", "subject_hash": gate.subject_hash, "comment": "", "authn": {}}
    session.add(Approval(gate_id=gate.id, approver_id=new_id(), **said))
    session.flush()
    gates.quorum_met(session, ticket, gate)
    session.execute(update(Gate).where(Gate.id == gate.id).values(state=GateState.VOID.value))
    step.pre_gate = False
    session.flush()
    engine.advance(session, ticket)


def _write_log(session: Session, held: Claim) -> None:
    stream = new_id()
    chunk = logrows.NewChunk(0, 0, 1, 1, b"\n")
    grown = logrows.Grown(stream, None, [chunk], 1, 1, None)
    logrows.store(session, held.ticket_id, held.attempt_id, [grown])
    logrows.close(session, [logrows.End(stream, 1, "")])
