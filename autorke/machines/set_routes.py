"""The machine list as a whole over the API: figures, selections, files."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from autorke.core.db import db_now
from autorke.machines import columns, export
from autorke.machines.export import MEDIA_TYPES, Format, Order
from autorke.machines.models import Machine
from autorke.machines.schemas import MachineOut
from autorke.machines.selection import select_machines
from autorke.machines.set_schemas import FacetOut, FacetValueOut, SelectionIn, SelectionOut, SummaryOut
from autorke.machines.summary import summarise
from autorke.users import audit
from autorke.users.access import Actor, scope
from autorke.users.deps import allowed
from autorke.web.deps import FiltersDep, SessionDep

router = APIRouter(prefix="/machines", tags=["machines"])

Reader = Annotated[Actor, allowed("machine:read")]
FILES = {media_type.partition(";")[0]: {"schema": {"type": "string"}} for media_type in MEDIA_TYPES.values()}


@router.get("/summary", response_model=SummaryOut)
def summarise_machines(
    actor: Reader,
    session: SessionDep,
    filters: FiltersDep,
    facet: Annotated[str, Query(max_length=400, description="Columns, comma separated, whose values to count")] = "",
) -> SummaryOut:
    """How many machines match, by state, and the most frequent values of columns."""
    names = [name.strip() for name in facet.split(",")] if facet else []
    visible = scope(actor, "machine:read", Machine.cluster_id, unowned=True)
    found = summarise(session, filters=filters, facets=names, visible=visible)
    facets = {
        name: FacetOut(distinct=one.distinct, values=[FacetValueOut(value=v, count=n) for v, n in one.values])
        for name, one in found.facets.items()
    }
    return SummaryOut(
        total=found.total, states=found.states, conflicts=found.conflicts, vanished=found.vanished, facets=facets
    )


@router.post("/selection", response_model=SelectionOut)
def select_many(body: SelectionIn, actor: Reader, session: SessionDep) -> SelectionOut:
    """What a selection means now: how many machines, which, and one column of them for a copy."""
    visible = scope(actor, "machine:read", Machine.cluster_id, unowned=True)
    found = select_machines(session, body.choice(), visible=visible, column=body.column)
    values = None if found.values is None else [columns.cell(value) for value in found.values]
    return SelectionOut(count=found.count, ids=found.ids, truncated=found.truncated, values=values)


@router.get("/export", response_class=StreamingResponse, responses={200: {"content": FILES}})
def export_machines(
    actor: Reader,
    session: SessionDep,
    filters: FiltersDep,
    sort: Annotated[str, Query(max_length=200, description="As in the list")] = "",
    columns_: Annotated[str, Query(alias="columns", max_length=2000, description="Comma separated; all if empty")] = "",
    format: Format = "csv",
) -> StreamingResponse:
    """Every machine that matches, as a file. Cells that a spreadsheet would take for a formula begin with `'`."""
    wanted = columns.parse(columns_, usual=list(MachineOut.model_fields), field="columns")
    order = Order(filters, sort, wanted, format)
    first = export.read_page(session, actor, order)
    audit.record(
        session,
        actor,
        action="machine.export",
        object_type="machine",
        object_id="list",
        rows=export.count(session, actor, order),
        filters=[text[:500] for text in filters],
        columns=wanted,
        format=format,
    )
    name = f"machines-{db_now(session):%Y%m%d-%H%M%S}.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(export.write(actor, order, first), media_type=MEDIA_TYPES[format], headers=headers)
