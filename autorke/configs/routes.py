"""Config and state revisions over the API: masked for readers, the files themselves for admins, both on the record."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from autorke.configs import compare, masking, service
from autorke.configs.models import ConfigRevision, StateRevision
from autorke.configs.schemas import ComparisonOut, RevisionKind, RevisionOut, RevisionText
from autorke.configs.service import AnyRevision
from autorke.core.errors import NotFound
from autorke.core.schemas import Page
from autorke.users import audit
from autorke.users.access import Actor, Permission
from autorke.users.deps import allowed
from autorke.web.deps import PageDep, SessionDep
from autorke.web.paging import Column, Slice, page

router = APIRouter(prefix="/clusters/{cluster_id}/revisions/{kind}", tags=["revisions"])

Reader = Annotated[Actor, allowed("config:read")]
Downloader = Annotated[Actor, allowed("config:write")]
Number = Annotated[int, Query(ge=1, le=2**31 - 1)]

TABLES: dict[RevisionKind, type[ConfigRevision] | type[StateRevision]] = {
    RevisionKind.CONFIG: ConfigRevision,
    RevisionKind.STATE: StateRevision,
}
FILES = {RevisionKind.CONFIG: "cluster.yml", RevisionKind.STATE: "cluster.rkestate"}


def _require(actor: Actor, permission: Permission, cluster_id: UUID) -> None:
    """Whoever may not see the cluster's files learns nothing of its existence either. Raises NotFound."""
    if not actor.may(permission, cluster_id):
        raise NotFound(field="cluster_id", what="cluster", key=cluster_id)


def _get(session: Session, cluster_id: UUID, kind: RevisionKind, number: int) -> AnyRevision:
    if kind is RevisionKind.CONFIG:
        return service.get(session, ConfigRevision, cluster_id, number)
    return service.get(session, StateRevision, cluster_id, number)


def _record(session: Session, actor: Actor, action: str, kind: RevisionKind, cluster_id: UUID, *numbers: int) -> None:
    audit.record(
        session,
        actor,
        action=f"{kind.value}.{action}",
        object_type="cluster",
        object_id=cluster_id,
        revisions=list(numbers),
    )


@router.get("", response_model=Page[RevisionOut])
def list_revisions(cluster_id: UUID, kind: RevisionKind, actor: Reader, session: SessionDep, query: PageDep) -> Slice:
    """Every revision of this file, the newest first."""
    _require(actor, "config:read", cluster_id)
    table = TABLES[kind]
    columns = {
        "number": Column(table.number, int),
        "reason": Column(table.reason),
        "ticket_id": Column(table.ticket_id, UUID),
        "created_by": Column(table.created_by),
        "created_at": Column(table.created_at, datetime),
    }
    statement = select(table).where(table.cluster_id == cluster_id)
    return page(session, statement, columns, query, key=table.id, default_sort="-number")


@router.get("/compare", response_model=ComparisonOut)
def compare_revisions(
    cluster_id: UUID, kind: RevisionKind, before: Number, after: Number, actor: Reader, session: SessionDep
) -> compare.Comparison:
    """What changed from one revision to another, by meaning and by line, secrets masked."""
    _require(actor, "config:read", cluster_id)
    texts = [service.open_text(_get(session, cluster_id, kind, number)) for number in (before, after)]
    _record(session, actor, "compare", kind, cluster_id, before, after)
    labels = (f"{FILES[kind]} #{before}", f"{FILES[kind]} #{after}")
    compared = compare.compare_configs if kind is RevisionKind.CONFIG else compare.compare_states
    return compared(texts[0], texts[1], labels=labels)


@router.get("/{number}", response_model=RevisionText)
def get_revision(cluster_id: UUID, kind: RevisionKind, number: int, actor: Reader, session: SessionDep) -> RevisionText:
    """One revision as text, every secret masked."""
    _require(actor, "config:read", cluster_id)
    revision = _get(session, cluster_id, kind, number)
    mask = masking.mask_yaml if kind is RevisionKind.CONFIG else masking.mask_state
    _record(session, actor, "read", kind, cluster_id, number)
    shown = RevisionOut.model_validate(revision).model_dump()
    return RevisionText(**shown, text=mask(service.open_text(revision)))


@router.get("/{number}/file", response_class=Response)
def download_revision(
    cluster_id: UUID, kind: RevisionKind, number: int, actor: Downloader, session: SessionDep
) -> Response:
    """The file itself, with its secrets: for admins, on the record."""
    _require(actor, "config:write", cluster_id)
    content = service.open_text(_get(session, cluster_id, kind, number))
    _record(session, actor, "download", kind, cluster_id, number)
    disposition = f'attachment; filename="{FILES[kind].replace(".", f"-{number}.")}"'
    headers = {"Content-Disposition": disposition, "Cache-Control": "no-store"}
    return Response(content, media_type="application/octet-stream", headers=headers)
