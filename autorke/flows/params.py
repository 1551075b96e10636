"""What the add-workers wizard sends, and what its ticket freezes."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from autorke.core import labels, names
from autorke.workflow.execute import Batches

LABEL_LIMIT = 64


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BatchesIn(Form):
    """How many nodes first, how many together then, and how many failures before no other node is started."""

    canary: int = Field(1, ge=0, le=10)
    size: int = Field(10, ge=1, le=50)
    budget: int = Field(0, ge=0, le=50)

    def value(self) -> Batches:
        return Batches(self.canary, self.size, self.budget)


def _valid_labels(given: dict[str, str]) -> dict[str, str]:
    for key, value in given.items():
        labels.refuse(labels.label_problem(key, value))
    return given


def _valid_key(key: str) -> str:
    labels.refuse(labels.key_problem(key) or labels.reserved_taint(key))
    return key


def _valid_value(value: str) -> str:
    labels.refuse(labels.value_problem("value", value))
    return value


Labels = Annotated[dict[str, str], AfterValidator(_valid_labels)]


class TaintIn(Form):
    key: Annotated[str, AfterValidator(_valid_key)] = Field(min_length=1, max_length=317)
    value: Annotated[str, AfterValidator(_valid_value)] = Field("", max_length=63)
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


def _distinct(taints: list[TaintIn]) -> list[TaintIn]:
    labels.refuse(labels.repeated_taint((taint.key, taint.effect) for taint in taints))
    return taints


Taints = Annotated[list[TaintIn], AfterValidator(_distinct)]


class MachineIn(Form):
    """One machine of the ticket. Without a host name of its own it becomes a node under the machine's host name."""

    machine_id: UUID
    hostname: Annotated[str, AfterValidator(names.hostname)] | None = Field(None, max_length=253)
    labels: Labels = Field(default_factory=dict, max_length=LABEL_LIMIT)
    taints: Taints = Field(default_factory=list, max_length=LABEL_LIMIT)


class InitialiseIn(Form):
    """Default or custom settings of the initialise step."""

    docker: bool = Field(True, description="Install or configure Docker")
    kernel: bool = Field(True, description="Set kernel modules and sysctls")
    gpu: bool = Field(True, description="Driver and container toolkit on machines that have a GPU")


class AddWorkersIn(Form):
    """Add machines to a running cluster, as workers and as nothing else."""

    cluster_id: UUID
    machines: list[MachineIn] = Field(min_length=1, max_length=200)
    role: str = "worker"
    labels: Labels = Field(default_factory=dict, max_length=LABEL_LIMIT)
    taints: Taints = Field(default_factory=list, max_length=LABEL_LIMIT)
    initialise: InitialiseIn = InitialiseIn()
    batches: BatchesIn = BatchesIn()

    @field_validator("role")
    @classmethod
    def _worker_only(cls, role: str) -> str:
        """A worker flow never gives another role (design §1: workers were added as controlplane and etcd)."""
        if role != "worker":
            raise ValueError("this flow adds workers; it never gives another role")
        return role

    @field_validator("machines")
    @classmethod
    def _once(cls, machines: list[MachineIn]) -> list[MachineIn]:
        ids = [machine.machine_id for machine in machines]
        if len(set(ids)) != len(ids):
            raise ValueError("a machine stands twice")
        return machines

    @field_validator("taints")
    @classmethod
    def _each_taint_once(cls, taints: list[TaintIn], others: ValidationInfo) -> list[TaintIn]:
        """Taints of all and of one machine meet on its node."""
        for machine in others.data.get("machines", ()):
            _distinct([*taints, *machine.taints])
        return taints


class AddWorkers(BaseModel):
    """Frozen at submit."""

    cluster_id: UUID
    cluster_name: str
    kubernetes_version: str
    flat_network: bool
    network_plugin: str
    labels: dict[str, str]
    taints: list[TaintIn]
    initialise: InitialiseIn
    batches: BatchesIn


def node_data(machine: Any, asked: MachineIn, common: AddWorkersIn) -> dict[str, Any]:
    """The frozen description of one target: everything later steps may use, no secret."""
    taints = [*common.taints, *asked.taints]
    return {
        "machine_id": str(machine.id),
        "hostname": (asked.hostname or machine.hostname).lower(),
        "address": str(machine.address),
        "internal_address": str(machine.internal_address or machine.address),
        "ssh_user": machine.ssh_user,
        "ssh_port": machine.ssh_port,
        "sn": machine.sn,
        "labels": {**common.labels, **asked.labels},
        "taints": [taint.model_dump() for taint in taints],
        "has_gpu": machine.gpu_count > 0,
    }
