"""Machines on the wire."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

from autorke.core import names
from autorke.core.schemas import In, Out
from autorke.machines.models import MachineState
from autorke.machines.search import MAX_KEYS
from autorke.web.fields import Id


def _checked(check: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(check)


Hostname = Annotated[str, Field(max_length=253, examples=["gpu-north-017"]), _checked(names.hostname)]
Address = Annotated[str, Field(max_length=45, examples=["10.20.3.17"]), _checked(names.address)]
Serial = Annotated[str, Field(max_length=64, examples=["J30A1XK"]), _checked(names.serial)]
Line = Annotated[str, Field(max_length=255), _checked(names.line)]
Reason = Annotated[str, Field(min_length=1, max_length=255), _checked(names.line)]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Version = Annotated[int, Field(ge=1, le=2**31 - 2, description="The version you saw; an older one is refused")]
UnixUser = Annotated[str, Field(pattern=r"^$|^[A-Za-z_][A-Za-z0-9_.-]{0,31}$")]
LabelKey = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?$")]


class MachineFields(In):
    """What a person may enter. Unknown texts are "", unknown counts 0."""

    ssh_port: Port = 22
    ssh_user: UnixUser = ""
    credential_id: Id | None = None
    bastion_machine_id: Id | None = Field(None, description="The machine to go through")
    region: Line = ""
    datacenter: Line = ""
    room: Line = ""
    rack: Line = ""
    unit: Line = ""
    vendor: Line = ""
    model: Line = ""
    cpu_cores: Count = 0
    memory_mb: Count = 0
    disk_gb: Count = 0
    gpu_model: Line = ""
    gpu_count: Count = 0
    os_family: Line = ""
    os_version: Line = ""
    kernel: Line = ""
    docker_version: Line = ""
    owner: Line = ""
    department: Line = ""
    purpose: Line = ""
    labels: Annotated[dict[LabelKey, Line], Field(max_length=64)] = Field(default={})


class MachineIn(MachineFields):
    """A machine entered by hand."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "hostname": "gpu-north-017",
                    "address": "10.20.3.17",
                    "sn": "J30A1XK",
                    "ssh_user": "ops",
                    "rack": "B12",
                }
            ]
        }
    )

    hostname: Hostname
    address: Address
    internal_address: Address | None = Field(None, description="Left out: the same as address")
    sn: Serial


class MachinePatch(MachineFields):
    """Only the fields that are sent change. The CMDB sync leaves them alone from then on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 3, "rack": "B13", "owner": "db team"}]})

    version: Version
    hostname: Hostname = ""
    address: Address = ""
    internal_address: Address = ""
    sn: Serial = ""

    def changes(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True, exclude={"version"})


class StateIn(In):
    model_config = ConfigDict(json_schema_extra={"examples": [{"state": "fault", "reason": "memory errors"}]})

    state: Literal["free", "fault", "retired"]
    reason: Reason


class HostKeyIn(In):
    host_key: Annotated[str, Field(max_length=8192, examples=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI…"])]
    replace: bool = Field(False, description="Give up the key that is pinned now: the machine was reinstalled")


class FindIn(In):
    """A pasted list."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"keys": ["10.20.3.17", "J30A1XK", "10.20.4.0/24"]}]})

    keys: Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=MAX_KEYS)]


class ResolutionIn(In):
    model_config = ConfigDict(json_schema_extra={"examples": [{"accept": "machine"}]})

    accept: Literal["cmdb", "machine"]


class MachineBrief(Out):
    """What a picker shows of a machine."""

    id: UUID
    hostname: str
    address: str
    sn: str
    state: MachineState
    cluster_name: str
    rack: str


class MachineOut(Out):
    """One row of the machine list."""

    id: UUID
    version: int
    hostname: str
    address: str
    internal_address: str
    sn: str
    ssh_port: int
    ssh_user: str
    credential_id: UUID | None
    bastion_machine_id: UUID | None
    host_key_pinned_at: datetime | None
    region: str
    datacenter: str
    room: str
    rack: str
    unit: str
    vendor: str
    model: str
    cpu_cores: int
    memory_mb: int
    disk_gb: int
    gpu_model: str
    gpu_count: int
    os_family: str
    os_version: str
    kernel: str
    docker_version: str
    owner: str
    department: str
    purpose: str
    labels: dict[str, str]
    state: MachineState
    state_reason: str
    ticket_id: UUID | None = Field(description="The ticket that has reserved it")
    current_ticket_id: UUID | None = Field(description="The ticket that has reserved it or holds its lock")
    ticket_number: int | None = Field(description="Number of the current ticket")
    cluster_id: UUID | None
    cluster_name: str
    node_name: str
    node_roles: str
    node_label_count: int
    node_taint_count: int
    flat_network: str
    ippool: str
    cmdb_source_id: UUID | None
    cmdb_id: str
    cmdb_status: str
    cmdb_changed_at: datetime | None
    cmdb_vanished_at: datetime | None
    conflict_count: int
    created_at: datetime
    updated_at: datetime


class ConflictOut(Out):
    """A field on which CMDB, machine and cluster do not agree."""

    field: str
    cmdb_value: str | None
    machine_value: str | None
    cluster_value: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None
    resolved_by: str
    resolution: str


class ReportOut(Out):
    """What one source last said."""

    origin: str
    values: dict[str, Any]
    extra: dict[str, Any]
    reported_at: datetime


class MachineDetail(MachineOut):
    """The machine with what each source says of it."""

    node_address: str
    host_key: str
    host_key_fingerprint: str
    host_key_pinned_by: str
    kept_fields: list[str]
    reports: list[ReportOut]
    conflicts: list[ConflictOut]


class MatchOut(Out):
    key: str
    machine: MachineBrief


class FoundOut(Out):
    """`ambiguous` keys match several machines, `repeated` ones were pasted more than once."""

    matches: list[MatchOut]
    missing: list[str]
    ambiguous: list[str]
    repeated: list[str]


class ScanOut(Out):
    """The host key that the machine shows now. Compare the fingerprint with the machine's console before pinning it."""

    host_key: str
    fingerprint: str
    pinned: bool = Field(description="It is the key that is pinned already")
