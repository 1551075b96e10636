"""What may be done to a ticket at this moment. `commands` refuses by these rules, and pages show them beforehand.

Each answers with the error that the command would raise, or None. They say nothing about who asks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from autorke.core.errors import AutoRkeError
from autorke.workflow.errors import (
    AlreadyPaused,
    BeingCancelled,
    Ended,
    NobodyLeft,
    NothingStuck,
    NothingUnknown,
    NotPaused,
    ResolveFirst,
    SecondPersonNeeded,
    StepNotRetryable,
)
from autorke.workflow.models import Attempt, StepRow, Ticket
from autorke.workflow.states import NEEDS_PERSON, TERMINAL_TICKET, AttemptState, Purpose, StepState

Refusal = AutoRkeError | None
STUCK = NEEDS_PERSON - {StepState.UNKNOWN}
"""States that a person may leave by retry, exclusion or giving up; what is unknown must be resolved first."""
REPLANNABLE = frozenset({StepState.PLAN_FAILED, StepState.GATE_CLOSED})


def ended(ticket: Ticket) -> Refusal:
    return Ended(state=ticket.state) if ticket.state in TERMINAL_TICKET else None


def pause(ticket: Ticket) -> Refusal:
    if ticket.cancel_requested_at is not None:
        return ended(ticket) or BeingCancelled()
    return ended(ticket) or (AlreadyPaused() if ticket.pause_requested_at is not None else None)


def resume(ticket: Ticket) -> Refusal:
    return ended(ticket) or (NotPaused() if ticket.pause_requested_at is None else None)


def cancel(ticket: Ticket) -> Refusal:
    return ended(ticket) or (BeingCancelled() if ticket.cancel_requested_at is not None else None)


def retry(ticket: Ticket, step: StepRow) -> Refusal:
    if ticket.cancel_requested_at is not None:
        return ended(ticket) or BeingCancelled()
    stuck = step.state in STUCK
    return ended(ticket) or (None if stuck else StepNotRetryable(step=step.key, state=step.state))


def stuck_step(steps: Sequence[StepRow]) -> StepRow | None:
    """The step that a person may retry, or leave nodes out of."""
    return next((step for step in steps if step.state in STUCK), None)


def needs_stuck(ticket: Ticket, steps: Sequence[StepRow]) -> Refusal:
    """For what is done to a ticket that stands at a step which did not go well."""
    if ended(ticket) or stuck_step(steps) is not None:
        return ended(ticket)
    unknown = next((step for step in steps if step.state == StepState.UNKNOWN), None)
    return ResolveFirst(step=unknown.key) if unknown is not None else NothingStuck()


def exclude(ticket: Ticket, steps: Sequence[StepRow], *, left: int) -> Refusal:
    """`left` nodes of the ticket would remain."""
    return needs_stuck(ticket, steps) or (NobodyLeft() if left < 1 else None)


def resolve(ticket: Ticket, attempt: Attempt | None) -> Refusal:
    unknown = attempt is not None and attempt.state == AttemptState.UNKNOWN
    return ended(ticket) or (None if unknown else NothingUnknown())


def override(attempt: Attempt, user_id: UUID) -> Refusal:
    """Without proof that the runner is dead, two people take the responsibility; the first is not the second."""
    return SecondPersonNeeded() if attempt.override_by == user_id else None


def holds_up_cancel(attempt: Attempt) -> bool:
    """A run that has begun, or of which nobody knows the end, is waited for; all else is given up at once (P9)."""
    return attempt.purpose == Purpose.RUN and attempt.state in (AttemptState.RUNNING, AttemptState.UNKNOWN)


def hold_up(attempts: Collection[Attempt]) -> Attempt | None:
    """What a cancel of the ticket waits for."""
    return next((attempt for attempt in attempts if holds_up_cancel(attempt)), None)


def refuse(refusal: Refusal) -> None:
    if refusal is not None:
        raise refusal
