"""Machines over the API."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy.orm import Session

from autorke.core.schemas import Page
from autorke.drivers import ssh
from autorke.machines import conflicts, service
from autorke.machines.errors import ScanBehindBastion
from autorke.machines.models import Machine, MachineState
from autorke.machines.schemas import (
    ConflictOut,
    FindIn,
    FoundOut,
    HostKeyIn,
    MachineBrief,
    MachineDetail,
    MachineIn,
    MachineOut,
    MachinePatch,
    MatchOut,
    ReportOut,
    ResolutionIn,
    ScanOut,
    StateIn,
)
from autorke.users import audit
from autorke.users.access import Actor, scope
from autorke.users.deps import allowed
from autorke.web.deps import PageDep, SessionDep
from autorke.web.paging import Slice

router = APIRouter(prefix="/machines", tags=["machines"])

Reader = Annotated[Actor, allowed("machine:read")]
Writer = Annotated[Actor, allowed("machine:write")]
PlatformWriter = Annotated[Actor, allowed("machine:write", everywhere=True)]


def _writable(session: Session, actor: Actor, machine_id: UUID) -> Machine:
    machine = service.get_visible(session, actor, machine_id)
    actor.require("machine:write", machine.cluster_id)
    return machine


def _detail(session: Session, machine: Machine) -> MachineDetail:
    said = [ReportOut.model_validate(report) for report in conflicts.reports(session, machine.id)]
    found = [ConflictOut.model_validate(conflict) for conflict in conflicts.open_conflicts(session, machine.id)]
    shown = service.fingerprint(machine.host_key) if machine.host_key else ""
    values = {name: getattr(machine, name) for name in MachineDetail.model_fields if hasattr(machine, name)}
    return MachineDetail(**values, host_key_fingerprint=shown, reports=said, conflicts=found)


def _record(session: Session, actor: Actor, action: str, machine: Machine, **detail: object) -> None:
    audit.record(
        session,
        actor,
        action=f"machine.{action}",
        object_type="machine",
        object_id=machine.id,
        hostname=machine.hostname,
        **detail,
    )


@router.get("", response_model=Page[MachineOut])
def list_machines(actor: Reader, session: SessionDep, query: PageDep) -> Slice:
    """One page of the machines: filter and sort by any column. Addresses also take `within:10.1.0.0/16`."""
    visible = scope(actor, "machine:read", Machine.cluster_id, unowned=True)
    return service.list_page(session, query, visible=visible)


@router.post("", response_model=MachineOut, status_code=201)
def create_machine(body: MachineIn, actor: PlatformWriter, session: SessionDep) -> Machine:
    """Enter a machine by hand. Its serial number and address must be nobody else's."""
    machine = service.create(session, fields=body.model_dump())
    _record(session, actor, "create", machine)
    return machine


@router.post("/find", response_model=FoundOut)
def find_machines(body: FindIn, actor: Reader, session: SessionDep) -> FoundOut:
    """Which machines a pasted list means: addresses, networks, ranges, host names, serial numbers."""
    visible = scope(actor, "machine:read", Machine.cluster_id, unowned=True)
    found = service.find_many(session, body.keys, visible=visible)
    matches = [MatchOut(key=key, machine=MachineBrief.model_validate(one)) for key, one in found.matches]
    return FoundOut(matches=matches, missing=found.missing, ambiguous=found.ambiguous, repeated=found.repeated)


@router.get("/{machine_id}", response_model=MachineDetail)
def get_machine(machine_id: UUID, actor: Reader, session: SessionDep) -> MachineDetail:
    """One machine with what CMDB and machine say of it and where they disagree."""
    return _detail(session, service.get_visible(session, actor, machine_id))


@router.patch("/{machine_id}", response_model=MachineOut)
def update_machine(machine_id: UUID, body: MachinePatch, actor: Writer, session: SessionDep) -> Machine:
    """Change the fields that are sent. Host name and addresses of a serving machine change through tickets only."""
    _writable(session, actor, machine_id)
    changes = body.changes()
    machine = service.update_fields(session, machine_id, version=body.version, fields=changes)
    _record(session, actor, "update", machine, fields=sorted(changes))
    return machine


@router.post("/{machine_id}/state", response_model=MachineOut)
def set_state(machine_id: UUID, body: StateIn, actor: Writer, session: SessionDep) -> Machine:
    """Declare a machine faulty, retired, or free again; a reserved or serving one needs a ticket."""
    _writable(session, actor, machine_id)
    machine = service.set_state(session, machine_id, to=MachineState(body.state), reason=body.reason)
    _record(session, actor, "state", machine, state=body.state, reason=body.reason)
    return machine


@router.post("/{machine_id}/host-key", response_model=MachineDetail)
def pin_host_key(machine_id: UUID, body: HostKeyIn, actor: Writer, session: SessionDep) -> MachineDetail:
    """Pin the SSH host key that this machine must prove from now on."""
    _writable(session, actor, machine_id)
    machine = service.pin_host_key(
        session, machine_id, host_key=body.host_key, pinned_by=actor.name, replace=body.replace
    )
    _record(session, actor, "host-key", machine, fingerprint=service.fingerprint(machine.host_key))
    return _detail(session, machine)


@router.post("/{machine_id}/host-key/scan", response_model=ScanOut)
def scan_host_key(machine_id: UUID, actor: Writer, session: SessionDep) -> ScanOut:
    """Ask the machine for the host key it shows now. Nothing is trusted and nothing is stored."""
    machine = _writable(session, actor, machine_id)
    if machine.bastion_machine_id is not None:
        raise ScanBehindBastion(field="bastion_machine_id", hostname=machine.hostname)
    session.commit()  # no transaction is open while the machine is asked
    key = ssh.scan_host_key(machine.address, machine.ssh_port)
    return ScanOut(host_key=key, fingerprint=service.fingerprint(key), pinned=key == machine.host_key)


@router.post("/{machine_id}/conflicts/{field}/resolution", response_model=MachineDetail)
def resolve_conflict(
    machine_id: UUID, field: str, body: ResolutionIn, actor: Writer, session: SessionDep
) -> MachineDetail:
    """Say whose value counts: the CMDB's or the machine's."""
    _writable(session, actor, machine_id)
    machine = conflicts.resolve(session, machine_id, field, accept=body.accept, by=actor.name)
    _record(session, actor, "conflict", machine, field=field, accept=body.accept)
    return _detail(session, machine)
