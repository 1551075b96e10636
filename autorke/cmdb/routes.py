"""CMDB sources over the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import select

from autorke.cmdb import freshness, imports, service
from autorke.cmdb.models import CmdbRun, CmdbSource
from autorke.cmdb.schemas import (
    FreshnessOut,
    ImportIn,
    ImportOut,
    MappingPreviewOut,
    PreviewIn,
    RunOut,
    SourceDetail,
    SourceIn,
    SourceOut,
    SourcePatch,
    SyncIn,
)
from autorke.cmdb.sync import files_root
from autorke.core.schemas import Page
from autorke.machines.models import Machine
from autorke.users import audit
from autorke.users.access import Actor, scope
from autorke.users.deps import allowed
from autorke.web.deps import PageDep, SessionDep
from autorke.web.paging import Column, Slice, page

router = APIRouter(prefix="/cmdb", tags=["cmdb"])

Reader = Annotated[Actor, allowed("machine:read")]
Syncer = Annotated[Actor, allowed("cmdb:sync", everywhere=True)]
Configurer = Annotated[Actor, allowed("settings:write", everywhere=True)]

SOURCE_COLUMNS = {
    "name": Column(CmdbSource.name),
    "enabled": Column(CmdbSource.enabled, bool),
    "last_ok_at": Column(CmdbSource.last_ok_at, datetime),
}
RUN_COLUMNS = {
    "queued_at": Column(CmdbRun.queued_at, datetime),
    "outcome": Column(CmdbRun.outcome),
    "requested_by": Column(CmdbRun.requested_by),
    "refused": Column(CmdbRun.refused, int),
    "vanished": Column(CmdbRun.vanished, int),
}


@router.get("/freshness", response_model=list[FreshnessOut])
def get_freshness(actor: Reader, session: SessionDep) -> list[freshness.Freshness]:
    """Every source: when it was synced, how that ended, and what is open on its machines."""
    return freshness.of_sources(session, visible=scope(actor, "machine:read", Machine.cluster_id, unowned=True))


@router.get("/sources", response_model=Page[SourceOut])
def list_sources(_actor: Reader, session: SessionDep, query: PageDep) -> Slice:
    """The sources and how fresh they are; not how they are asked."""
    return page(session, select(CmdbSource), SOURCE_COLUMNS, query, key=CmdbSource.id, default_sort="name")


@router.post("/sources", response_model=SourceDetail, status_code=201)
def create_source(body: SourceIn, actor: Configurer, session: SessionDep) -> CmdbSource:
    """Add a CMDB. It is synced at once and then at its interval."""
    source = service.create_source(session, config=body.config, fields=body.model_dump(exclude={"config"}))
    audit.record(session, actor, action="cmdb.create", object_type="cmdb_source", object_id=source.id, name=source.name)
    return source


@router.get("/sources/{source_id}", response_model=SourceDetail)
def get_source(source_id: UUID, _actor: Syncer, session: SessionDep) -> CmdbSource:
    """One source with its configuration; its secret is in a credential and stays there."""
    return service.get_source(session, source_id)


@router.patch("/sources/{source_id}", response_model=SourceDetail)
def update_source(source_id: UUID, body: SourcePatch, actor: Configurer, session: SessionDep) -> CmdbSource:
    """Change a source."""
    changes = body.changes()
    source = service.update_source(session, source_id, version=body.version, config=body.config, fields=changes)
    fields = sorted([*changes, *(["config"] if body.config else [])])
    audit.record(session, actor, action="cmdb.update", object_type="cmdb_source", object_id=source_id, fields=fields)
    return source


@router.post("/sources/{source_id}/sync", response_model=RunOut, status_code=202)
def request_sync(source_id: UUID, body: SyncIn, actor: Syncer, session: SessionDep) -> CmdbRun:
    """Ask for a sync now; a worker starts it within seconds. Follow the run."""
    run = service.request_sync(session, source_id, by=actor.name, accept_drop=body.accept_drop)
    audit.record(
        session,
        actor,
        action="cmdb.sync",
        object_type="cmdb_source",
        object_id=source_id,
        run=str(run.id),
        accept_drop=body.accept_drop,
    )
    return run


@router.get("/sources/{source_id}/runs", response_model=Page[RunOut])
def list_runs(source_id: UUID, _actor: Syncer, session: SessionDep, query: PageDep) -> Slice:
    """The syncs of a source, the newest first."""
    service.get_source(session, source_id)
    statement = select(CmdbRun).where(CmdbRun.source_id == source_id)
    return page(session, statement, RUN_COLUMNS, query, key=CmdbRun.id, default_sort="-queued_at")


@router.get("/runs/{run_id}", response_model=RunOut)
def get_run(run_id: UUID, _actor: Syncer, session: SessionDep) -> CmdbRun:
    """One sync: how it stands or how it ended."""
    return service.get_run(session, run_id)


@router.post("/imports", response_model=ImportOut)
def import_machines(body: ImportIn, actor: Configurer, session: SessionDep) -> imports.Imported:
    """Machines from a file whose content is sent along: all of its rows, or none. Try it first with `dry_run`."""
    done = imports.import_machines(session, body, by=actor.name)
    if not done.dry_run:
        audit.record(
            session,
            actor,
            action="machine.import",
            object_type="cmdb_source",
            object_id=done.source_id,
            name=body.name,
            received=done.counts.received,
            accept_drop=body.accept_drop,
        )
    return done


@router.post("/preview", response_model=MappingPreviewOut)
def preview_mapping(body: PreviewIn, actor: Configurer, session: SessionDep) -> service.Preview:
    """Ask a CMDB for its first page and show what a mapping makes of it. Stores nothing."""
    secret = service.open_secret(session, body.credential_id, purpose="cmdb preview", actor=actor)
    session.commit()  # the opening is on the record, and no transaction is open while the CMDB is asked
    return service.preview(body.config, secret=secret, root=files_root())
