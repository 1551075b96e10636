"""Machines: read them, edit them, and hand them from one owner to the next. Nobody commits here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, or_, select, true, update
from sqlalchemy.orm import Session

from autorke.core import names
from autorke.core.db import db_now
from autorke.core.errors import InvalidTransition, NotFound
from autorke.drivers.ssh import fingerprint
from autorke.machines.availability import hindrance
from autorke.machines.errors import (
    BadBastion,
    BadHostKey,
    BoundField,
    HostKeyDiffers,
    MachinesUnavailable,
    StaleMachine,
)
from autorke.machines.models import Machine, MachineState
from autorke.machines.search import Found, find_many, list_page
from autorke.users.access import Actor

__all__ = [
    "ALLOWED",
    "Found",
    "Membership",
    "attach",
    "create",
    "detach",
    "find_many",
    "fingerprint",
    "get",
    "get_many",
    "get_visible",
    "list_page",
    "pin_host_key",
    "release",
    "reserve",
    "set_state",
    "update_fields",
]

FREE, RESERVED, IN_CLUSTER, FAULT, RETIRED = (state.value for state in MachineState)
ALLOWED: Mapping[str, frozenset[str]] = {
    FREE: frozenset({RESERVED, IN_CLUSTER, FAULT, RETIRED}),
    RESERVED: frozenset({FREE, IN_CLUSTER}),
    IN_CLUSTER: frozenset({FREE, FAULT}),
    FAULT: frozenset({FREE, RETIRED}),
    RETIRED: frozenset({FREE}),
}
BY_HAND = frozenset({FREE, FAULT, RETIRED})
IDENTITY = ("hostname", "address", "internal_address", "sn")
MAX_BASTIONS = 5


@dataclass(frozen=True)
class Membership:
    """A machine's place in a cluster, as `attach` records it."""

    machine_id: UUID
    node_name: str
    node_address: str
    roles: tuple[str, ...]
    label_count: int = 0
    taint_count: int = 0


def get(session: Session, machine_id: UUID) -> Machine:
    """One machine. Raises NotFound."""
    machine = session.get(Machine, machine_id)
    if machine is None:
        raise NotFound(field="machine_id", what="machine", key=machine_id)
    return machine


def get_visible(session: Session, actor: Actor, machine_id: UUID) -> Machine:
    """The machine, unless it serves a cluster that the actor may not see. Raises NotFound."""
    machine = get(session, machine_id)
    if machine.cluster_id is not None and not actor.may("machine:read", machine.cluster_id):
        raise NotFound(field="machine_id", what="machine", key=machine_id)
    return machine


def get_many(session: Session, ids: Iterable[UUID]) -> list[Machine]:
    """These machines in the order asked for. Raises NotFound naming the first that does not exist."""
    wanted = list(ids)
    found = {machine.id: machine for machine in session.scalars(select(Machine).where(Machine.id.in_(wanted)))}
    for machine_id in wanted:
        if machine_id not in found:
            raise NotFound(field="machine_ids", what="machine", key=machine_id)
    return [found[machine_id] for machine_id in wanted]


def create(session: Session, *, fields: Mapping[str, Any]) -> Machine:
    """A machine entered by hand; it is free. A serial number or address in use is refused by the database (409)."""
    machine = Machine(**fields)
    machine.internal_address = machine.internal_address or machine.address
    session.add(machine)
    session.flush()
    _check_bastions(session, machine)
    return machine


def update_fields(session: Session, machine_id: UUID, *, version: int, fields: Mapping[str, Any]) -> Machine:
    """Edit what a person may edit. The CMDB leaves these fields alone from now on (`kept_fields`).

    Raises NotFound, StaleMachine, and BoundField for the identity of a machine that is reserved or serves.
    """
    machine = get(session, machine_id)
    fields = dict(fields)
    if "address" in fields and machine.internal_address == machine.address:
        fields.setdefault("internal_address", fields["address"])
    changed = {name: value for name, value in fields.items() if getattr(machine, name) != value}
    if machine.state in (RESERVED, IN_CLUSTER):
        for name in IDENTITY:
            if name in changed:
                raise BoundField(field=name, hostname=machine.hostname, state=machine.state, name=name)
    statement = (
        update(Machine)
        .where(Machine.id == machine_id, Machine.version == version, Machine.state == machine.state)
        .values(**changed, version=version + 1, kept_fields=sorted({*machine.kept_fields, *changed}))
        .returning(Machine)
        .execution_options(populate_existing=True)
    )
    if session.scalars(statement).one_or_none() is None:
        session.refresh(machine)
        raise StaleMachine(field="version", hostname=machine.hostname, version=machine.version)
    _check_bastions(session, machine)
    return machine


def _check_bastions(session: Session, machine: Machine) -> None:
    seen, bastion_id = {machine.id}, machine.bastion_machine_id
    while bastion_id is not None:
        if bastion_id in seen or len(seen) > MAX_BASTIONS:
            raise BadBastion(field="bastion_machine_id")
        seen.add(bastion_id)
        bastion_id = session.scalar(select(Machine.bastion_machine_id).where(Machine.id == bastion_id))


def set_state(session: Session, machine_id: UUID, *, to: MachineState, reason: str) -> Machine:
    """Declare a machine faulty, retired, or free again. Only tickets reserve and attach. Raises InvalidTransition."""
    machine = get(session, machine_id)
    sources = [state for state in BY_HAND if to.value in ALLOWED[state]]
    statement = (
        update(Machine)
        .where(Machine.id == machine_id, Machine.state.in_(sources))
        .values(state=to.value, state_reason=reason, version=Machine.version + 1)
        .returning(Machine)
        .execution_options(populate_existing=True)
    )
    changed = session.scalars(statement).one_or_none() if to.value in BY_HAND else None
    if changed is None:
        session.refresh(machine)
        raise InvalidTransition(field="state", what=machine.hostname, state=machine.state, action=f"become {to.value}")
    return changed


def parse_host_key(text: str) -> str:
    """`type base64` without the comment. Raises BadHostKey."""
    try:
        return names.host_key(text)
    except ValueError as error:
        raise BadHostKey(field="host_key") from error


def pin_host_key(
    session: Session, machine_id: UUID, *, host_key: str, pinned_by: str, replace: bool = False
) -> Machine:
    """Trust this SSH host key from now on. Raises BadHostKey, and HostKeyDiffers unless `replace` is given."""
    key = parse_host_key(host_key)
    machine = session.scalars(select(Machine).where(Machine.id == machine_id).with_for_update()).one_or_none()
    if machine is None:
        raise NotFound(field="machine_id", what="machine", key=machine_id)
    if machine.host_key and machine.host_key != key and not replace:
        raise HostKeyDiffers(field="host_key", hostname=machine.hostname, pinned=fingerprint(machine.host_key))
    machine.host_key = key
    machine.host_key_pinned_by = pinned_by
    machine.host_key_pinned_at = db_now(session)
    machine.version += 1
    session.flush()
    return machine


def _locked(ids: Sequence[UUID]) -> CTE:
    """These rows, locked in one order, so that two tickets that want the same machines never deadlock."""
    return select(Machine.id).where(Machine.id.in_(ids)).order_by(Machine.id).with_for_update().cte("locked")


def _take(
    session: Session,
    ids: Sequence[UUID],
    allowed: ColumnElement[bool],
    values: dict[str, Any],
    visible: ColumnElement[bool] | None = None,
) -> list[Machine]:
    """All of the machines in one guarded UPDATE, or MachinesUnavailable and none of them. Those that are not `visible`
    are as unknown as those that do not exist."""
    seen = true() if visible is None else visible
    wanted = list(dict.fromkeys(ids))
    locked = _locked(wanted)
    statement = (
        update(Machine)
        .where(Machine.id == locked.c.id, allowed, seen)
        .values(**values, version=Machine.version + 1)
        .returning(Machine)
        .execution_options(populate_existing=True)
    )
    with session.begin_nested():
        taken = {machine.id: machine for machine in session.scalars(statement)}
        if len(taken) < len(wanted):
            raise _unavailable(session, [machine_id for machine_id in wanted if machine_id not in taken], seen)
    return [taken[machine_id] for machine_id in wanted]


def _unavailable(session: Session, ids: Sequence[UUID], seen: ColumnElement[bool]) -> MachinesUnavailable:
    query = select(Machine).where(Machine.id.in_(ids), seen).execution_options(populate_existing=True)
    rows = {machine.id: machine for machine in session.scalars(query)}
    found = [(rows[key].hostname, why_not_free(rows[key])) if key in rows else (str(key), "unknown") for key in ids]
    names = ", ".join(f"{name} ({why})" for name, why in found[:20]) + (", …" if len(found) > 20 else "")
    return MachinesUnavailable(field="machine_ids", names=names, machines=found)


def why_not_free(machine: Machine) -> str:
    """Why this machine cannot be reserved, in a word or two; "" when it can."""
    found = hindrance(machine)
    return found.reason.en if found else ""


def reserve(
    session: Session, *, ids: Sequence[UUID], ticket_id: UUID, visible: ColumnElement[bool] | None = None
) -> list[Machine]:
    """Take free machines for a ticket, all or none, in one statement. Raises MachinesUnavailable naming each.

    A machine that vanished from the CMDB is not free: acting on stale lists is how outages began (design §1).
    """
    free = (Machine.state == FREE) & Machine.cmdb_vanished_at.is_(None)
    return _take(session, ids, free, {"state": RESERVED, "ticket_id": ticket_id, "state_reason": ""}, visible)


def release(session: Session, *, ticket_id: UUID, ids: Sequence[UUID] | None = None) -> list[Machine]:
    """Give back what a ticket still holds (all of it, or these). Machines that were attached meanwhile stay."""
    held = select(Machine.id).where(Machine.ticket_id == ticket_id).order_by(Machine.id).with_for_update()
    locked = (held if ids is None else held.where(Machine.id.in_(ids))).cte("locked")
    statement = (
        update(Machine)
        .where(Machine.id == locked.c.id, Machine.state == RESERVED, Machine.ticket_id == ticket_id)
        .values(state=FREE, ticket_id=None, version=Machine.version + 1)
        .returning(Machine)
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(statement))


def attach(
    session: Session, *, members: Sequence[Membership], cluster_id: UUID, cluster_name: str, ticket_id: UUID | None
) -> list[Machine]:
    """Machines become nodes: those reserved by this ticket, or free ones when a running cluster is imported.

    The caller (`clusters.service`) writes the node rows in the same transaction. Raises MachinesUnavailable.
    """
    serves = Machine.cluster_id == cluster_id
    if ticket_id is None:
        allowed = Machine.state == FREE
    else:
        allowed = or_((Machine.state == RESERVED) & (Machine.ticket_id == ticket_id), serves)
    taken = _take(
        session,
        [member.machine_id for member in members],
        allowed,
        {"state": IN_CLUSTER, "cluster_id": cluster_id, "cluster_name": cluster_name, "ticket_id": None},
    )
    for machine, member in zip(taken, members, strict=True):
        machine.node_name = member.node_name
        machine.node_address = member.node_address
        machine.node_roles = ",".join(member.roles)
        machine.node_label_count = member.label_count
        machine.node_taint_count = member.taint_count
    session.flush()
    return taken


def detach(
    session: Session,
    *,
    ids: Sequence[UUID],
    cluster_id: UUID,
    to: MachineState = MachineState.FREE,
    reason: str = "",
) -> list[Machine]:
    """Machines leave their cluster, free or faulty. Raises MachinesUnavailable for one that does not serve it."""
    if to.value not in ALLOWED[IN_CLUSTER]:
        raise InvalidTransition(field="state", what="machine", state=IN_CLUSTER, action=f"become {to.value}")
    values = {
        "state": to.value,
        "cluster_id": None,
        "cluster_name": "",
        "node_name": "",
        "node_address": "",
        "node_roles": "",
        "node_label_count": 0,
        "node_taint_count": 0,
        "flat_network": "",
        "ippool": "",
        "state_reason": reason,
    }
    return _take(session, ids, (Machine.state == IN_CLUSTER) & (Machine.cluster_id == cluster_id), values)
