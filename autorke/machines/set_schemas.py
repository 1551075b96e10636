"""Many machines at once, on the wire."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from autorke.core.schemas import In, Out
from autorke.machines.selection import MAX_IDS, Choice
from autorke.web.fields import Id
from autorke.web.filters import MAX_FILTERS

Ids = Annotated[list[Id], Field(max_length=MAX_IDS)]
Filters = Annotated[list[Annotated[str, Field(max_length=4000)]], Field(max_length=MAX_FILTERS)]


class ChoiceIn(In):
    """Machines by id, or all that match the filters, less some."""

    ids: Ids | None = Field(None, description="These machines; left out: every machine that matches")
    filter: Filters = Field(default=[], description="`column:operator:value`; all must match")
    exclude_ids: Ids = Field(default=[])

    def choice(self) -> Choice:
        return Choice(ids=self.ids, filters=self.filter, exclude_ids=self.exclude_ids)


class SelectionIn(ChoiceIn):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"filter": ["rack:eq:B12", "state:eq:free"], "column": "address"}]}
    )

    column: Annotated[str, Field(max_length=64)] = Field("", description="Also give this column's values, for a copy")


class SelectionOut(Out):
    """`ids` are the first 5,000 by host name; `values` stand in the same order."""

    count: int
    ids: list[UUID]
    truncated: bool
    values: list[str] | None


class FacetValueOut(Out):
    value: str
    count: int


class FacetOut(Out):
    """The most frequent values of a column under all filters but its own; `distinct` says how many there are in all."""

    distinct: int
    values: list[FacetValueOut]


class SummaryOut(Out):
    """`conflicts` and `vanished` count machines. Asked facets come in the order they were asked for."""

    total: int
    states: dict[str, int]
    conflicts: int
    vanished: int
    facets: dict[str, FacetOut]
