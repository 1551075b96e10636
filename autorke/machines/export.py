"""The machine list as a file, streamed: page after page, each read in a transaction of its own.

A client may take an hour to read 100,000 rows. It then holds one page in memory and no transaction, and the right to
see the rows is asked for again with every page.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from autorke.core import db
from autorke.core.errors import Conflict, Text
from autorke.machines.columns import cell, column_of, defused
from autorke.machines.models import Machine
from autorke.machines.search import COLUMNS, matching
from autorke.users.access import Actor, current_bindings, scope
from autorke.web.paging import PageQuery, Slice, page

ROWS = 1_000
Format = Literal["csv", "json"]
MEDIA_TYPES: dict[Format, str] = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
BYTE_ORDER_MARK = "\ufeff"
"""Without it spreadsheets read UTF-8 as the code page of the machine they run on."""


class RightsChanged(Conflict):
    """Breaks the download off: a file that ends early must not look complete."""

    code = "rights-changed"
    text = Text(zh="导出期间您的权限发生了变化", en="Your rights changed while the file was written")
    remedy = Text(zh="重新导出", en="Export again")


@dataclass(frozen=True)
class Order:
    """What is asked for: which machines, in which order, which columns, in which format."""

    filters: tuple[str, ...]
    sort: str
    columns: Sequence[str]
    format: Format


def count(session: Session, actor: Actor, order: Order) -> int:
    """How many rows the file will have if nothing changes meanwhile; for the record. Raises BadFilter."""
    conditions = matching(order.filters, visible=_visible(actor))
    return session.execute(select(func.count()).select_from(Machine).where(*conditions)).scalar_one()


def read_page(session: Session, actor: Actor, order: Order, cursor: str | None = None) -> Slice:
    """The next rows as tuples of column values. Raises BadFilter, BadSort, NoSuchColumn."""
    wanted = [column_of(name, field="columns") for name in order.columns]
    statement = select(*wanted).where(*matching(order.filters, visible=_visible(actor)))
    query = PageQuery(limit=ROWS, cursor=cursor, sort=order.sort or None)
    found = page(session, statement, COLUMNS, query, key=Machine.id, default_sort="hostname")
    rows = [(row,) for row in found.items] if len(wanted) == 1 else found.items
    return Slice(items=rows, next=found.next, total=None)


def _visible(actor: Actor) -> Any:
    return scope(actor, "machine:read", Machine.cluster_id, unowned=True)


def write(actor: Actor, order: Order, first: Slice) -> Iterator[bytes]:
    """The file in pieces of one page. `first` was read with the request, so that a bad filter is a 422 and no file."""
    make = _csv if order.format == "csv" else _json
    return make(order.columns, _pages(actor, order, first))


def _pages(actor: Actor, order: Order, first: Slice) -> Iterator[list[Any]]:
    current = first
    while True:
        yield current.items
        if current.next is None:
            return
        with db.transaction() as session:
            if current_bindings(session, actor.user_id) != actor.bindings:
                raise RightsChanged()
            current = read_page(session, actor, order, current.next)


def _csv(columns: Sequence[str], pages: Iterator[list[Any]]) -> Iterator[bytes]:
    out = io.StringIO()
    out.write(BYTE_ORDER_MARK)
    writer = csv.writer(out)
    writer.writerow(columns)
    for rows in pages:
        writer.writerows([defused(cell(value)) for value in row] for row in rows)
        yield out.getvalue().encode()
        out.seek(0)
        out.truncate()


def _json(columns: Sequence[str], pages: Iterator[list[Any]]) -> Iterator[bytes]:
    lead = "["
    for rows in pages:
        lines = (json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False, default=cell) for row in rows)
        body = ",\n".join(lines)
        if body:
            yield (lead + body).encode()
            lead = ",\n"
    yield b"[]" if lead == "[" else b"]"
