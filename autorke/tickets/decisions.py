"""Decisions on gates, of one ticket or of many at once. Whether a person may is the engine's to say, gate by gate."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from autorke.core.db import transaction
from autorke.core.errors import AutoRkeError, Text
from autorke.tickets import service
from autorke.users.access import Actor
from autorke.web import translate
from autorke.workflow import commands
from autorke.workflow.gates import Decision
from autorke.workflow.journal import lock_ticket
from autorke.workflow.models import Approval, Ticket

log = logging.getLogger(__name__)
ALREADY = {
    True: Text(zh="您已经签过：没有重复记录", en="Signed by you already: nothing was recorded twice"),
    False: Text(zh="您已经驳回过：没有重复记录", en="Rejected by you already: nothing was recorded twice"),
}


@dataclass(frozen=True)
class Item:
    """The gates of one ticket, each with the hash of what was shown."""

    ticket_id: UUID
    gates: Mapping[UUID, str]
    acting_for: UUID | None = None


@dataclass(frozen=True)
class Decided:
    """How it went for one ticket: its state now, or why it was refused; `note` when there was nothing left to say."""

    ticket_id: UUID
    state: str | None = None
    refusal: AutoRkeError | None = None
    note: Text | None = None


def said_by(actor: Actor, *, approve: bool, comment: str, acting_for: UUID | None) -> Decision:
    return Decision(
        approve=approve,
        subject_hash="",
        comment=comment,
        authn={"method": actor.method, "ip": actor.ip, "session": str(actor.session_id)},
        acting_for=acting_for,
        within=actor.scopes,
    )


def decide(session: Session, actor: Actor, item: Item, *, approve: bool, comment: str) -> Ticket:
    """One decision on one or several gates of one ticket, all or none. Raises whatever the engine refuses."""
    service.get(session, actor, item.ticket_id)
    said = said_by(actor, approve=approve, comment=comment, acting_for=item.acting_for)
    return commands.decide(session, item.ticket_id, item.gates, actor.user_id, said)


def decide_all(actor: Actor, items: Sequence[Item], *, approve: bool, comment: str) -> list[Decided]:
    """The same decision on many tickets, each in a transaction of its own: what one refuses is done for the others."""
    return [_one(actor, item, approve=approve, comment=comment) for item in items]


def _one(actor: Actor, item: Item, *, approve: bool, comment: str) -> Decided:
    try:
        with transaction() as session:
            return _decide_once(session, actor, item, approve=approve, comment=comment)
    except AutoRkeError as error:
        return Decided(item.ticket_id, refusal=error)
    except SQLAlchemyError as error:
        return Decided(item.ticket_id, refusal=translate.database(error))
    except Exception:
        log.exception("a decision failed", extra={"ticket_id": str(item.ticket_id)})
        return Decided(item.ticket_id, refusal=AutoRkeError())


def _decide_once(session: Session, actor: Actor, item: Item, *, approve: bool, comment: str) -> Decided:
    """A gate on which the caller has said just this before is left alone, also when it has closed or the ticket ended:
    whoever lost the answer may ask again."""
    service.get(session, actor, item.ticket_id)
    lock_ticket(session, item.ticket_id)
    verdict = "APPROVE" if approve else "REJECT"
    mine = select(Approval.gate_id, Approval.subject_hash).where(
        Approval.gate_id.in_(item.gates),
        Approval.approver_id == actor.user_id,
        Approval.decision == verdict,
        Approval.revoked_at.is_(None),
    )
    said = {row.gate_id for row in session.execute(mine) if item.gates[row.gate_id] == row.subject_hash}
    left = {gate_id: subject for gate_id, subject in item.gates.items() if gate_id not in said}
    if left:
        rest = Item(item.ticket_id, left, item.acting_for)
        ticket = decide(session, actor, rest, approve=approve, comment=comment)
    else:
        ticket = service.get(session, actor, item.ticket_id)
    return Decided(item.ticket_id, ticket.state, note=ALREADY[approve] if said else None)
