"""Who may sign a gate: one rule, asked when somebody signs, when a start counts the signatures again, and by every page
that shows who could (engine.md §3.9).

The rule works on values. Who holds which permission and who stands in for whom is read once by its caller: for one
decision in the engine, for all open gates of an inbox.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from autorke.core.errors import AutoRkeError
from autorke.workflow.errors import AlreadyDecided, GateNotOpen, NotEligible, RequesterMayNotApprove
from autorke.workflow.models import Delegation, Gate, Ticket
from autorke.workflow.states import GateState

Holding = Callable[[UUID, str, UUID | None], bool]
"""(user, permission, scope) -> does this user hold it, as far as its caller has read?"""


@dataclass(frozen=True)
class StandIn:
    """A delegation that holds at this moment, on one scope or (None) on all."""

    from_id: UUID
    scope_id: UUID | None

    def covers(self, scope_id: UUID | None) -> bool:
        return self.scope_id in (None, scope_id)


@dataclass(frozen=True)
class Signer:
    """A person who could sign. `within` is what the credential he came with may be used for; None = all he may."""

    user_id: UUID
    holds: Holding
    stands_in: tuple[StandIn, ...] = ()
    within: frozenset[str] | None = None


@dataclass(frozen=True)
class Subject:
    """What of a gate and its ticket decides who may sign. `decided` are standing decisions, by who made them."""

    requester_id: UUID
    scope_id: UUID | None
    permission: str
    state: str = GateState.OPEN.value
    decided: Mapping[UUID, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """May he? Then `acting_for` is whom he would stand in for, None = he signs in his own right. Else `refusal`."""

    refusal: AutoRkeError | None = None
    acting_for: UUID | None = None

    @property
    def may_sign(self) -> bool:
        return self.refusal is None


def may_sign(signer: Signer, subject: Subject, acting_for: UUID | None = None) -> Answer:
    """Without `acting_for` a person signs in his own right, and where he has none, for the first who lets him."""
    if subject.state != GateState.OPEN:
        return Answer(GateNotOpen(state=subject.state))
    if subject.requester_id in (signer.user_id, acting_for):
        return Answer(RequesterMayNotApprove())
    own = (signer.user_id, *(it.from_id for it in signer.stands_in))
    principals = own if acting_for is None else (acting_for,)
    principal = next((it for it in principals if entitled(signer, subject, it)), None)
    if principal is None:
        return Answer(NotEligible(permission=subject.permission))
    if signer.user_id in subject.decided:
        return Answer(AlreadyDecided(decision=subject.decided[signer.user_id]))
    return Answer(acting_for=None if principal == signer.user_id else principal)


def entitled(signer: Signer, subject: Subject, principal: UUID) -> bool:
    """Does a signature in the name of `principal` count? Neither he nor who signs for him may be the requester."""
    if subject.requester_id in (signer.user_id, principal):
        return False
    if signer.within is not None and subject.permission not in signer.within:
        return False
    let = any(it.from_id == principal and it.covers(subject.scope_id) for it in signer.stands_in)
    return (principal == signer.user_id or let) and signer.holds(principal, subject.permission, subject.scope_id)


def subject_of(ticket: Ticket, gate: Gate, *, now: datetime, decided: Mapping[UUID, str]) -> Subject:
    """A gate whose time is over is decided no more, although the reconciler may not have said so yet."""
    over = gate.state == GateState.OPEN and gate.expires_at is not None and gate.expires_at <= now
    state = GateState.EXPIRED.value if over else gate.state
    return Subject(ticket.requester_id, ticket.scope_id, gate.permission, state, decided)


def stand_ins(
    session: Session, *, to_ids: Collection[UUID] | None = None, from_ids: Collection[UUID] | None = None
) -> dict[UUID, tuple[StandIn, ...]]:
    """Delegations that hold at this moment, by who received them, oldest first."""
    now = func.clock_timestamp()
    query = select(Delegation).where(Delegation.valid_from <= now, Delegation.valid_to > now)
    if to_ids is not None:
        query = query.where(Delegation.to_id.in_(to_ids))
    if from_ids is not None:
        query = query.where(Delegation.from_id.in_(from_ids))
    found: dict[UUID, tuple[StandIn, ...]] = {}
    for row in session.execute(query.order_by(Delegation.valid_from, Delegation.id)).scalars():
        found[row.to_id] = (*found.get(row.to_id, ()), StandIn(row.from_id, row.scope_id))
    return found
