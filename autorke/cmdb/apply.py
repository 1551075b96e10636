"""Compare the staged answer with the machines, set by set, and write only what differs: all or nothing.

A machine is known by its serial number. Of one that is reserved or serves a cluster, host name and addresses stay as
they are: what the CMDB says instead is recorded as a conflict. Nothing is ever deleted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from autorke.core.errors import Conflict, Text
from autorke.integrations.cmdb.fields import NUMBERS
from autorke.machines import conflicts
from autorke.machines.models import HARDWARE, PLACE, SOFTWARE, USE

BOUND_FIELDS = ("hostname", "address", "internal_address")
PLAIN_FIELDS = (*PLACE, *HARDWARE, *USE, "cmdb_id")
SSH_FIELDS = ("ssh_port", "ssh_user")
MAX_ROUNDS = 10
MAX_REFUSALS = 500


class CmdbEmpty(Conflict):
    code = "cmdb-empty"
    text = Text(zh="CMDB 没有返回任何机器", en="The CMDB returned no machine")
    remedy = Text(zh="没有做任何修改；检查来源配置与 CMDB", en="Nothing was changed; check the source and the CMDB")


class TooManyVanished(Conflict):
    code = "cmdb-too-many-vanished"
    text = Text(
        zh="{known} 台已知机器中有 {vanished} 台不在 CMDB 的应答里，超过上限 {limit}%",
        en="{vanished} of {known} known machines are not in the CMDB's answer: more than {limit} %",
    )
    remedy = Text(
        zh="没有做任何修改；确认确已下架后，带 accept_drop 手工同步一次",
        en="Nothing was changed; if they are really gone, sync once by hand with accept_drop",
    )


class AddressesTangled(Conflict):
    code = "cmdb-addresses-tangled"
    text = Text(zh="CMDB 中互相冲突的地址过多", en="Too many addresses in the CMDB's answer contradict each other")
    remedy = Text(
        zh="没有做任何修改；先在 CMDB 中清理重复地址", en="Nothing was changed; clean up duplicate addresses there"
    )


class RowsRefused(Exception):
    """Rows that cannot become machines, for a caller that wants all of them or nothing. Lines, fields and reasons."""

    def __init__(self, refusals: list[dict[str, Any]]) -> None:
        super().__init__(f"{len(refusals)} rows")
        self.refusals = refusals


@dataclass
class Counts:
    """What one sync did. `refusals` holds the first rows refused: line, sn, field, reason."""

    received: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    returned: int = 0
    vanished: int = 0
    refused: int = 0
    conflicts: int = 0
    refusals: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Terms:
    """What the source says about applying: its id, what new machines start with, and how many may vanish."""

    source_id: UUID
    mapped: frozenset[str]
    machine_credential_id: UUID | None
    machine_bastion_id: UUID | None
    machine_ssh_user: str
    max_vanished_percent: int
    accept_drop: bool = False
    all_rows: bool = False
    """One refused row refuses everything."""


def apply(connection: Connection, terms: Terms) -> Counts:
    """Bring the machines in line with the stage, in the caller's transaction.

    Raises CmdbEmpty, TooManyVanished, AddressesTangled, RowsRefused: the caller rolls back, and nothing was written.
    """
    connection.execute(text("set local statement_timeout = '10min'"))
    connection.execute(text("select pg_advisory_xact_lock(hashtextextended('autorke.cmdb.apply', 0))"))
    counts = Counts(received=_number(connection, "select count(*) from cmdb_stage"))
    if counts.received == 0:
        raise CmdbEmpty()
    _refuse_repeated(connection, terms)
    _compare(connection, terms)
    _guard_drop(connection, terms)
    _refuse_taken_addresses(connection)
    _count(connection, counts)
    if terms.all_rows and counts.refused:
        raise RowsRefused(counts.refusals)
    if counts.created:
        connection.execute(text(_insert_machines(terms.mapped)), _start(terms))
        connection.execute(text("analyze machine"))
    if counts.changed or counts.returned:
        connection.execute(text(_update_machines(terms.mapped)), _start(terms))
    if counts.vanished:
        connection.execute(text(_VANISH))
    connection.execute(text(_REPORT))
    touched = list(connection.execute(text(_TOUCHED)).scalars())
    if touched:  # a machine that is new has no facts and no cluster: nothing to contradict
        conflicts.refresh(connection, touched)
    counts.conflicts = _number(connection, _COUNT_CONFLICTS, source=terms.source_id)
    return counts


def _number(connection: Connection, statement: str, **parameters: Any) -> int:
    found: int = connection.execute(text(statement), parameters).scalar_one()
    return found


_REPEATED = """
update cmdb_stage s set refused_field = '{name}', refused_reason = 'appears ' || d.n || ' times in this answer'
from (select {name}, count(*) as n from cmdb_stage where {name} is not null group by {name} having count(*) > 1) d
where d.{name} = s.{name} and s.refused_field is null
"""
_OTHER_SOURCE = """
update cmdb_stage s set refused_field = 'sn', refused_reason = 'belongs to another CMDB source'
from machine m where m.sn = s.sn and m.cmdb_source_id <> :source and s.refused_field is null
"""


def _refuse_repeated(connection: Connection, terms: Terms) -> None:
    for name in ("sn", "cmdb_id", "address"):
        connection.execute(text(_REPEATED.format(name=name)))
    connection.execute(text(_OTHER_SOURCE), {"source": terms.source_id})


# `kind` of a row: new, changed, returned, same; refused rows are `refused` but prove that their machine is known.
_COMPARE = """
create temporary table cmdb_diff on commit drop as
select s.id as stage_id, m.id as machine_id, s.sn, s.address,
    case when s.refused_field is not null then 'refused'
         when m.id is null then 'new'
         when m.cmdb_vanished_at is not null then 'returned'
         when r.hash = s.hash and m.cmdb_source_id = :source then 'same'
         else 'changed' end as kind
from cmdb_stage s
left join machine m on m.sn = s.sn
left join machine_report r on r.machine_id = m.id and r.origin = 'cmdb'
"""
_GONE = """
create temporary table cmdb_gone on commit drop as
select m.id from machine m
where m.cmdb_source_id = :source and m.cmdb_vanished_at is null and m.state <> 'retired'
    and not exists (select from cmdb_stage s where s.sn = m.sn)
"""
# In id order, as reservations lock too, so that a sync and a ticket never wait for each other in a circle.
_LOCK = """
select count(*) from (
    select m.id from machine m where m.id in (
        select machine_id from cmdb_diff where kind in ('changed', 'returned') union all select id from cmdb_gone
    ) order by m.id for update
) locked
"""
_KNOWN = (
    "select count(*) from machine where cmdb_source_id = :source and cmdb_vanished_at is null and state <> 'retired'"
)


def _compare(connection: Connection, terms: Terms) -> None:
    connection.execute(text(_COMPARE), {"source": terms.source_id})
    connection.execute(text(_GONE), {"source": terms.source_id})
    for statement in ("create index on cmdb_diff (machine_id)", "analyze cmdb_diff", "analyze cmdb_gone", _LOCK):
        connection.execute(text(statement))


def _guard_drop(connection: Connection, terms: Terms) -> None:
    """One machine may always vanish; beyond that the share decides, unless a person accepted the drop."""
    vanished = _number(connection, "select count(*) from cmdb_gone")
    known = _number(connection, _KNOWN, source=terms.source_id)
    if vanished > 1 and vanished * 100 > known * terms.max_vanished_percent and not terms.accept_drop:
        raise TooManyVanished(vanished=vanished, known=known, limit=terms.max_vanished_percent)


# Where every machine's address would be after this sync; a row that wants an address which somebody else keeps is
# refused, its machine then keeps its own, and so on until nothing changes.
_TAKEN = """
with after_sync as (
    select m.sn, case
        when d.kind in ('changed', 'returned') and m.state not in ('reserved', 'in_cluster')
            and not m.kept_fields ? 'address' then d.address else m.address end as address
    from machine m left join cmdb_diff d on d.machine_id = m.id
    where m.state <> 'retired' and not exists (select from cmdb_gone g where g.id = m.id and m.state = 'free')
        and (m.state <> 'free' or m.cmdb_vanished_at is null or d.kind = 'returned')
), wanting as (
    select d.stage_id, d.sn, case when m.kept_fields ? 'address' then m.address else d.address end as address
    from cmdb_diff d left join machine m on m.id = d.machine_id
    where d.kind = 'new' or (d.kind = 'returned' and m.state = 'free') or (d.kind = 'changed'
        and m.state not in ('reserved', 'in_cluster', 'retired') and not m.kept_fields ? 'address'
        and m.address <> d.address)
), refused as (
    update cmdb_diff d set kind = 'refused' from wanting w join after_sync a on a.address = w.address and a.sn <> w.sn
    where d.stage_id = w.stage_id returning d.stage_id, a.sn
)
update cmdb_stage s set refused_field = 'address', refused_reason = 'is in use by machine ' || r.sn
from refused r where r.stage_id = s.id
"""


def _refuse_taken_addresses(connection: Connection) -> None:
    for _ in range(MAX_ROUNDS):
        if connection.execute(text(_TAKEN)).rowcount == 0:
            return
    raise AddressesTangled()


_COUNT_CONFLICTS = """
select count(*) from machine_conflict c join machine m on m.id = c.machine_id
where m.cmdb_source_id = :source and c.resolved_at is null
"""
_REFUSALS = """
select line, sn, refused_field as field, refused_reason as reason from cmdb_stage
where refused_field is not null order by line limit :most
"""


def _count(connection: Connection, counts: Counts) -> None:
    rows = connection.execute(text("select kind, count(*) as n from cmdb_diff group by kind"))
    kinds: dict[str, int] = {row.kind: row.n for row in rows}
    counts.created, counts.changed = kinds.get("new", 0), kinds.get("changed", 0)
    counts.unchanged, counts.returned = kinds.get("same", 0), kinds.get("returned", 0)
    counts.refused = kinds.get("refused", 0)
    counts.vanished = _number(connection, "select count(*) from cmdb_gone")
    refusals = connection.execute(text(_REFUSALS), {"most": MAX_REFUSALS}).mappings()
    counts.refusals = [dict(row) for row in refusals]


def _start(terms: Terms) -> Mapping[str, Any]:
    return {
        "source": terms.source_id,
        "credential": terms.machine_credential_id,
        "bastion": terms.machine_bastion_id,
        "ssh_user": terms.machine_ssh_user,
        "pinned_by": f"cmdb:{terms.source_id}",
    }


def _said(name: str) -> str:
    """SQL for what the CMDB says of a field; names come from the fixed table of fields, never from input."""
    if name == "address":
        return "s.address"
    if name == "internal_address":
        return "coalesce((s.values ->> 'internal_address')::inet, s.address)"
    if name in NUMBERS:
        return f"coalesce((s.values ->> '{name}')::int, {22 if name == 'ssh_port' else 0})"
    if name == "ssh_user":
        return "coalesce(s.values ->> 'ssh_user', :ssh_user)"
    return f"coalesce(s.values ->> '{name}', '')"


def _insert_machines(mapped: frozenset[str]) -> str:
    names = [*BOUND_FIELDS, "sn", *SSH_FIELDS, *PLAIN_FIELDS, *SOFTWARE]
    columns = ", ".join(names)
    values = ", ".join(_said(name) for name in names)
    pinned = "coalesce(s.values ->> 'host_key', '')" if "host_key" in mapped else "''"
    return f"""
insert into machine (id, {columns}, credential_id, bastion_machine_id, cmdb_source_id, cmdb_changed_at,
    host_key, host_key_pinned_by, host_key_pinned_at)
select s.id, {values}, cast(:credential as uuid), cast(:bastion as uuid), cast(:source as uuid), clock_timestamp(),
    {pinned}, case when {pinned} <> '' then :pinned_by else '' end,
    case when {pinned} <> '' then clock_timestamp() end
from cmdb_stage s join cmdb_diff d on d.stage_id = s.id where d.kind = 'new'
"""  # noqa: S608  only names of our own columns


def _update_machines(mapped: frozenset[str]) -> str:
    sets = []
    for name in (*BOUND_FIELDS, *SSH_FIELDS, *PLAIN_FIELDS, *SOFTWARE):
        if name not in mapped and name != "internal_address":
            continue
        stays = [f"m.kept_fields ? '{name}'"]
        if name in BOUND_FIELDS:
            stays.append("m.state in ('reserved', 'in_cluster')")
        if name in SOFTWARE:
            stays.append(f"coalesce(f.values ? '{name}', false)")
        if name == "internal_address" and name not in mapped:
            stays.append("m.internal_address <> m.address")
        sets.append(f"{name} = case when {' or '.join(stays)} then m.{name} else {_said(name)} end")
    if "host_key" in mapped:
        first = "m.host_key = '' and s.values ? 'host_key'"
        sets.append(f"host_key = case when {first} then s.values ->> 'host_key' else m.host_key end")
        sets.append(f"host_key_pinned_by = case when {first} then :pinned_by else m.host_key_pinned_by end")
        sets.append(f"host_key_pinned_at = case when {first} then clock_timestamp() else m.host_key_pinned_at end")
    return f"""
update machine m set {", ".join(sets)}, cmdb_source_id = cast(:source as uuid), cmdb_vanished_at = null,
    cmdb_changed_at = clock_timestamp(), updated_at = clock_timestamp(), version = m.version + 1
from cmdb_stage s join cmdb_diff d on d.stage_id = s.id
left join machine_report f on f.machine_id = d.machine_id and f.origin = 'machine'
where m.id = d.machine_id and d.kind in ('changed', 'returned')
"""  # noqa: S608  only names of our own columns


_VANISH = """
update machine m set cmdb_vanished_at = clock_timestamp(), updated_at = clock_timestamp(), version = m.version + 1
from cmdb_gone g where g.id = m.id
"""
_REPORT = """
insert into machine_report (machine_id, origin, values, extra, hash)
select coalesce(d.machine_id, s.id), 'cmdb', s.values, s.extra, s.hash
from cmdb_stage s join cmdb_diff d on d.stage_id = s.id where d.kind in ('new', 'changed', 'returned')
on conflict (machine_id, origin) do update
set values = excluded.values, extra = excluded.extra, hash = excluded.hash, reported_at = clock_timestamp()
"""
_TOUCHED = """
select machine_id from cmdb_diff where kind in ('changed', 'returned')
"""
