"""CMDB sources and runs on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, field_validator

from autorke.core.schemas import In, Out
from autorke.integrations.cmdb import CmdbConfig
from autorke.integrations.cmdb.config import DottedPath
from autorke.integrations.cmdb.fields import FIELDS
from autorke.web.fields import Id

EXAMPLE_CONFIG: dict[str, Any] = {
    "source": {
        "kind": "http",
        "url": "https://cmdb.example/api/v3/hosts",
        "auth": {"kind": "bearer"},
        "items": "data.list",
        "total": "data.count",
        "paging": {"kind": "page", "page": "page", "size": "per_page", "rows": 500},
    },
    "mapping": {
        "fields": {
            "cmdb_id": {"path": "id"},
            "sn": {"path": "serial"},
            "hostname": {"path": "name"},
            "address": {"path": "ips.0.addr"},
            "memory_mb": {"path": "mem_gb", "scale": 1024},
            "region": {"path": "idc", "values": {"1": "north"}},
        }
    },
}


def _interval(value: int) -> int:
    if 0 < value < 60:
        raise ValueError("0 (on demand only) or at least 60 seconds")
    return value


Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$", examples=["main"])]
Interval = Annotated[int, Field(ge=0, le=86_400 * 7, description="0 = on demand only"), AfterValidator(_interval)]
Percent = Annotated[int, Field(ge=0, le=100, description="More of the known machines missing: nothing is changed")]
UnixUser = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,31}$")]


class SourceFields(In):
    credential_id: Id | None = Field(None, description="A token or password for the CMDB")
    enabled: bool = True
    interval_seconds: Interval = 900
    max_vanished_percent: Percent = 20
    machine_credential_id: Id | None = Field(None, description="How new machines are logged in to")
    machine_bastion_id: Id | None = Field(None, description="The machine that new machines are behind")
    machine_ssh_user: UnixUser = "root"


class SourceIn(SourceFields):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "main", "config": EXAMPLE_CONFIG}]})

    name: Name
    config: CmdbConfig


class SourcePatch(SourceFields):
    """Only the fields that are sent change."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 1, "interval_seconds": 600}]})

    version: Annotated[int, Field(ge=1, le=2**31 - 2)]
    config: CmdbConfig | None = None

    def changes(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True, exclude={"version", "config"})


class SyncIn(In):
    accept_drop: bool = Field(False, description="Let any number of machines vanish, this once")


class CsvFormat(In):
    """A header row, then one machine in each row."""

    kind: Literal["csv"]
    delimiter: Literal[",", ";", "\t", "|"] = ","


class JsonFormat(In):
    """A list of objects, at a dotted path of the document."""

    kind: Literal["json"]
    items: DottedPath = ""


class ImportIn(In):
    """A file of machines with its content. Columns named like a field of ours are taken; `mapping` names others."""

    model_config = ConfigDict(
        str_strip_whitespace=False,
        json_schema_extra={
            "examples": [
                {
                    "name": "purchase-2026",
                    "format": {"kind": "csv"},
                    "text": "sn,hostname,ip\nS1,bm-1,10.0.0.1\n",
                    "mapping": {"address": "ip"},
                    "dry_run": True,
                }
            ]
        },
    )

    name: Name
    format: Annotated[CsvFormat | JsonFormat, Field(discriminator="kind")]
    text: Annotated[str, Field(min_length=1, max_length=8_000_000, description="The content of the file")]
    mapping: dict[str, Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default={}, description="Field → column; a dotted path in JSON rows"
    )
    machine_credential_id: Id | None = Field(None, description="How new machines are logged in to")
    machine_ssh_user: UnixUser = "root"
    accept_drop: bool = Field(False, description="Let any number of machines of this name vanish, this once")
    dry_run: bool = Field(False, description="Check and count; write nothing")

    @field_validator("mapping")
    @classmethod
    def _known(cls, mapping: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(mapping) - set(FIELDS))
        if unknown:
            raise ValueError(f"no such field: {', '.join(unknown)}"[:300])
        return mapping


class PreviewIn(In):
    """A configuration to try out; nothing is stored."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"config": EXAMPLE_CONFIG}]})

    config: CmdbConfig
    credential_id: Id | None = None


class SourceOut(Out):
    """What everybody may know of a source: how fresh its machines are."""

    id: UUID
    name: str
    enabled: bool
    interval_seconds: int
    last_ok_at: datetime | None


class FreshnessOut(SourceOut):
    """How fresh a source's machines are. `conflicts` counts open ones, `machines` and `vanished` count machines."""

    last_outcome: str | None = Field(description="Of the newest sync that has ended")
    last_ended_at: datetime | None
    running_since: datetime | None
    overdue: bool = Field(description="No good sync for two intervals")
    machines: int
    conflicts: int
    vanished: int


class SourceDetail(SourceOut):
    version: int
    config: CmdbConfig
    credential_id: UUID | None
    max_vanished_percent: int
    machine_credential_id: UUID | None
    machine_bastion_id: UUID | None
    machine_ssh_user: str
    next_due_at: datetime
    created_at: datetime


class RunOut(Out):
    """One sync. Only outcome `ok` changed machines."""

    id: UUID
    source_id: UUID
    requested_by: str
    accept_drop: bool
    outcome: str
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    received: int
    created: int
    changed: int
    unchanged: int
    returned: int
    vanished: int
    refused: int
    conflicts: int
    refusals: list[dict[str, Any]] = Field(description="The first refused rows: line, sn, field, reason")
    error: dict[str, Any] | None


class MappedOut(Out):
    line: int
    values: dict[str, str | int]
    extra: dict[str, Any]


class ImportCountsOut(Out):
    """Machines by what became of them; `conflicts` are open ones of the source."""

    received: int
    created: int
    changed: int
    unchanged: int
    returned: int
    vanished: int
    conflicts: int


class ImportOut(Out):
    """What an import did; a dry run would have done it, and its ids exist nowhere."""

    dry_run: bool
    source_id: UUID
    run_id: UUID
    columns: dict[str, str] = Field(description="Field → column that filled it")
    ignored: list[str] = Field(description="Columns that were not used")
    machines: list[MappedOut] = Field(description="The first rows, as machines")
    counts: ImportCountsOut


class RefusedOut(Out):
    line: int
    sn: str | None
    field: str
    reason: str


class MappingPreviewOut(Out):
    """The first rows as the CMDB sends them, and what the mapping makes of each."""

    rows: list[Any]
    machines: list[MappedOut]
    refused: list[RefusedOut]
