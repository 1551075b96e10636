"""People and gates: what one person may sign now, and who may sign one gate. The rule itself is `workflow.signing`."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar, cast, get_args
from uuid import UUID

from sqlalchemy import ColumnElement, false, func, or_, select, true
from sqlalchemy.orm import Session

from autorke.core.errors import AutoRkeError
from autorke.tickets import listing
from autorke.users import access
from autorke.users import service as users
from autorke.users.access import Actor, Holder, Permission, Rights
from autorke.users.models import User
from autorke.workflow import signing
from autorke.workflow.models import Approval, Gate, StepRow, Ticket
from autorke.workflow.signing import Signer, StandIn, Subject
from autorke.workflow.states import TERMINAL_TICKET, GateState


@dataclass(frozen=True)
class OpenGate:
    """An open gate of a ticket that has not ended, with what the rule wants to know for one person."""

    ticket_id: UUID
    step_ord: int
    step_key: str
    gate_id: UUID
    phase: str
    subject_hash: str
    quorum: int
    opened_at: datetime
    approvals: int
    subject: Subject


@dataclass(frozen=True)
class Candidate:
    """Somebody who may sign; the roles are those by which his signature counts, `acting_for` names whose they are when
    they are not his own."""

    id: UUID
    name: str
    display_name: str
    roles: tuple[str, ...]
    acting_for: str | None


Key = TypeVar("Key", bound=Hashable)


def signer_of(session: Session, actor: Actor) -> Signer:
    """The caller as the rule wants to know him, with whoever lets him sign: two statements."""
    stands_in = signing.stand_ins(session, to_ids=(actor.user_id,)).get(actor.user_id, ())
    rights = access.rights_of(session, {actor.user_id, *(it.from_id for it in stands_in)})
    return _signer(actor.user_id, rights, stands_in, actor.scopes)


def _signer(
    user_id: UUID, rights: Rights, stands_in: tuple[StandIn, ...] = (), within: frozenset[str] | None = None
) -> Signer:
    return Signer(user_id, cast(signing.Holding, rights.may), stands_in, within)


def open_gates(session: Session, user_id: UUID, *where: ColumnElement[bool]) -> list[OpenGate]:
    """Open gates of the wanted tickets, oldest first, with the standing decision of this person: one statement."""
    standing = (Approval.gate_id == Gate.id) & Approval.revoked_at.is_(None)
    mine = select(Approval.decision).where(standing, Approval.approver_id == user_id).scalar_subquery()
    approvals = select(func.count()).where(standing, Approval.decision == "APPROVE").scalar_subquery()
    over = Gate.expires_at <= func.clock_timestamp()
    query = (
        select(
            Ticket.id.label("ticket_id"),
            StepRow.ord.label("step_ord"),
            StepRow.key.label("step_key"),
            Gate.id.label("gate_id"),
            Gate.phase,
            Gate.subject_hash,
            Gate.quorum,
            Gate.opened_at,
            approvals.label("approvals"),
        )
        .add_columns(Ticket.requester_id, Ticket.scope_id, Gate.permission)
        .add_columns(mine.label("mine"), func.coalesce(over, false()).label("over"))
        .join(StepRow, StepRow.id == Gate.step_id)
        .join(Ticket, Ticket.id == StepRow.ticket_id)
        .where(Gate.state == GateState.OPEN, Ticket.state.not_in(TERMINAL_TICKET), *where)
        .order_by(Gate.opened_at, Gate.id)
    )
    return [_open_gate(row._asdict(), user_id) for row in session.execute(query)]


def _open_gate(row: dict[str, Any], user_id: UUID) -> OpenGate:
    state = GateState.EXPIRED.value if row.pop("over") else GateState.OPEN.value
    mine = row.pop("mine")
    about = {name: row.pop(name) for name in ("requester_id", "scope_id", "permission")}
    return OpenGate(**row, subject=Subject(**about, state=state, decided={user_id: mine} if mine else {}))


def signable(session: Session, actor: Actor, signer: Signer) -> list[OpenGate]:
    """Every gate that the caller may sign now, oldest first: SQL leaves out most, the rule decides."""
    others = Ticket.requester_id != actor.user_id
    found = open_gates(session, actor.user_id, others, listing.sees(actor), _possible(actor, signer))
    return [gate for gate in found if signing.may_sign(signer, gate.subject).may_sign]


def _possible(actor: Actor, signer: Signer) -> ColumnElement[bool]:
    """Gates that ask for what the caller holds there himself; any when somebody lets him sign."""
    if signer.stands_in:
        return true()
    held = {name: actor.clusters(name) for name in get_args(Permission)}
    everywhere = [name for name, clusters in held.items() if clusters is None]
    some = [(Gate.permission == name) & Ticket.scope_id.in_(clusters) for name, clusters in held.items() if clusters]
    return or_(Gate.permission.in_(everywhere), *some)


def who_may_sign(
    session: Session, scope_id: UUID | None, subjects: Mapping[Key, Subject]
) -> dict[Key, list[Candidate]]:
    """Who may sign each of these gates of one ticket at this moment, by name: holders, and who stands in for one."""
    wanted: set[Any] = {subject.permission for subject in subjects.values()}
    holders = {name: {it.id: it for it in access.holders(session, name, scope_id)} for name in sorted(wanted)}
    own = {user_id: it for people in holders.values() for user_id, it in people.items()}
    given = signing.stand_ins(session, from_ids=set(own)) if own else {}
    others = sorted(set(given) - set(own))
    people: dict[UUID, Holder | User] = {
        **own,
        **({it.id: it for it in users.directory(session, ids=others)} if others else {}),
    }
    rights = access.rights_of(session, set(people))
    readers = [it for it in people if rights.may_see(it, "ticket:read", scope_id)]
    signers = [_signer(it, rights, given.get(it, ())) for it in sorted(readers, key=lambda it: people[it].display_name)]
    found: dict[Key, list[Candidate]] = {}
    for key, subject in subjects.items():
        answers = [(people[it.user_id], signing.may_sign(it, subject)) for it in signers]
        holding = holders[subject.permission]
        found[key] = [_candidate(it, answer.acting_for, holding) for it, answer in answers if answer.may_sign]
    return found


def _candidate(person: Holder | User, acting_for: UUID | None, holding: Mapping[UUID, Holder]) -> Candidate:
    principal = holding[acting_for or person.id]
    acting = principal.display_name if acting_for else None
    return Candidate(person.id, person.name, person.display_name, principal.roles, acting)


def candidates(
    session: Session, ticket: Ticket, gates: Collection[OpenGate], decided: Mapping[UUID, Mapping[UUID, str]]
) -> dict[UUID, list[dict[str, Any]]]:
    """Who may sign each of these gates, as the ticket's page shows it. `decided` are the standing decisions of
    everybody, by gate and person."""
    subjects = {gate.gate_id: replace(gate.subject, decided=decided.get(gate.gate_id, {})) for gate in gates}
    return {
        gate_id: [
            {"id": it.id, "name": it.display_name, "role": ", ".join(it.roles), "acting_for": it.acting_for}
            for it in people
        ]
        for gate_id, people in who_may_sign(session, ticket.scope_id, subjects).items()
    }


def answer(signer: Signer, subject: Subject) -> dict[str, Any]:
    """`{may_sign, reason, acting_for}` of one gate for the caller, as pages show it."""
    said = signing.may_sign(signer, subject)
    return {"may_sign": said.may_sign, "reason": words_of(said.refusal), "acting_for": said.acting_for}


def words_of(refusal: AutoRkeError | None) -> dict[str, str] | None:
    return refusal.message.as_json() if refusal is not None else None
