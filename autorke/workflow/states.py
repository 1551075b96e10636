"""States of tickets, steps, gates, attempts and node results, and the arrows between them.

A state is changed in one place only: `move()`, a guarded UPDATE that refuses an arrow not listed here (engine.md §3.3).
"""

from __future__ import annotations

from enum import Enum


class TicketState(str, Enum):
    QUEUED = "QUEUED"  # waits for its locks
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    ATTENTION = "ATTENTION"  # needs a person; at least one action is legal
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


class StepState(str, Enum):
    PENDING = "PENDING"
    PLANNING = "PLANNING"
    PLAN_FAILED = "PLAN_FAILED"  # a blocking check failed, or planning itself did
    WAIT_PRE_GATE = "WAIT_PRE_GATE"
    GATE_CLOSED = "GATE_CLOSED"  # rejected or expired: plan anew, or cancel
    READY = "READY"
    RUNNING = "RUNNING"
    WAIT_CALLBACK = "WAIT_CALLBACK"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    WAIT_POST_GATE = "WAIT_POST_GATE"
    DONE = "DONE"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"


class GatePhase(str, Enum):
    PRE = "PRE"
    POST = "POST"


class GateState(str, Enum):
    OPEN = "OPEN"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    VOID = "VOID"  # the plan it was bound to is no longer the plan


class Purpose(str, Enum):
    PLAN = "PLAN"  # read-only
    RUN = "RUN"
    PROBE = "PROBE"  # read-only: what is there after an UNKNOWN


class AttemptState(str, Enum):
    READY = "READY"
    CLAIMED = "CLAIMED"
    RUNNING = "RUNNING"  # the write-ahead intent is committed
    SUCCEEDED = "SUCCEEDED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"
    ABANDONED = "ABANDONED"  # provably without effect
    RESOLVED_DONE = "RESOLVED_DONE"
    RESOLVED_FAILED = "RESOLVED_FAILED"


class NodeState(str, Enum):
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UNREACHABLE = "UNREACHABLE"
    UNKNOWN = "UNKNOWN"
    NOT_STARTED = "NOT_STARTED"
    CANCELLED = "CANCELLED"


TERMINAL_TICKET = frozenset(
    {
        TicketState.SUCCEEDED,
        TicketState.FAILED,
        TicketState.CANCELLED,
        TicketState.REJECTED,
        TicketState.EXPIRED,
    }
)
LIVE_ATTEMPT = frozenset({AttemptState.READY, AttemptState.CLAIMED, AttemptState.RUNNING, AttemptState.UNKNOWN})
CLOSED_STEP = frozenset({StepState.DONE, StepState.SKIPPED})
NEEDS_PERSON = frozenset(
    {StepState.PLAN_FAILED, StepState.GATE_CLOSED, StepState.PARTIAL, StepState.FAILED, StepState.UNKNOWN}
)

_S = StepState
STEP_ARROWS: dict[StepState, frozenset[StepState]] = {
    _S.PENDING: frozenset({_S.PLANNING, _S.SKIPPED, _S.CANCELLED}),
    _S.PLANNING: frozenset({_S.WAIT_PRE_GATE, _S.PLAN_FAILED, _S.PENDING, _S.CANCELLED}),
    _S.PLAN_FAILED: frozenset({_S.PLANNING, _S.PENDING, _S.WAIT_POST_GATE, _S.CANCELLED}),
    _S.WAIT_PRE_GATE: frozenset({_S.READY, _S.GATE_CLOSED, _S.PLANNING, _S.PENDING, _S.CANCELLED}),
    _S.GATE_CLOSED: frozenset({_S.PLANNING, _S.PENDING, _S.WAIT_POST_GATE, _S.CANCELLED}),
    _S.READY: frozenset({_S.RUNNING, _S.WAIT_PRE_GATE, _S.PLANNING, _S.CANCELLED}),
    _S.RUNNING: frozenset({_S.WAIT_CALLBACK, _S.WAIT_POST_GATE, _S.PARTIAL, _S.FAILED, _S.UNKNOWN, _S.CANCELLED}),
    _S.WAIT_CALLBACK: frozenset({_S.WAIT_POST_GATE, _S.FAILED, _S.CANCELLED}),
    _S.PARTIAL: frozenset({_S.PLANNING, _S.WAIT_POST_GATE, _S.CANCELLED}),
    _S.FAILED: frozenset({_S.PLANNING, _S.WAIT_POST_GATE, _S.CANCELLED}),
    _S.UNKNOWN: frozenset({_S.WAIT_CALLBACK, _S.WAIT_POST_GATE, _S.PARTIAL, _S.FAILED}),
    _S.WAIT_POST_GATE: frozenset({_S.DONE, _S.FAILED, _S.CANCELLED}),
    _S.DONE: frozenset(),
    _S.SKIPPED: frozenset(),
    _S.CANCELLED: frozenset(),
}
