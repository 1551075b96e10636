"""CMDB sources: kept by admins, synced by the clock or on demand, tried out before they are saved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from autorke.cmdb.errors import SourceDisabled, StaleSource
from autorke.cmdb.models import CmdbRun, CmdbSource, Outcome
from autorke.core.errors import NotFound
from autorke.credentials import service as credentials
from autorke.credentials.errors import WrongKind
from autorke.credentials.kinds import Kind
from autorke.integrations.cmdb import CmdbConfig, CmdbMachine, RefusedRow, fetch_rows
from autorke.integrations.cmdb.config import UploadSource
from autorke.integrations.cmdb.errors import FilledByImports
from autorke.integrations.cmdb.mapping import mapper
from autorke.users.access import Actor

SECRET_KINDS: tuple[Kind, ...] = ("token", "password")
PREVIEW_ROWS = 20
MAX_ROW_SHOWN = 20_000


def config_of(source: CmdbSource) -> CmdbConfig:
    """The stored configuration as a value."""
    return CmdbConfig.model_validate(source.config)


def get_source(session: Session, source_id: UUID) -> CmdbSource:
    """One source. Raises NotFound."""
    source = session.get(CmdbSource, source_id)
    if source is None:
        raise NotFound(field="source_id", what="CMDB source", key=source_id)
    return source


def open_secret(session: Session, credential_id: UUID | None, *, purpose: str, actor: Actor | None) -> str | None:
    """The token or password that a CMDB asks for; None without a credential. Raises NotFound, WrongKind."""
    if credential_id is None:
        return None
    secret = credentials.open_secret(session, credential_id, purpose=purpose, actor=actor, kinds=SECRET_KINDS)
    return secret.values[secret.kind]


def _check_credential(session: Session, source: CmdbSource) -> None:
    """A source never sends out an SSH key or a kubeconfig: refused when it is saved, not at its first sync."""
    if source.credential_id is not None:
        found = credentials.get(session, source.credential_id)
        if found.kind not in SECRET_KINDS:
            raise WrongKind(field="credential_id", name=found.name, kind=found.kind, wanted=", ".join(SECRET_KINDS))


def _refuse_uploads(config: CmdbConfig) -> None:
    if isinstance(config.source, UploadSource):
        raise FilledByImports(field="config.source.kind")


def create_source(session: Session, *, config: CmdbConfig, fields: Mapping[str, Any]) -> CmdbSource:
    """A new source; due at once when it has an interval. A name in use is refused by the database (409).

    Raises FilledByImports for one that nobody could ask."""
    _refuse_uploads(config)
    source = CmdbSource(config=config.model_dump(mode="json"), **fields)
    session.add(source)
    session.flush()
    _check_credential(session, source)
    return source


def update_source(
    session: Session, source_id: UUID, *, version: int, config: CmdbConfig | None, fields: Mapping[str, Any]
) -> CmdbSource:
    """Change a source. Raises NotFound, StaleSource, WrongKind for its credential, and FilledByImports."""
    source = get_source(session, source_id)
    values = dict(fields)
    if values.get("interval_seconds"):
        _refuse_uploads(config_of(source))
    if config is not None:
        _refuse_uploads(config)
        values["config"] = config.model_dump(mode="json")
    statement = (
        update(CmdbSource)
        .where(CmdbSource.id == source_id, CmdbSource.version == version)
        .values(**values, version=version + 1)
        .returning(CmdbSource)
        .execution_options(populate_existing=True)
    )
    if session.scalars(statement).one_or_none() is None:
        session.refresh(source)
        raise StaleSource(field="version", name=source.name, version=source.version)
    _check_credential(session, source)
    return source


def request_sync(session: Session, source_id: UUID, *, by: str, accept_drop: bool = False) -> CmdbRun:
    """Ask for a sync; the run that will do it. Asking twice before it starts gives the same run.

    `accept_drop` lets any number of machines vanish, once. Raises NotFound, SourceDisabled, FilledByImports.
    """
    source = session.get(CmdbSource, source_id, with_for_update=True)
    if source is None:
        raise NotFound(field="source_id", what="CMDB source", key=source_id)
    _refuse_uploads(config_of(source))
    if not source.enabled:
        raise SourceDisabled(field="source_id", name=source.name)
    queued = select(CmdbRun).where(CmdbRun.source_id == source_id, CmdbRun.outcome == Outcome.QUEUED.value)
    run = session.scalars(queued).one_or_none()
    if run is None:
        run = CmdbRun(source_id=source_id, requested_by=by, accept_drop=accept_drop)
        session.add(run)
    elif accept_drop:
        run.requested_by, run.accept_drop = by, True
    session.flush()
    return run


def get_run(session: Session, run_id: UUID) -> CmdbRun:
    """One run. Raises NotFound."""
    run = session.get(CmdbRun, run_id)
    if run is None:
        raise NotFound(field="run_id", what="CMDB run", key=run_id)
    return run


@dataclass(frozen=True)
class Preview:
    """The first rows as the CMDB sends them, and what the mapping makes of each."""

    rows: list[object]
    machines: list[CmdbMachine]
    refused: list[RefusedRow]


def preview(
    config: CmdbConfig, *, secret: str | None, root: Path, transport: httpx.BaseTransport | None = None
) -> Preview:
    """Ask for the first page only and map it; nothing is stored. Raises CmdbError. Call it outside of a transaction."""
    pages = fetch_rows(config, secret=secret, root=root, transport=transport)
    rows = next(iter(pages), [])[:PREVIEW_ROWS]
    map_row = mapper(config.mapping)
    mapped = [map_row(line, row) for line, row in enumerate(rows, start=1)]
    return Preview(
        rows=[_shown(row) for row in rows],
        machines=[row for row in mapped if isinstance(row, CmdbMachine)],
        refused=[row for row in mapped if isinstance(row, RefusedRow)],
    )


def _shown(row: object) -> object:
    """A row as any JSON reader can take it: no half surrogate pairs, and cut to text when it is very large."""
    text = json.dumps(row, ensure_ascii=False).encode("utf-8", "replace").decode()
    return json.loads(text) if len(text) <= MAX_ROW_SHOWN else text[:MAX_ROW_SHOWN]
