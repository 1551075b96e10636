"""What the wizard's preview and checks take and give."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field

from autorke.core.schemas import In, Out, Words
from autorke.tickets.schemas import WaitingOut


class AskIn(In):
    """The flow's own form, as a submit would send it (see GET /flows)."""

    request: dict[str, Any] = Field(
        examples=[{"cluster_id": "0190…", "machines": [{"machine_id": "0190…"}], "labels": {"pool": "a"}}]
    )


class TargetOut(Out):
    """One target that was asked for; `code` and `reason` are null when a submit would take it."""

    node_id: str
    name: str
    data: dict[str, Any]
    code: str | None
    reason: Words | None


class PreviewStepOut(Out):
    key: str
    title: Words
    does: Words
    effect: str
    unit: str
    cancel: str
    timeout_s: int
    permission: str
    quorum: int
    pre_gate: bool
    post_gate: bool
    skip_reason: Words | None


class ApproverOut(Out):
    id: UUID
    name: str
    display_name: str
    roles: list[str]
    acting_for: str | None = Field(description="Whom he would sign for, when not in his own right")


class CommandsOut(Out):
    """What one tool is told in one step; `what` names the playbook or is empty."""

    step: str
    tool: str
    what: str
    lines: list[str]


class AddsOut(Out):
    hostname: str
    address: str
    role: list[str]


class ConfigChangeOut(Out):
    """cluster.yml: a unified diff, the settings that differ, and the changed part itself, secrets masked.

    `before` and `after` begin at line `first_line` of the file.
    """

    cluster: str
    config_revision: int
    state_revision: int
    adds: list[AddsOut]
    settings: list[str]
    diff: list[str]
    first_line: int
    before: str
    after: str


class QueueOut(Out):
    """`position` tickets hold or wait for a lock that this one needs; 0 = it would start at once."""

    position: int
    waiting_for: list[WaitingOut]


class PreviewOut(Out):
    flow: str
    summary: str
    policy: str
    cluster: dict[str, Any] | None
    targets: list[TargetOut]
    submittable: bool
    config: ConfigChangeOut | None
    commands: list[CommandsOut]
    problems: list[dict[str, Any]]
    steps: list[PreviewStepOut]
    approvers: dict[str, list[ApproverOut]]
    queue: QueueOut
