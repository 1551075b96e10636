"""What a flow can say of a request before it is submitted: targets, change, checks. Nothing is written or reserved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from autorke.core.errors import AutoRkeError, Text
from autorke.workflow.definition import Accepted


@dataclass(frozen=True)
class Target:
    """One target that was asked for; `code` and `reason` say why a submit would refuse it."""

    id: str
    name: str
    data: Mapping[str, Any]
    code: str | None = None
    reason: Text | None = None


@dataclass(frozen=True)
class Proposal:
    """What `accept` would freeze, from the targets that are eligible at this moment; `about` is shown as it is."""

    accepted: Accepted[Any]
    targets: Sequence[Target]
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """What the ticket would change: JSON for people, secrets masked. `problems` would stop its first plan."""

    config: Mapping[str, Any] | None
    commands: Sequence[Mapping[str, Any]]
    problems: Sequence[AutoRkeError] = ()


@dataclass(frozen=True)
class Asking:
    """Who asks for checks, and how he is told: `tell(event, data)` at once; `stop` is set when he has gone."""

    actor: Any
    tell: Callable[[str, dict[str, Any]], None]
    stop: Event
