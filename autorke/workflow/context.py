"""What a step's functions get: frozen parameters, targets, the approved plan, a log, and the will of the people."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from autorke.core import crypto
from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.core.redact import Secrets
from autorke.workflow.attempts import Claim
from autorke.workflow.definition import Effect, Flow, Node, Step, find_handler
from autorke.workflow.engine import nodes_of
from autorke.workflow.locks import fence_of
from autorke.workflow.logstore import LogWriter
from autorke.workflow.models import Attempt, KeptSecret, NodeResult, PlanRow, StepRow, Ticket, TicketNode
from autorke.workflow.states import NodeState, Purpose


class HandlerMissing(RuntimeError):
    """This process does not carry the step's handler; the attempt stays for one that does (P17)."""


@dataclass
class Context:
    """One execution of one step. Values only: a step opens its own short transactions where it needs the database."""

    ticket_id: UUID
    ticket_number: int
    requester_id: UUID
    scope_id: UUID | None
    attempt_id: UUID
    step_key: str
    read_only: bool
    params: Any
    nodes: Sequence[Node]
    """Targets of this attempt: for a retry only the failed ones."""
    all_nodes: Sequence[Node]
    """Every target of the ticket that is not excluded."""
    plan: Mapping[str, Any]
    """The approved plan's body, `{}` while planning."""
    earlier: Mapping[str, Mapping[str, Any]]
    """Results of earlier steps: `{step key: {"result": …, "nodes": {node id: evidence}}}`."""
    begun: Mapping[str, frozenset[str]]
    """Nodes by step key on which an earlier attempt of this ticket has begun."""
    fence: int
    run_dir: Path
    secrets: Secrets
    writer: LogWriter
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    result: dict[str, Any] | None = None
    """Set by a step that has something to hand to later steps or to show."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What a step's functions leave for each other within this attempt; in memory only."""
    cancel: Event = field(default_factory=Event)
    pause: Event = field(default_factory=Event)

    def log(self, text: str, node: Node | None = None) -> None:
        """One line for people; masked before it leaves the process."""
        self.writer.line(node.id if node else None, text)

    def emit(self, name: str, text: str) -> None:
        """`drivers.base.Emit`: a driver's line, told to the node of that name."""
        self.writer.line(self._ids.get(name), text)

    @cached_property
    def _ids(self) -> Mapping[str, str]:
        return {node.name: node.id for node in self.all_nodes}

    def begun_before(self, step_key: str) -> frozenset[str]:
        """Nodes on which that step has begun before: what it left there is ours."""
        return self.begun.get(step_key, frozenset())

    def kept_secret(self, key: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """A JSON secret that is made once per ticket and found again by a retry; sealed in the database."""
        with transaction() as session:
            query = select(KeptSecret).where(KeptSecret.ticket_id == self.ticket_id, KeptSecret.key == key)
            row = session.execute(query).scalar_one_or_none()
            if row is not None:
                found: dict[str, Any] = json.loads(crypto.unseal(row.envelope, object_id=row.id, version=1))
                return found
            value, row_id = make(), new_id()
            envelope = crypto.seal(json.dumps(value).encode(), object_id=row_id, version=1)
            session.add(KeptSecret(id=row_id, ticket_id=self.ticket_id, key=key, envelope=envelope))
            return value

    @property
    def cancelled(self) -> bool:
        return self.cancel.is_set()


@dataclass(frozen=True)
class Loaded:
    """Everything the runner needs to know of its attempt, read in one transaction."""

    flow: Flow
    step: Step
    held: Claim
    ticket: Ticket
    row: StepRow
    attempt: Attempt
    plan: PlanRow | None


def load(session: Session, held: Claim) -> Loaded:
    row = session.get_one(StepRow, held.step_id)
    found = find_handler(row.handler)
    if found is None:
        raise HandlerMissing(row.handler)
    plan = session.get(PlanRow, row.plan_id) if row.plan_id else None
    ticket = session.get_one(Ticket, held.ticket_id)
    return Loaded(found[0], found[1], held, ticket, row, session.get_one(Attempt, held.attempt_id), plan)


def make_context(session: Session, loaded: Loaded, *, run_dir: Path, secrets: Secrets, writer: LogWriter) -> Context:
    ticket, row = loaded.ticket, loaded.row
    query = select(TicketNode.node_id).where(TicketNode.ticket_id == ticket.id, TicketNode.excluded_at.is_not(None))
    excluded = set(session.execute(query).scalars())
    everyone = [node for node in nodes_of(session, ticket.id) if node.id not in excluded]
    wanted = set(loaded.attempt.node_ids)
    whole = row.unit == "TICKET"
    return Context(
        ticket_id=ticket.id,
        ticket_number=ticket.number,
        requester_id=ticket.requester_id,
        scope_id=ticket.scope_id,
        attempt_id=loaded.attempt.id,
        step_key=row.key,
        read_only=row.effect == Effect.READ_ONLY or loaded.held.purpose is not Purpose.RUN,
        params=loaded.flow.params.model_validate(ticket.params),
        nodes=everyone if whole else [node for node in everyone if node.id in wanted],
        all_nodes=everyone,
        plan=loaded.plan.body["plan"] if loaded.plan else {},
        earlier=_earlier(session, ticket, row),
        begun=_begun(session, ticket),
        fence=fence_of(session, ticket.id),
        run_dir=run_dir,
        secrets=secrets,
        writer=writer,
        fingerprint=loaded.plan.fingerprint if loaded.plan else {},
    )


def _earlier(session: Session, ticket: Ticket, row: StepRow) -> dict[str, dict[str, Any]]:
    steps = select(StepRow).where(StepRow.ticket_id == ticket.id, StepRow.ord < row.ord).order_by(StepRow.ord)
    found: dict[str, dict[str, Any]] = {}
    for step in session.execute(steps).scalars():
        query = select(NodeResult.node_id, NodeResult.evidence).where(
            NodeResult.step_id == step.id, NodeResult.state == NodeState.SUCCEEDED
        )
        evidence = {row.node_id: row.evidence for row in session.execute(query)}
        found[step.key] = {"result": step.result or {}, "nodes": evidence}
    return found


def _begun(session: Session, ticket: Ticket) -> dict[str, frozenset[str]]:
    query = (
        select(StepRow.key, NodeResult.node_id)
        .join(StepRow, StepRow.id == NodeResult.step_id)
        .where(StepRow.ticket_id == ticket.id, NodeResult.started_at.is_not(None))
    )
    found: dict[str, set[str]] = {}
    for key, node_id in session.execute(query):
        found.setdefault(key, set()).add(node_id)
    return {key: frozenset(nodes) for key, nodes in found.items()}
