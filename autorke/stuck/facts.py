"""What a look finds in the database: values only, so that the judgement on them (`detect`) needs no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from autorke.core.settings import Settings
from autorke.users.access import Rights
from autorke.workflow.signing import StandIn

Title = Mapping[str, str]
"""Of a step or a thing, `{zh, en}`."""


@dataclass(frozen=True)
class Limits:
    """How long each kind of waiting may take (settings `stuck_*`)."""

    after: timedelta
    decision: timedelta
    behind: timedelta
    callback: timedelta
    silence: timedelta
    skew: timedelta
    run_dir: int

    @staticmethod
    def of(settings: Settings) -> Limits:
        return Limits(
            settings.stuck_after,
            settings.stuck_decision,
            settings.stuck_behind,
            settings.stuck_callback,
            settings.stuck_silence,
            settings.stuck_skew,
            settings.stuck_run_dir,
        )


@dataclass(frozen=True)
class HostFacts:
    """A worker host as its last reports say; what it has never reported is None."""

    id: str
    last_seen: datetime
    drain: bool
    handlers: Sequence[str]
    stopped: bool
    last_pass: datetime | None
    skew_ms: int | None
    run_dir_free: int | None
    alive: Sequence[str]
    broker_down_since: datetime | None


@dataclass(frozen=True)
class Ready:
    """An attempt that could be claimed, since when."""

    ticket_id: UUID
    handler: str
    since: datetime


@dataclass(frozen=True)
class Held:
    """An attempt whose runner is silent, of which nobody knows the end, or of which a process is there."""

    attempt_id: UUID
    ticket_id: UUID
    scope_id: UUID | None
    title: Title
    n: int
    state: str
    runner_id: str | None
    lease_until: datetime | None
    ended_at: datetime | None
    proven: bool


@dataclass(frozen=True)
class OpenGate:
    gate_id: UUID
    ticket_id: UUID
    scope_id: UUID | None
    requester_id: UUID
    permission: str
    quorum: int
    opened_at: datetime
    expires_at: datetime | None
    title: Title
    decided: Mapping[str, str]


@dataclass(frozen=True)
class People:
    """Who could sign: what everybody holds, and who stands in for whom."""

    rights: Rights
    stand_ins: Mapping[UUID, tuple[StandIn, ...]]


@dataclass(frozen=True)
class Awaited:
    """A step that waits for the callback of an outside system."""

    step_id: UUID
    ticket_id: UUID
    scope_id: UUID | None
    title: Title
    since: datetime
    deadline: datetime | None


@dataclass(frozen=True)
class Unmoved:
    """An open ticket for which nobody and nothing has anything to do; `queued`: its locks are free."""

    ticket_id: UUID
    scope_id: UUID | None
    since: datetime
    queued: bool


@dataclass(frozen=True)
class Failing:
    """An item on which the reconciler's pass fails, pass after pass."""

    what: str
    item: str
    ticket_id: UUID | None
    scope_id: UUID | None
    error: str
    times: int
    since: datetime


@dataclass(frozen=True)
class Outlived:
    """A lock whose ticket has ended."""

    kind: str
    key: str
    ticket_id: UUID
    scope_id: UUID | None
    number: int
    since: datetime


@dataclass(frozen=True)
class Behind:
    """A queued ticket, and the paused or failed one that holds what it needs."""

    ticket_id: UUID
    holder_id: UUID
    scope_id: UUID | None
    number: int
    state: str
    since: datetime


@dataclass(frozen=True)
class Mute:
    """A run that lives and has not logged anything since."""

    attempt_id: UUID
    ticket_id: UUID
    scope_id: UUID | None
    title: Title
    since: datetime


@dataclass(frozen=True)
class Overdue:
    """A CMDB source that should have been asked by now."""

    source_id: UUID
    name: str
    since: datetime


@dataclass(frozen=True)
class Observed:
    """Everything that one look sees, at one moment of the database's clock."""

    now: datetime
    hosts: Sequence[HostFacts] = ()
    ready: Sequence[Ready] = ()
    held: Sequence[Held] = ()
    gates: Sequence[OpenGate] = ()
    people: People = field(default_factory=lambda: People(Rights({}), {}))
    awaited: Sequence[Awaited] = ()
    unmoved: Sequence[Unmoved] = ()
    failing: Sequence[Failing] = ()
    outlived: Sequence[Outlived] = ()
    behind: Sequence[Behind] = ()
    mute: Sequence[Mute] = ()
    overdue: Sequence[Overdue] = ()
    canary_since: datetime | None = None
    """From when on canaries were sent that no Celery worker has taken; None: the last one was taken."""
    broker_down_since: datetime | None = None
    """As who looks sees it; counts while no worker host says otherwise."""


@dataclass(frozen=True)
class Finding:
    """One thing that is stuck. `since` None: since it was found. `evidence` fills the cause's words."""

    cause: str
    subject: str
    since: datetime | None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    tickets: tuple[UUID, ...] = ()
    scope_id: UUID | None = None
