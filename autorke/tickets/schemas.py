"""What the tickets API takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from autorke.core.schemas import In, Out, Words
from autorke.tickets.flows import Risk

PlanHash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class TicketIn(In):
    """One POST creates a ticket; `request` is the flow's own form (see GET /flows)."""

    flow: str = Field(examples=["add_workers"], max_length=64)
    request: dict[str, Any] = Field(
        examples=[{"cluster_id": "0190…", "machines": [{"machine_id": "0190…"}], "settings": {"labels": {"pool": "a"}}}]
    )


class GateIn(In):
    gate_id: UUID = Field(strict=False)
    subject_hash: str = Field(min_length=64, max_length=64, description="The hash of what was shown")


class DecisionIn(In):
    """Sign one gate, or confirm a step and release the next in one decision of two gates."""

    gates: list[GateIn] = Field(min_length=1, max_length=4)
    decision: Literal["approve", "reject"]
    comment: str = Field("", max_length=4000)
    acting_for: UUID | None = Field(None, strict=False)


class SeenIn(In):
    """What the caller was shown."""

    seq: int = Field(ge=0, le=2**62, description="The last event")
    plan_hashes: dict[Annotated[str, Field(max_length=64)], PlanHash] = Field(
        default_factory=dict, max_length=64, description="The plan of each step, by its key"
    )


class RetryIn(In):
    step: str = Field(max_length=64)
    nodes: list[str] | None = Field(None, max_length=5000, description="Some of the failed nodes; all when left out")


class ReasonIn(In):
    reason: str = Field("", max_length=4000)


class ExcludeIn(In):
    nodes: list[str] = Field(min_length=1, max_length=5000)
    reason: str = Field(max_length=4000)


class VerdictsIn(In):
    """A person's verdict on every unknown node: true = it is done as planned, false = it is not."""

    verdicts: dict[str, bool] = Field(min_length=1, max_length=5000)
    reason: str = Field(max_length=4000)
    override: bool = Field(False, description="Take the responsibility without proof of death; needs two people")


class DelegationIn(In):
    to_id: UUID = Field(strict=False)
    scope_id: UUID | None = Field(None, strict=False)
    valid_to: datetime = Field(strict=False)
    reason: str = Field(min_length=1, max_length=1000)


class SwitchIn(In):
    halted: bool
    reason: str = Field(min_length=1, max_length=1000)


class ForgottenOut(Out):
    """What no worker host could account for after a failover; without a ticket when the database has lost that too."""

    host: str
    what: Literal["run", "rebooted"]
    ticket: int | None
    ticket_id: UUID | None
    step: str | None


class SafeModeOut(Out):
    """The database has failed over or was restored: nothing starts until each host has said what it has begun."""

    since: datetime
    waits_for: list[str]
    lost: list[ForgottenOut]


class SwitchOut(Out):
    """`halted`: nothing starts, be it by the stop-all switch or by safe mode."""

    halted: bool
    reason: str
    by: UUID | None
    at: datetime | None
    safe_mode: SafeModeOut | None


class DelegationOut(Out):
    id: UUID
    from_id: UUID
    to_id: UUID
    scope_id: UUID | None
    valid_from: datetime
    valid_to: datetime
    reason: str


class DurationOut(Out):
    """Of the last tickets that succeeded, at most 30, from submit to end."""

    tickets: int
    mean_seconds: float
    median_seconds: float


class FlowOut(Out):
    name: str
    version: int
    title: Words
    steps: list[dict[str, Any]]
    request_schema: dict[str, Any]
    risk: Risk = Field(description="By the worst that one of its steps may do")
    duration: DurationOut | None = Field(description="null before the first success")


class WaitsOut(Words):
    """What a ticket waits for: a code for the page, and the sentence."""

    code: str


class ProgressOut(Out):
    """Node × step results of the whole ticket; a step that runs once counts one, skipped steps count nothing."""

    done: int
    failed: int
    total: int


class TicketOut(Out):
    id: UUID
    number: int
    flow_name: str
    flow_version: int
    flow_title: Words
    policy: str
    scope_id: UUID | None
    cluster_name: str | None
    requester_id: UUID
    requester_name: str | None
    summary: str
    risk: Risk = Field(description="By the worst that one of its steps may do, skipped ones left out")
    targets: int = Field(description="Nodes that were frozen at the submit")
    progress: ProgressOut
    step_key: str | None = Field(description="The step at which it stands, or stood when it ended")
    step_title: Words | None
    waiting: WaitsOut | None = Field(description="null while something of it runs, and when it has ended")
    state: str
    attention: str | None
    row_version: int
    cancel_requested_at: datetime | None
    pause_requested_at: datetime | None
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None


class ApprovalOut(Out):
    approver_id: UUID
    approver_name: str | None
    acting_for_id: UUID | None
    acting_for_name: str | None
    decision: str
    subject_hash: str = Field(description="What was signed")
    comment: str
    at: datetime
    revoked_at: datetime | None


class GateApprovalOut(ApprovalOut):
    """A decision with the gate it was made on."""

    gate_id: UUID
    step: str
    step_title: Words
    phase: str
    gate_state: str
    quorum: int
    opened_at: datetime
    closed_at: datetime | None


class CandidateOut(Out):
    """Somebody who may sign the gate at this moment."""

    id: UUID
    name: str
    role: str = Field(description="The roles by which the signature would count")
    acting_for: str | None = Field(description="Whom he would sign for, when not in his own right")


class GateOut(Out):
    id: UUID
    phase: str
    state: str
    subject_hash: str
    plan_hash: str
    quorum: int
    permission: str
    opened_at: datetime
    expires_at: datetime | None
    closed_at: datetime | None
    approvals: list[ApprovalOut]
    candidates: list[CandidateOut] = Field(description="Of an open gate: who may sign it now")
    may_sign: bool = Field(description="Whether the caller may")
    reason: Words | None = Field(description="Why the caller may not")
    acting_for: UUID | None = Field(description="Whom the caller would sign for; null = in his own right")


class AttemptOut(Out):
    id: UUID
    n: int
    purpose: str
    state: str
    node_ids: list[str]
    runner_id: str | None
    ready_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    outcome: dict[str, Any] | None
    death_proof: dict[str, Any] | None
    override_by: UUID | None
    reason: str | None


class StepOut(Out):
    key: str
    title: Words
    does: Words
    effect: str
    unit: str
    state: str
    skip_reason: Words | None
    pre_gate: bool
    post_gate: bool
    round: int
    plan_hash: str | None
    problems: list[dict[str, Any]]
    result: dict[str, Any] | None
    counts: dict[str, int]
    gates: list[GateOut]
    attempts: list[AttemptOut]
    started_at: datetime | None
    ended_at: datetime | None


class WaitingOut(Out):
    kind: str
    key: str
    ticket_id: UUID
    ticket_number: int
    holds: bool


class ActionOut(Out):
    """What the caller may do now, and what it would do; `step`, `nodes` and `attempt_id` are what to ask it for."""

    allowed: bool
    reason: Words | None = Field(description="Why not")
    effect: Words
    step: str | None
    nodes: list[str]
    attempt_id: UUID | None


class ActionsOut(Out):
    retry: ActionOut
    pause: ActionOut
    resume: ActionOut
    cancel: ActionOut
    close: ActionOut
    exclude: ActionOut
    resolve: ActionOut


class SeenOut(Out):
    """What the caller was shown last: the last event, and the plan of each step."""

    seq: int
    plan_hashes: dict[str, str]
    at: datetime


class TicketDetail(TicketOut):
    params: dict[str, Any]
    watching: bool
    seen: SeenOut | None
    actions: ActionsOut
    steps: list[StepOut]
    waiting_for: list[WaitingOut]
    next_seq: int


class NodeResultOut(Out):
    step: str
    attempt_n: int
    state: str
    summary: str
    error: dict[str, Any] | None
    evidence: dict[str, Any]
    started_at: datetime | None
    ended_at: datetime | None


class TicketNodeOut(Out):
    node_id: str
    name: str
    excluded_at: datetime | None
    excluded_reason: str | None
    data: dict[str, Any]
    results: list[NodeResultOut]


class PlanOut(Out):
    step: str
    round: int
    plan_hash: str
    body: dict[str, Any]
    problems: list[dict[str, Any]]
    created_at: datetime
    superseded_at: datetime | None
    superseded_reason: dict[str, Any] | None


class PlanChangeOut(Out):
    """One difference between two plans. A stretch of lines is one difference, with lists on both sides."""

    path: str = Field(examples=["plan.targets[w1].labels.pool", "plan.diff[3..5]"])
    kind: Literal["added", "removed", "changed"]
    before: Any
    after: Any


class EventOut(Out):
    seq: int
    at: datetime
    actor_type: str
    actor_id: str | None
    actor_name: str | None = Field(description="Of a person who has an account")
    kind: str
    body: dict[str, Any]
    prev_hash: str
    hash: str


class CallbackOut(Out):
    received: bool
    applied: bool
