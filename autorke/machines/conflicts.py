"""Where CMDB, machine and cluster do not agree: found set by set, shown to people, settled by people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from autorke.core.canonical import sha256_hex
from autorke.core.db import db_now
from autorke.core.errors import Conflict, NotFound, Text
from autorke.machines.models import HARDWARE, SOFTWARE, Machine, MachineConflict, MachineReport, MachineState, Origin

COMPARED = ("hostname", "address", "internal_address", "sn", *HARDWARE, *SOFTWARE)
MEASURED = ("memory_mb", "disk_gb")
"""Kernels report a little less memory and disk than vendors sell: within 10 % is no conflict."""
Side = Literal["cmdb", "machine"]


class NothingToAccept(Conflict):
    code = "conflict-side-empty"
    text = Text(zh="{side} 没有给出字段 {field_name} 的值", en="{side} gives no value for {field_name}")
    remedy = Text(zh="选择另一方的值", en="Accept the other side")


class Serving(Conflict):
    code = "conflict-machine-serving"
    text = Text(
        zh="机器 {hostname} 处于 {state}，{field_name} 只能通过工单改变",
        en="Machine {hostname} is {state}: {field_name} changes through a ticket only",
    )
    remedy = Text(zh="修正 CMDB，或通过工单调整节点", en="Correct the CMDB, or change the node by a ticket")


_DIFFERENCES = """
with said as (
    select m.id as machine_id, f.field, c.values ->> f.field as cmdb_value, a.values ->> f.field as machine_value,
        case f.field when 'hostname' then nullif(m.node_name, '') when 'address' then nullif(m.node_address, '')
        end as cluster_value
    from machine m
    left join machine_report c on c.machine_id = m.id and c.origin = 'cmdb'
    left join machine_report a on a.machine_id = m.id and a.origin = 'machine'
    cross join unnest(cast(:compared as text[])) as f(field)
    where m.id = any(cast(:ids as uuid[])) and (a.machine_id is not null or m.cluster_id is not null)
), different as (
    select * from said s where
        not {same_cm} or not {same_cc} or not {same_mc}
)
"""
_MEASURED_SAME = (
    "(s.field = any(cast(:measured as text[])) and s.{a} ~ '^[0-9]{{1,12}}$' and s.{b} ~ '^[0-9]{{1,12}}$'"
    " and abs(s.{a}::bigint - s.{b}::bigint) * 10 <= greatest(s.{a}::bigint, s.{b}::bigint))"
)
_NAME_SAME = "(s.field = 'hostname' and lower(split_part(s.{a}, '.', 1)) = lower(split_part(s.{b}, '.', 1)))"


def _same(a: str, b: str) -> str:
    """SQL: the two sides do not contradict each other; a side that says nothing contradicts nobody."""
    parts = f"s.{a} is null or s.{b} is null or s.{a} = s.{b} or {_MEASURED_SAME} or {_NAME_SAME}"
    return "(" + parts.format(a=a, b=b) + ")"


_WITH_DIFFERENT = _DIFFERENCES.format(
    same_cm=_same("cmdb_value", "machine_value"),
    same_cc=_same("cmdb_value", "cluster_value"),
    same_mc=_same("machine_value", "cluster_value"),
)
_RECORD = text(
    _WITH_DIFFERENT
    + """
insert into machine_conflict (machine_id, field, cmdb_value, machine_value, cluster_value)
select machine_id, field, cmdb_value, machine_value, cluster_value from different order by machine_id, field
on conflict (machine_id, field) do update set cmdb_value = excluded.cmdb_value, machine_value = excluded.machine_value,
    cluster_value = excluded.cluster_value, last_seen_at = clock_timestamp(), resolved_at = null, resolved_by = '',
    resolution = ''
where (machine_conflict.cmdb_value, machine_conflict.machine_value, machine_conflict.cluster_value)
    is distinct from (excluded.cmdb_value, excluded.machine_value, excluded.cluster_value)
    or machine_conflict.resolution = 'agreed'
"""
)
_CLOSE = """
update machine_conflict set resolved_at = clock_timestamp(), resolved_by = 'system', resolution = 'agreed'
where resolved_at is null and machine_id = any(cast(:ids as uuid[]))
    and (machine_id, field) not in (select machine_id, field from different)
"""
_AGREED = text(_WITH_DIFFERENT + _CLOSE)
_COUNT = text(
    """
update machine m set conflict_count = c.open
from (
    select i.id, count(x.machine_id) as open from unnest(cast(:ids as uuid[])) as i(id)
    left join machine_conflict x on x.machine_id = i.id and x.resolved_at is null group by i.id
) c where m.id = c.id and m.conflict_count <> c.open
"""
)


def refresh(session: Session | Connection, ids: Sequence[UUID]) -> None:
    """Record what contradicts and close what agrees again, for these machines; three statements for any number."""
    parameters = {"ids": list(ids), "compared": list(COMPARED), "measured": list(MEASURED)}
    session.execute(_RECORD, parameters)
    session.execute(_AGREED, parameters)
    session.execute(_COUNT, {"ids": list(ids)})


def record_facts(session: Session, machine_id: UUID, facts: dict[str, Any]) -> None:
    """What the machine said of itself over SSH, in our field names; nothing is written when it said so before.

    Software facts win over the CMDB's. Names that are no field of ours are kept as extra values. Raises NotFound.
    """
    machine = session.get(Machine, machine_id, populate_existing=True)
    if machine is None:
        raise NotFound(field="machine_id", what="machine", key=machine_id)
    values = {name: facts[name] for name in COMPARED if facts.get(name) not in (None, "")}
    extra = {name: value for name, value in facts.items() if name not in COMPARED}
    row = {"values": values, "extra": extra, "hash": sha256_hex(repr((values, extra)).encode())}
    said = session.get(MachineReport, (machine_id, Origin.MACHINE.value), populate_existing=True)
    if said is not None and said.hash == row["hash"]:
        return
    statement = insert(MachineReport).values(machine_id=machine_id, origin=Origin.MACHINE.value, **row)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["machine_id", "origin"], set_={**row, "reported_at": statement.excluded.reported_at}
        )
    )
    for name in (*SOFTWARE, *HARDWARE):
        if name in values and name not in machine.kept_fields and (name in SOFTWARE or not getattr(machine, name)):
            setattr(machine, name, values[name])
    session.flush()
    refresh(session, [machine_id])
    session.refresh(machine)


def open_conflicts(session: Session, machine_id: UUID) -> list[MachineConflict]:
    """The conflicts of one machine, open ones first."""
    query = (
        select(MachineConflict)
        .where(MachineConflict.machine_id == machine_id)
        .order_by(MachineConflict.resolved_at.is_not(None), MachineConflict.field)
    )
    return list(session.scalars(query))


def reports(session: Session, machine_id: UUID) -> list[MachineReport]:
    """What each source says of one machine."""
    query = select(MachineReport).where(MachineReport.machine_id == machine_id).order_by(MachineReport.origin)
    return list(session.scalars(query))


def resolve(session: Session, machine_id: UUID, field: str, *, accept: Side, by: str) -> Machine:
    """A person decides whose value counts. Raises NotFound, NothingToAccept, and Serving for a bound identity field.

    Accepting the CMDB also lets it lead this field again; accepting the machine keeps the sync off it.
    """
    query = select(MachineConflict).where(MachineConflict.machine_id == machine_id, MachineConflict.field == field)
    conflict = session.scalars(query.with_for_update()).one_or_none()
    machine = session.get(Machine, machine_id, with_for_update=True, populate_existing=True)
    if conflict is None or machine is None or conflict.resolved_at is not None:
        raise NotFound(field="field", what="conflict", key=field)
    value = conflict.cmdb_value if accept == "cmdb" else conflict.machine_value
    if value is None:
        raise NothingToAccept(field="accept", side=accept, field_name=field)
    current = getattr(machine, field)
    typed = int(value) if isinstance(current, int) else value
    bound = machine.state in (MachineState.RESERVED.value, MachineState.IN_CLUSTER.value)
    if typed != current and (field == "sn" or (bound and field in ("hostname", "address", "internal_address"))):
        raise Serving(field="field", hostname=machine.hostname, state=machine.state, field_name=field)
    setattr(machine, field, typed)
    kept = set(machine.kept_fields) - {field} if accept == "cmdb" else {*machine.kept_fields, field}
    machine.kept_fields = sorted(kept)
    machine.version += 1
    conflict.resolved_at, conflict.resolved_by, conflict.resolution = db_now(session), by, accept
    session.flush()
    still_open = select(MachineConflict.field).where(
        MachineConflict.machine_id == machine_id, MachineConflict.resolved_at.is_(None)
    )
    session.execute(
        update(Machine).where(Machine.id == machine_id).values(conflict_count=len(session.scalars(still_open).all()))
    )
    session.refresh(machine)
    return machine
