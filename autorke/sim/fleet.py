"""What a fleet consists of: read from YAML or a preset, checked, in the words of people who describe fleets."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from autorke.sim.rke.versions import line_of
from autorke.sim.world import Timing

KindName = Literal["web", "compute", "storage", "gpu", "inference", "small"]
OsName = Literal["debian11", "debian12", "ubuntu20", "ubuntu22", "centos7", "rocky9"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$")]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Place(_Spec):
    """Where machines stand. Racks are numbered by `fleet.build`, `per_rack` machines in each."""

    region: str = "north"
    idc: str = "bj-yz"
    room: str = "a1"
    per_rack: int = 16


def _within(count: int, *numbers: int) -> None:
    """Raises ValueError for a number of no machine."""
    strange = [n for n in numbers if not 1 <= n <= count]
    if strange:
        raise ValueError(f"numbers run from 1 to {count}, not {strange}")


class MachineGroup(_Spec):
    """Machines in no cluster, numbered from 1. With `prepared` docker is installed; without it the machine is as the
    installer left it. `faulty` numbers are dark, and the CMDB knows; of `contradicts` the CMDB says something wrong.
    """

    prefix: Name
    count: Annotated[int, Field(ge=1, le=20_000)]
    kind: KindName = "web"
    os: OsName = "debian12"
    place: Place = Place()
    prepared: bool = True
    owner: str = "infra"
    business: str = "shared"
    faulty: tuple[int, ...] = ()
    contradicts: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _numbered(self) -> MachineGroup:
        _within(self.count, *self.faulty, *self.contradicts)
        return self


class ClusterSpec(_Spec):
    """A cluster that exists when the simulation begins. The first `masters` machines carry controlplane and etcd.

    Of the workers with the numbers `renamed` the CMDB still has an older host name.
    """

    name: Name
    version: str = "v1.20.15-rancher2-1"
    masters: Annotated[int, Field(ge=1, le=7)] = 1
    workers: Annotated[int, Field(ge=0, le=5000)] = 2
    kind: KindName = "web"
    master_kind: KindName | None = None
    os: OsName = "debian12"
    place: Place = Place()
    flat_network: bool = False
    cluster_cidr: str = "10.42.0.0/16"
    owner: str = "infra"
    business: str = "shared"
    renamed: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> ClusterSpec:
        line_of(self.version)
        _within(self.workers, *self.renamed)
        return self


class CmdbSpec(_Spec):
    """The CMDB. `ghosts` are machines that it lists and that do not exist; `forgets` existing machines it does not
    list.
    """

    token: str = "sim-cmdb-token"  # noqa: S105 - of the simulated CMDB
    page_style: Literal["page", "offset", "cursor", "link"] = "page"
    page_size: Annotated[int, Field(ge=1, le=5000)] = 500
    ghosts: int = 0
    forgets: int = 0


class OidcUser(_Spec):
    """Somebody who can sign in."""

    name: Name
    display_name: str


class OidcSpec(_Spec):
    """The OpenID Connect provider."""

    client_id: str = "autorke"
    client_secret: str | None = None
    users: tuple[OidcUser, ...] = (
        OidcUser(name="li-wei", display_name="李伟 (requester)"),
        OidcUser(name="wang-fang", display_name="王芳 (approver)"),
        OidcUser(name="zhao-lei", display_name="赵磊 (network admin)"),
    )


class VCalicoSpec(_Spec):
    """The network system. `seconds` until an order is done; without it the control API completes orders."""

    token: str = "sim-vcalico-token"  # noqa: S105 - of the simulated VCalico
    seconds: float | None = None


class Fleet(_Spec):
    """The whole simulation."""

    seed: int = 1
    user: str = "ops"
    password: str | None = None
    timing: Timing = Timing()
    machines: tuple[MachineGroup, ...] = ()
    clusters: tuple[ClusterSpec, ...] = ()
    cmdb: CmdbSpec = CmdbSpec()
    vcalico: VCalicoSpec = VCalicoSpec()
    oidc: OidcSpec = OidcSpec()

    @property
    def digest(self) -> str:
        """Two fleets with the same digest build the same machines."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def size(self) -> int:
        return sum(group.count for group in self.machines) + sum(c.masters + c.workers for c in self.clusters)


def load(path: Path) -> Fleet:
    """Read a fleet file. Raises OSError, yaml.YAMLError, pydantic.ValidationError."""
    return Fleet.model_validate(yaml.safe_load(path.read_text()) or {})


def preset(name: str) -> Fleet:
    """A fleet that comes with the simulator. Raises KeyError when there is none of that name."""
    if name not in presets():
        raise KeyError(name)
    return Fleet.model_validate(yaml.safe_load(files("autorke.sim.presets").joinpath(f"{name}.yml").read_text()))


def presets() -> list[str]:
    return sorted(
        entry.name.removesuffix(".yml")
        for entry in files("autorke.sim.presets").iterdir()
        if entry.name.endswith(".yml")
    )
