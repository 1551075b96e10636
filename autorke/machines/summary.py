"""Figures over all machines that match a filter: totals by state, and facets (how often each value of a column occurs).

A column's own filter does not narrow its own facet, so that a person sees what else could be chosen. One statement for
the totals and one for all facets together, whatever is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, case, cast, func, literal, select, tuple_, union_all
from sqlalchemy.orm import Session

from autorke.core import errors
from autorke.machines.models import HARDWARE, PLACE, SOFTWARE, USE, Machine
from autorke.machines.search import matching

FACETS = (*PLACE, *HARDWARE, *SOFTWARE, *USE, "state", "cluster_name", "node_roles", "flat_network", "ippool")
MAX_FACETS = 12
MAX_VALUES = 200


class BadFacet(errors.Unprocessable):
    code = "bad-facet"
    text = errors.Text(zh="不能统计 {name}", en="Cannot count the values of {name}")
    remedy = errors.Text(zh="一次最多 {limit} 列：{columns}", en="At most {limit} columns at once of: {columns}")


@dataclass(frozen=True)
class Facet:
    """The most frequent values of one column; `distinct` says how many there are in all."""

    distinct: int
    values: list[tuple[str, int]]


@dataclass(frozen=True)
class Summary:
    """`states` adds up to `total`; every machine counts once."""

    total: int
    conflicts: int
    vanished: int
    states: dict[str, int]
    facets: dict[str, Facet] = field(default_factory=dict)


def summarise(
    session: Session, *, filters: Sequence[str] = (), facets: Sequence[str] = (), visible: ColumnElement[bool]
) -> Summary:
    """Two statements. Raises BadFilter, BadFacet."""
    known = ", ".join(FACETS)
    for name in facets:
        if name not in FACETS or len(facets) > MAX_FACETS:
            raise BadFacet(field="facet", name=name, limit=MAX_FACETS, columns=known)
    query = (
        select(
            Machine.state,
            func.count().label("machines"),
            func.count().filter(Machine.conflict_count > 0).label("conflicts"),
            func.count().filter(Machine.cmdb_vanished_at.is_not(None)).label("vanished"),
        )
        .where(*matching(filters, visible=visible))
        .group_by(Machine.state)
    )
    rows = session.execute(query).all()
    return Summary(
        total=sum(row.machines for row in rows),
        conflicts=sum(row.conflicts for row in rows),
        vanished=sum(row.vanished for row in rows),
        states={row.state: row.machines for row in rows},
        facets=_facets(session, filters, list(dict.fromkeys(facets)), visible) if facets else {},
    )


def _facets(
    session: Session, filters: Sequence[str], names: Sequence[str], visible: ColumnElement[bool]
) -> dict[str, Facet]:
    own = {name: [text for text in filters if text.partition(":")[0] == name] for name in names}
    plain = [name for name in names if not own[name]]
    arms = [
        _arm(name, matching([t for t in filters if t not in own[name]], visible=visible)) for name in own if own[name]
    ]
    if filters and len(plain) > 1:
        arms.append(_one_scan(plain, matching(filters, visible=visible)))
    else:  # without a filter each column is counted from its index, which a scan for all of them cannot use
        arms += [_arm(name, matching(filters, visible=visible)) for name in plain]
    counted = union_all(*arms).subquery()
    rank = func.row_number().over(partition_by=counted.c.facet, order_by=(counted.c.machines.desc(), counted.c.value))
    distinct = func.count().over(partition_by=counted.c.facet)
    ranked = select(counted, rank.label("rank"), distinct.label("distinct")).subquery()
    query = select(ranked).where(ranked.c.rank <= MAX_VALUES).order_by(ranked.c.facet, ranked.c.rank)
    found = {name: Facet(0, []) for name in names}
    for name, rows in groupby(session.execute(query), key=lambda row: row.facet):
        values = list(rows)
        found[name] = Facet(values[0].distinct, [(row.value, row.machines) for row in values])
    return found


def _shown(name: str) -> ColumnElement[str]:
    return cast(getattr(Machine, name), Text)


def _arm(name: str, conditions: Sequence[ColumnElement[bool]]) -> Select[*tuple[Any, ...]]:
    """Count one column."""
    column = getattr(Machine, name)
    return (
        select(literal(name, Text).label("facet"), _shown(name).label("value"), func.count().label("machines"))
        .where(*conditions)
        .group_by(column)
    )


def _one_scan(names: Sequence[str], conditions: Sequence[ColumnElement[bool]]) -> Select[*tuple[Any, ...]]:
    """Count several columns in one pass. In a row all but the counted one are null, and none is null by itself."""
    columns = [getattr(Machine, name) for name in names]
    others = (1 << len(names)) - 1
    marks = {others - (1 << (len(names) - 1 - place)): name for place, name in enumerate(names)}
    facet = case({mark: literal(name, Text) for mark, name in marks.items()}, value=func.grouping(*columns))
    return (
        select(facet.label("facet"), func.coalesce(*map(_shown, names)).label("value"), func.count().label("machines"))
        .where(*conditions)
        .group_by(func.grouping_sets(*(tuple_(column) for column in columns)))
    )
