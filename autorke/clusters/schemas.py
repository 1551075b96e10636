"""Clusters and nodes on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from autorke.core.schemas import In, Out

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$", examples=["prod-a"])]
FlowName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Policy = Literal["strict", "standard", "express"]
GatePolicy = Annotated[dict[FlowName, Policy], Field(max_length=64, examples=[{"default": "strict"}])]
Description = Annotated[str, Field(max_length=1000)]
FileText = Annotated[str, Field(min_length=1, max_length=9_000_000)]


class ClusterIn(In):
    """The three files of a running cluster, as texts. They are checked together before anything is written."""

    model_config = ConfigDict(
        str_strip_whitespace=False,  # files are kept byte for byte
        json_schema_extra={
            "examples": [
                {
                    "name": "prod-a",
                    "cluster_yml": "nodes:\n- address: 10.0.0.11\n  user: ops\n  role: [controlplane, etcd]\n",
                    "rkestate": '{"desiredState": {}, "currentState": {}}',
                    "kubeconfig": "apiVersion: v1\nkind: Config\nclusters: []\n",
                    "gate_policy": {"default": "strict"},
                }
            ]
        },
    )

    name: Name
    description: Description = ""
    cluster_yml: FileText
    rkestate: FileText
    kubeconfig: Annotated[str, Field(min_length=1, max_length=500_000)]
    flat_network: bool = False
    gate_policy: GatePolicy = Field(default={}, description="flow → policy; `default` for all others; none = strict")


class ClusterPatch(In):
    """Only the fields that are sent change."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 1, "gate_policy": {"default": "standard"}}]})

    version: Annotated[int, Field(ge=1, le=2**31 - 2)]
    description: Description = ""
    flat_network: bool = False
    gate_policy: GatePolicy = Field(default={})

    def changes(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True, exclude={"version"})


class ForgetIn(In):
    reason: Annotated[str, Field(min_length=1, max_length=255)]


class ClusterOut(Out):
    id: UUID
    version: int
    name: str
    description: str
    state: str
    kubernetes_version: str
    api_url: str
    ca_fingerprint: str
    network_plugin: str
    flat_network: bool
    private_registry: bool
    gate_policy: dict[str, str]
    node_count: int
    verified_at: datetime | None
    drift: list[dict[str, Any]] = Field(description="What the last look at files and live cluster found to differ")
    created_by: str
    created_at: datetime


class NodeOut(Out):
    """A machine's membership in the cluster; `machine_id` is null while no machine is known behind it."""

    id: UUID
    machine_id: UUID | None
    hostname: str
    address: str
    internal_address: str
    roles: list[str]
    labels: dict[str, str]
    taints: list[dict[str, Any]]
    config_number: int
    ticket_id: UUID | None
    since: datetime
