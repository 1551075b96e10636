"""Machines from a file whose content came with the request: every row is good, or nothing is written.

An import is a whole statement, as a sync is: machines of the same source that the file leaves out are marked vanished.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from autorke.cmdb import staging
from autorke.cmdb.apply import CmdbEmpty, Counts, RowsRefused, Terms, apply
from autorke.cmdb.errors import ImportColumnMissing, ImportRefused, ImportUnreadable, SourceNotByImport
from autorke.cmdb.models import CmdbRun, CmdbSource, Outcome
from autorke.cmdb.schemas import ImportIn
from autorke.core.db import db_now
from autorke.core.errors import Text
from autorke.integrations.cmdb import CmdbMachine, RefusedRow
from autorke.integrations.cmdb.config import Mapping as FieldMapping
from autorke.integrations.cmdb.fields import EXPECTED, FIELDS, REQUIRED
from autorke.integrations.cmdb.mapping import MISSING, dig, mapper
from autorke.integrations.cmdb.tables import NoTable, csv_rows, header_of, json_rows

SHOWN_ROWS = 20
MOST_ERRORS = 100
Row = tuple[int, object]


@dataclass(frozen=True)
class Imported:
    """What an import did, or would do: then its ids exist nowhere. `columns`: field → column that filled it."""

    dry_run: bool
    source_id: UUID
    run_id: UUID
    columns: dict[str, str]
    ignored: list[str]
    machines: list[CmdbMachine]
    counts: Counts


def import_machines(session: Session, asked: ImportIn, *, by: str) -> Imported:
    """Write all machines of the file, or none. A dry run does the same and takes it back.

    Raises ImportUnreadable, ImportColumnMissing, ImportRefused, SourceNotByImport, CmdbEmpty, TooManyVanished.
    """
    rows, names = _read(asked)
    columns = _columns(rows, names, asked.mapping)
    machines = _machines(rows, columns)
    attempt = session.begin_nested()
    source = _source(session, asked, columns)
    counts = _apply(session, source, asked, machines, columns)
    run = CmdbRun(source_id=source.id, requested_by=by, accept_drop=asked.accept_drop, outcome=Outcome.OK.value)
    run.started_at = run.ended_at = run.claimed_at = source.last_ok_at = db_now(session)
    for name, value in asdict(counts).items():
        setattr(run, name, value)
    session.add(run)
    session.flush()
    source_id, run_id = source.id, run.id
    (attempt.rollback if asked.dry_run else attempt.commit)()
    ignored = sorted(set(names) - set(columns.values()))
    return Imported(asked.dry_run, source_id, run_id, columns, ignored, machines[:SHOWN_ROWS], counts)


def _read(asked: ImportIn) -> tuple[list[Row], list[str]]:
    """All rows with their numbers, and the names of the columns. Raises ImportUnreadable, CmdbEmpty."""
    form, text = asked.format, asked.text.removeprefix("\ufeff")
    try:
        if form.kind == "csv":
            names, rows = header_of(text, form.delimiter), list(csv_rows(text, form.delimiter))
        else:
            rows = list(json_rows(text, form.items))
            names = list(dict.fromkeys(key for _, row in rows if isinstance(row, dict) for key in row))
    except NoTable as error:
        line, column = error.line or "-", error.column or "-"
        raise ImportUnreadable(
            field="text", line=line, column=column, zh=error.reason.zh, en=error.reason.en
        ) from error
    if not rows:
        raise CmdbEmpty(field="text")
    return rows, names


def _columns(rows: list[Row], names: list[str], renamed: Mapping[str, str]) -> dict[str, str]:
    """Which column is which field: the one that is named, else the one of the same name. Raises ImportColumnMissing."""
    columns = {field: renamed.get(field, field) for field in FIELDS if field in renamed or field in names}
    lost = [
        column
        for column in columns.values()
        if column not in names and all(dig(row, column) is MISSING for _, row in rows)
    ]
    if "cmdb_id" not in columns and "sn" in columns:
        columns["cmdb_id"] = columns["sn"]
    missing = [*lost, *sorted(REQUIRED - set(columns))]
    if missing:
        raise ImportColumnMissing(field="mapping", missing=", ".join(missing), columns=", ".join(names)[:2000] or "-")
    return columns


def _machines(rows: list[Row], columns: Mapping[str, str]) -> list[CmdbMachine]:
    """Every row as a machine. Raises ImportRefused naming each that is none."""
    map_row = mapper(_identity(columns))
    found = [map_row(line, _picked(row, columns)) for line, row in rows]
    refused = [
        {"line": row.line, "field": row.field, "reason": row.reason} for row in found if isinstance(row, RefusedRow)
    ]
    if refused:
        raise _refused(refused, columns)
    return [row for row in found if isinstance(row, CmdbMachine)]


def _identity(columns: Mapping[str, str]) -> FieldMapping:
    return FieldMapping.model_validate({"fields": {field: {"path": field} for field in columns}})


def _picked(row: object, columns: Mapping[str, str]) -> dict[str, object]:
    """The row under our names. A JSON row may hold a value deeper, at a dotted path."""
    if isinstance(row, dict) and all(column in row for column in columns.values()):
        return {field: row[column] for field, column in columns.items()}
    found = {field: _value(row, column) for field, column in columns.items()}
    return {field: value for field, value in found.items() if value is not MISSING}


def _value(row: object, column: str) -> object:
    return row[column] if isinstance(row, dict) and column in row else dig(row, column)


def _refused(refusals: list[dict[str, Any]], columns: Mapping[str, str]) -> ImportRefused:
    errors = [_error(refusal, columns) for refusal in refusals[:MOST_ERRORS]]
    first = errors[0]
    return ImportRefused(
        field=first["field"],
        errors=errors,
        count=len(refusals),
        row=first["row"],
        column=first["column"],
        **first["cause"],
    )


def _error(refusal: dict[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    field = refusal["field"]
    column = columns.get(field, field)
    cause = _words(field, str(refusal["reason"]))
    return {"field": f"text.{refusal['line']}.{column}", "row": refusal["line"], "column": column,
            "cause": cause.as_json()}  # fmt: skip


def _words(field: str, reason: str) -> Text:
    """Reasons of the mapping and of the comparison, which speak English, in both languages."""
    known = {
        "no value": "缺少值",
        "belongs to another CMDB source": "属于另一个 CMDB 来源",
    }
    if reason.startswith("appears "):
        return Text(zh=f"在文件中出现 {reason.split()[1]} 次", en=reason.replace("this answer", "the file"))
    if reason.startswith("is in use by machine "):
        return Text(zh=f"已被机器 {reason.removeprefix('is in use by machine ')} 使用", en=reason)
    return Text(zh=known.get(reason) or f"应为{EXPECTED[FIELDS[field]]}", en=reason)


def _source(session: Session, asked: ImportIn, columns: Mapping[str, str]) -> CmdbSource:
    """The source of that name, made at the first import. Raises SourceNotByImport."""
    source = session.scalars(select(CmdbSource).where(CmdbSource.name == asked.name).with_for_update()).one_or_none()
    if source is not None and source.config["source"]["kind"] != "upload":
        raise SourceNotByImport(field="name", name=asked.name)
    if source is None:
        source = CmdbSource(name=asked.name, interval_seconds=0, max_vanished_percent=20)
        session.add(source)
    source.config = {"source": {"kind": "upload"}, "mapping": _identity(columns).model_dump(mode="json")}
    if "machine_credential_id" in asked.model_fields_set:
        source.machine_credential_id = asked.machine_credential_id
    if "machine_ssh_user" in asked.model_fields_set:
        source.machine_ssh_user = asked.machine_ssh_user
    session.flush()
    return source


def _apply(
    session: Session, source: CmdbSource, asked: ImportIn, machines: list[CmdbMachine], columns: Mapping[str, str]
) -> Counts:
    terms = Terms(
        source_id=source.id,
        mapped=frozenset(columns),
        machine_credential_id=source.machine_credential_id,
        machine_bastion_id=source.machine_bastion_id,
        machine_ssh_user=source.machine_ssh_user,
        max_vanished_percent=source.max_vanished_percent,
        accept_drop=asked.accept_drop,
        all_rows=True,
    )
    connection = session.connection()
    staging.create(connection)
    for page in _pages(machines):
        staging.add(connection, page)
    staging.index(connection)
    try:
        counts = apply(connection, terms)
    except RowsRefused as error:
        raise _refused(error.refusals, columns) from error
    staging.drop(connection)
    return counts


def _pages(machines: list[CmdbMachine], size: int = 1_000) -> Iterator[list[CmdbMachine]]:
    for start in range(0, len(machines), size):
        yield machines[start : start + size]
