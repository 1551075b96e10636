"""Tables of the engine (engine.md §3.2). The schema carries rules: one live attempt, gapless events, one lock owner."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    UniqueConstraint,
    event,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from autorke.core.db import Base, append_only
from autorke.core.ids import new_id
from autorke.workflow.log_models import LogChunk as LogChunk
from autorke.workflow.log_models import LogStream as LogStream

NOW = func.clock_timestamp()


class Ticket(Base):
    """One change. `flow_snapshot`, `params` and its nodes never change after submit; `updated_at` is its last event."""

    __tablename__ = "ticket"
    __table_args__ = (
        UniqueConstraint("requester_id", "idempotency_key"),
        Index("ix_ticket_state_created_at", "state", "created_at"),
        Index("ix_ticket_created_at", "created_at"),
        Index("ix_ticket_ended_at", "ended_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[int] = mapped_column(BigInteger, Identity(), unique=True)
    flow_name: Mapped[str]
    flow_version: Mapped[int]
    flow_hash: Mapped[str]
    flow_snapshot: Mapped[dict[str, Any]]
    policy: Mapped[str]
    scope_id: Mapped[UUID | None] = mapped_column(index=True)
    requester_id: Mapped[UUID] = mapped_column(index=True)
    idempotency_key: Mapped[str | None]
    request_hash: Mapped[str]
    summary: Mapped[str]
    state: Mapped[str]
    attention: Mapped[str | None]
    row_version: Mapped[int] = mapped_column(default=1)
    params: Mapped[dict[str, Any]]
    next_seq: Mapped[int] = mapped_column(BigInteger, default=1)
    last_hash: Mapped[str] = mapped_column(default="")
    cancel_requested_at: Mapped[datetime | None]
    pause_requested_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    ended_at: Mapped[datetime | None]


class TicketNode(Base):
    """A frozen target. `excluded_at` takes it out of later steps, with a reason, by a person."""

    __tablename__ = "ticket_node"
    __table_args__ = (Index("ix_ticket_node_node_id", "node_id"),)

    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    node_id: Mapped[str] = mapped_column(primary_key=True)
    ord: Mapped[int]
    name: Mapped[str]
    data: Mapped[dict[str, Any]]
    excluded_at: Mapped[datetime | None]
    excluded_reason: Mapped[str | None]


class StepRow(Base):
    __tablename__ = "step"
    __table_args__ = (UniqueConstraint("ticket_id", "ord"), UniqueConstraint("ticket_id", "key"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("ticket.id"))
    ord: Mapped[int]
    key: Mapped[str]
    handler: Mapped[str]
    unit: Mapped[str]
    effect: Mapped[str]
    state: Mapped[str]
    skip_reason: Mapped[dict[str, Any] | None]
    pre_gate: Mapped[bool]
    post_gate: Mapped[bool]
    current_n: Mapped[int] = mapped_column(default=0)
    round: Mapped[int] = mapped_column(default=0)
    plan_id: Mapped[UUID | None]
    retry_nodes: Mapped[list[str] | None]
    result: Mapped[dict[str, Any] | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class PlanRow(Base):
    """A frozen plan; never changed, only superseded by the next round."""

    __tablename__ = "plan"
    __table_args__ = (UniqueConstraint("step_id", "round"), UniqueConstraint("id", "plan_hash"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    step_id: Mapped[UUID] = mapped_column(ForeignKey("step.id"))
    round: Mapped[int]
    body: Mapped[dict[str, Any]]
    plan_hash: Mapped[str]
    fingerprint: Mapped[dict[str, Any]]
    problems: Mapped[list[Any]]
    superseded_at: Mapped[datetime | None]
    superseded_reason: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Gate(Base):
    """A person's decision before (PRE) or after (POST) a step, bound to a hash of what was shown."""

    __tablename__ = "gate"
    __table_args__ = (
        ForeignKeyConstraint(["plan_id", "plan_hash"], ["plan.id", "plan.plan_hash"]),
        Index("uq_gate_live", "step_id", "phase", unique=True, postgresql_where=text("state in ('OPEN','APPROVED')")),
        Index("ix_gate_open", "opened_at", postgresql_where=text("state = 'OPEN'")),
        Index("ix_gate_closed_at", "closed_at"),
        CheckConstraint("quorum >= 1", name="quorum"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    step_id: Mapped[UUID] = mapped_column(ForeignKey("step.id"))
    phase: Mapped[str]
    plan_id: Mapped[UUID]
    plan_hash: Mapped[str]
    subject_hash: Mapped[str]
    quorum: Mapped[int]
    permission: Mapped[str]
    state: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(server_default=NOW)
    expires_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]


class Approval(Base):
    __tablename__ = "approval"

    gate_id: Mapped[UUID] = mapped_column(ForeignKey("gate.id"), primary_key=True)
    approver_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
    acting_for_id: Mapped[UUID | None]
    decision: Mapped[str]
    subject_hash: Mapped[str]
    comment: Mapped[str]
    authn: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    revoked_at: Mapped[datetime | None]


class Delegation(Base):
    """`from_id` lets `to_id` approve in his place for a time; not re-delegable."""

    __tablename__ = "delegation"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    from_id: Mapped[UUID] = mapped_column(index=True)
    to_id: Mapped[UUID] = mapped_column(index=True)
    scope_id: Mapped[UUID | None]
    valid_from: Mapped[datetime] = mapped_column(server_default=NOW)
    valid_to: Mapped[datetime]
    reason: Mapped[str]


class Attempt(Base):
    """One execution of a step's plan, run or probe. `token` fences: a stale holder's writes change no row (P6)."""

    __tablename__ = "step_attempt"
    __table_args__ = (
        UniqueConstraint("step_id", "n"),
        Index(
            "uq_step_attempt_live",
            "step_id",
            "purpose",
            unique=True,
            postgresql_where=text("state in ('READY','CLAIMED','RUNNING','UNKNOWN')"),
        ),
        Index("ix_step_attempt_live_state", "state", postgresql_where=text("state in ('READY','CLAIMED','RUNNING')")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    step_id: Mapped[UUID] = mapped_column(ForeignKey("step.id"))
    n: Mapped[int]
    purpose: Mapped[str]
    state: Mapped[str]
    node_ids: Mapped[list[str]]
    token: Mapped[int] = mapped_column(BigInteger, default=0)
    claim_id: Mapped[UUID | None]
    runner_id: Mapped[str | None]
    boot_id: Mapped[str | None]
    pid: Mapped[int | None]
    pid_start: Mapped[int | None] = mapped_column(BigInteger)
    ready_at: Mapped[datetime] = mapped_column(server_default=NOW)
    hinted_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    intent_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[dict[str, Any] | None]
    death_proof: Mapped[dict[str, Any] | None]
    override_by: Mapped[UUID | None]
    parent_id: Mapped[UUID | None]
    reason: Mapped[str | None]


class NodeResult(Base):
    __tablename__ = "node_result"
    __table_args__ = (
        Index(
            "uq_node_result_once",
            "step_id",
            "node_id",
            unique=True,
            postgresql_where=text("state in ('RUNNING','SUCCEEDED')"),
        ),
        Index("ix_node_result_failed", "ended_at", postgresql_where=text("state in ('FAILED','UNREACHABLE')")),
    )

    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("step_attempt.id"), primary_key=True)
    node_id: Mapped[str] = mapped_column(primary_key=True)
    step_id: Mapped[UUID] = mapped_column(ForeignKey("step.id"))
    batch_no: Mapped[int]
    state: Mapped[str]
    summary: Mapped[str] = mapped_column(default="")
    error: Mapped[dict[str, Any] | None]
    evidence: Mapped[dict[str, Any]] = mapped_column(default=dict)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class ResourceLock(Base):
    """Held by a ticket, never by a process, and without an expiry."""

    __tablename__ = "resource_lock"

    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("ticket.id"), index=True)
    fence: Mapped[int] = mapped_column(BigInteger)
    acquired_at: Mapped[datetime] = mapped_column(server_default=NOW)


class LockRequest(Base):
    """What a ticket needs; `id` is its place in the queue."""

    __tablename__ = "lock_queue"
    __table_args__ = (UniqueConstraint("ticket_id", "kind", "key"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("ticket.id"))
    kind: Mapped[str]
    key: Mapped[str]
    requested_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Event(Base):
    """Append-only and hash-chained per ticket; a trigger refuses UPDATE and DELETE (P4)."""

    __tablename__ = "event"

    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime]
    actor_type: Mapped[str]
    actor_id: Mapped[str | None]
    kind: Mapped[str]
    body: Mapped[dict[str, Any]]
    prev_hash: Mapped[str]
    hash: Mapped[str]


class CallbackToken(Base):
    """Where an outside system answers: a one-time token (only its hash is stored) and an HMAC secret."""

    __tablename__ = "callback_token"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    step_id: Mapped[UUID] = mapped_column(ForeignKey("step.id"))
    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("step_attempt.id"))
    token_sha256: Mapped[str] = mapped_column(unique=True)
    hmac_envelope: Mapped[bytes] = mapped_column(LargeBinary)
    allowed_from: Mapped[list[str]]
    purpose: Mapped[str]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    body_sha256: Mapped[str | None]
    response: Mapped[dict[str, Any] | None]


class Outbox(Base):
    """Messages that leave after the commit; drained by the API at once and by the reconciler for certain."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_unsent", "id", postgresql_where=text("sent_at is null")),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    topic: Mapped[str]
    key: Mapped[str]
    body: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    sent_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)


class Operation(Base):
    """Idempotency ledger for calls to outside systems: the intent is stored before the call (engine.md §3.7)."""

    __tablename__ = "op_journal"

    op_id: Mapped[str] = mapped_column(primary_key=True)
    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("step_attempt.id"))
    driver: Mapped[str]
    target: Mapped[str]
    request_hash: Mapped[str]
    state: Mapped[str]
    response: Mapped[dict[str, Any] | None]
    at: Mapped[datetime] = mapped_column(server_default=NOW)


class Runner(Base):
    """One worker host. Its launcher renews `last_seen` and answers for the runners it started."""

    __tablename__ = "runner"

    id: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    boot_id: Mapped[str]
    version: Mapped[str]
    handlers: Mapped[list[str]]
    last_seen: Mapped[datetime] = mapped_column(server_default=NOW)
    drain: Mapped[bool] = mapped_column(default=False)
    line: Mapped[str | None]
    """The database's line for which this host has accounted for its runs (see `safemode`)."""


class DatabaseLine(Base):
    """The history of the database that the engine knows: one row. `lost` waits for an admin's look."""

    __tablename__ = "database_line"
    ONLY: ClassVar[int] = 1

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    line: Mapped[str]
    changed_at: Mapped[datetime | None]
    lost: Mapped[list[Any]]


class KeptSecret(Base):
    """A secret that a step made and a retry must find again, sealed; gone when its ticket ends."""

    __tablename__ = "kept_secret"
    __table_args__ = (UniqueConstraint("ticket_id", "key"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("ticket.id"))
    key: Mapped[str]
    envelope: Mapped[bytes] = mapped_column(LargeBinary)


class EngineSwitch(Base):
    """Stop-all (`engine`) and `safe-mode`: while one is `halted` nothing is claimed. Runners go on to a safe point."""

    __tablename__ = "engine_switch"

    name: Mapped[str] = mapped_column(primary_key=True)
    halted: Mapped[bool]
    by: Mapped[UUID | None]
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=NOW)


append_only(Event.__table__)
for _name in ("fence_seq", "log_batch_seq"):
    event.listen(Event.__table__, "after_create", DDL(f"create sequence if not exists {_name}"))  # type: ignore[no-untyped-call]
