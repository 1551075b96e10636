"""Find machines: one keyset page under any filter and order, and a pasted list of names, addresses and serials."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, undefer_group

from autorke.core.errors import Text, Unprocessable
from autorke.machines.models import HARDWARE, PLACE, SOFTWARE, USE, Machine, MachineState
from autorke.web.errors import BadFilter
from autorke.web.filters import conditions
from autorke.web.paging import Column, PageQuery, Slice, page

MAX_KEYS = 10_000
_NUMBERS = frozenset({"cpu_cores", "memory_mb", "disk_gb", "gpu_count"})
_COMPARED = frozenset({"eq", "ne", "in", "lt", "gt", "le", "ge"})

COLUMNS = {
    "id": Column(Machine.id, UUID),
    "hostname": Column(Machine.hostname),
    "address": Column(Machine.address, operators=_COMPARED),
    "internal_address": Column(Machine.internal_address, operators=_COMPARED),
    "sn": Column(Machine.sn),
    "ssh_port": Column(Machine.ssh_port, int),
    "ssh_user": Column(Machine.ssh_user),
    "credential_id": Column(Machine.credential_id, UUID, sortable=False),
    **{name: Column(getattr(Machine, name), int if name in _NUMBERS else str) for name in (*PLACE, *HARDWARE)},
    **{name: Column(getattr(Machine, name)) for name in (*SOFTWARE, *USE)},
    "state": Column(Machine.state, MachineState),
    "cluster_id": Column(Machine.cluster_id, UUID, sortable=False),
    "cluster_name": Column(Machine.cluster_name),
    "node_name": Column(Machine.node_name),
    "node_roles": Column(Machine.node_roles),
    "node_label_count": Column(Machine.node_label_count, int, sortable=False),
    "node_taint_count": Column(Machine.node_taint_count, int, sortable=False),
    "flat_network": Column(Machine.flat_network),
    "ippool": Column(Machine.ippool),
    "ticket_id": Column(Machine.ticket_id, UUID, sortable=False),
    "cmdb_id": Column(Machine.cmdb_id),
    "cmdb_source_id": Column(Machine.cmdb_source_id, UUID, sortable=False),
    "cmdb_vanished_at": Column(Machine.cmdb_vanished_at, datetime),
    "conflict_count": Column(Machine.conflict_count, int),
    "created_at": Column(Machine.created_at, datetime),
    "updated_at": Column(Machine.updated_at, datetime),
}
WITH_TICKET = undefer_group("ticket")
ADDRESSES: dict[str, InstrumentedAttribute[str]] = {
    "address": Machine.address,
    "internal_address": Machine.internal_address,
}


class TooManyKeys(Unprocessable):
    code = "too-many-keys"
    text = Text(zh="一次最多查找 {limit} 项，最多返回 {limit} 台机器", en="At most {limit} items and machines at once")
    remedy = Text(zh="分批查找，或缩小网段", en="Split the list, or ask for smaller networks")


def list_page(session: Session, query: PageQuery, *, visible: ColumnElement[bool] | None = None) -> Slice:
    """One page of the machines that the caller may see. Raises BadFilter, BadSort, BadCursor.

    Beside the operators of every list, addresses take `prefix`, `contains` (as text) and `within` (a network).
    """
    statement = select(Machine).where(*matching(query.filters, visible=visible)).options(WITH_TICKET)
    return page(session, statement, COLUMNS, replace(query, filters=()), key=Machine.id, default_sort="hostname")


def matching(filters: Iterable[str], *, visible: ColumnElement[bool] | None = None) -> list[ColumnElement[bool]]:
    """SQL conditions for machines that match all filters and that the caller may see. Raises BadFilter."""
    texts = tuple(filters)
    plain = conditions(COLUMNS, tuple(text for text in texts if not _is_special(text)))
    special = [_address_condition(text) for text in texts if _is_special(text)]
    return [*plain, *special, *(() if visible is None else (visible,))]


def _is_special(text: str) -> bool:
    name, _, rest = text.partition(":")
    return name in ADDRESSES and rest.partition(":")[0] in ("prefix", "contains", "within")


def _address_condition(text: str) -> ColumnElement[bool]:
    name, _, rest = text.partition(":")
    operator, _, value = rest.partition(":")
    column = ADDRESSES[name]
    if operator == "within":
        try:
            return column.op("<<=")(str(ipaddress.ip_network(value, strict=False)))
        except ValueError as error:
            raise BadFilter(
                field="filter", text=text, zh="应为网段，如 10.1.0.0/16", en="a network like 10.1.0.0/16", columns=name
            ) from error
    shown = func.host(column).collate("C")
    return shown.startswith(value, autoescape=True) if operator == "prefix" else shown.contains(value, autoescape=True)


@dataclass(frozen=True)
class Found:
    """The answer to a pasted list. `ambiguous` keys match several machines; `repeated` were pasted more than once."""

    matches: list[tuple[str, Machine]]
    missing: list[str]
    ambiguous: list[str]
    repeated: list[str]


def find_many(session: Session, keys: Iterable[str], *, visible: ColumnElement[bool] | None = None) -> Found:
    """Machines by address, network (10.1.0.0/24), range (10.1.0.5-10.1.0.9), host name or serial number, as pasted.

    One statement. Raises TooManyKeys.
    """
    counts = Counter(key.strip() for key in keys if key.strip())
    if len(counts) > MAX_KEYS:
        raise TooManyKeys(field="keys", limit=MAX_KEYS)
    statement = select(Machine).where(_any_key(counts)).order_by(Machine.address, Machine.id)
    if visible is not None:
        statement = statement.where(visible)
    machines = list(session.scalars(statement.limit(MAX_KEYS + 1)))
    if len(machines) > MAX_KEYS:
        raise TooManyKeys(field="keys", limit=MAX_KEYS)
    names: dict[str, list[Machine]] = {}
    for machine in machines:
        for name in {machine.hostname, machine.address, machine.internal_address, machine.sn}:
            names.setdefault(name, []).append(machine)
    matches: list[tuple[str, Machine]] = []
    missing, ambiguous = [], []
    for key in counts:
        span = _span(key)
        hits = _inside(machines, span) if span else names.get(_normal(key)) or names.get(key.lower(), [])
        matches += [(key, machine) for machine in hits]
        if not hits:
            missing.append(key)
        elif len(hits) > 1 and not span:
            ambiguous.append(key)
    return Found(matches, missing, ambiguous, [key for key, count in counts.items() if count > 1])


Span = tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ipaddress.IPv4Address | ipaddress.IPv6Address]


def _span(key: str) -> Span | None:
    """First and last address of a network or range; None for anything else."""
    try:
        if "/" in key:
            network = ipaddress.ip_network(key, strict=False)
            return network[0], network[-1]
        first, dash, last = key.partition("-")
        if dash:
            return ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
    except ValueError:
        return None
    return None


def _normal(key: str) -> str:
    """A key as it is stored: canonical address, lower-case name; serial numbers are taken as they are."""
    try:
        return str(ipaddress.ip_address(key))
    except ValueError:
        return key


def _inside(machines: Iterable[Machine], span: Span) -> list[Machine]:
    first, last = span
    found = []
    for machine in machines:
        address = ipaddress.ip_address(machine.address)
        if address.version == first.version == last.version and int(first) <= int(address) <= int(last):
            found.append(machine)
    return found


def _any_key(counts: Iterable[str]) -> ColumnElement[bool]:
    addresses: list[str] = []
    words: list[str] = []
    conditions: list[ColumnElement[bool]] = []
    for key in counts:
        span = _span(key)
        if span:
            conditions.append(and_(Machine.address >= str(span[0]), Machine.address <= str(span[1])))
            continue
        normal = _normal(key)
        (addresses if normal != key or _is_address(key) else words).append(normal)
    if addresses:
        conditions += [Machine.address.in_(addresses), Machine.internal_address.in_(addresses)]
    if words:
        conditions += [Machine.hostname.in_([*words, *(word.lower() for word in words)]), Machine.sn.in_(words)]
    return or_(*conditions) if conditions else false()


def _is_address(key: str) -> bool:
    try:
        ipaddress.ip_address(key)
    except ValueError:
        return False
    return True
