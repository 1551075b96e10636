"""What a person has chosen in the machine list: rows, or all that match a filter, less some.

Everything that works on a selection (counting, copying a column, asking what is allowed) starts from `Choice`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, all_, any_, func, literal, select
from sqlalchemy.orm import Session

from autorke.machines.columns import column_of
from autorke.machines.models import Machine
from autorke.machines.search import matching

MAX_IDS = 5_000


@dataclass(frozen=True)
class Choice:
    """`ids` None means every machine; filters narrow, `exclude_ids` are left out again."""

    ids: Sequence[UUID] | None = None
    filters: Sequence[str] = ()
    exclude_ids: Sequence[UUID] = ()

    def conditions(self, visible: ColumnElement[bool]) -> list[ColumnElement[bool]]:
        """SQL conditions for these machines, as far as the caller may see them. Raises BadFilter."""
        found = matching(self.filters, visible=visible)
        if self.ids is not None:
            found.append(Machine.id == any_(as_array(self.ids)))
        if self.exclude_ids:
            found.append(Machine.id != all_(as_array(self.exclude_ids)))
        return found


@dataclass(frozen=True)
class Selected:
    """How many machines a choice means, and the first of them by host name; `values` of the asked column, in step."""

    count: int
    ids: list[UUID]
    values: list[Any] | None

    @property
    def truncated(self) -> bool:
        return self.count > len(self.ids)


def as_array(ids: Sequence[UUID]) -> ColumnElement[Any]:
    """One bound value, however many ids: five thousand parameters would cost more than the query."""
    return literal(list(ids), ARRAY(Uuid()))


def select_machines(session: Session, choice: Choice, *, visible: ColumnElement[bool], column: str = "") -> Selected:
    """Resolve a choice in one statement, two when there are more than MAX_IDS. Raises BadFilter, NoSuchColumn."""
    conditions = choice.conditions(visible)
    shown = (Machine.id, column_of(column, field="column")) if column else (Machine.id,)
    query = select(*shown).where(*conditions).order_by(Machine.hostname, Machine.id).limit(MAX_IDS + 1)
    rows = session.execute(query).all()
    count = len(rows)
    if count > MAX_IDS:
        count = session.execute(select(func.count()).select_from(Machine).where(*conditions)).scalar_one()
    first = rows[:MAX_IDS]
    return Selected(count, [row[0] for row in first], [row[1] for row in first] if column else None)
