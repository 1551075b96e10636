"""Compare a container that runs with the one we would create, by the six fields that rke compares (rke.md §4.6).

Used twice: on a healthy worker of the cluster, before a new one is made after it, and on the target, before anything
that is there already is kept. Both only read, so the other machine sees no Docker event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autorke.drivers.base import DockerApi
from autorke.drivers.rkefiles.nodes import RkeNode
from autorke.drivers.workerplane.config import ClusterConfig, live_host_info
from autorke.drivers.workerplane.errors import SpecDiffers
from autorke.drivers.workerplane.masking import mask_text
from autorke.drivers.workerplane.spec import ContainerSpec, worker_containers

_AUTO_LABEL = "label=disable"


@dataclass(frozen=True)
class LiveContainer:
    """What `inspect` says of a container, and the environment of its image under the name it was created with."""

    name: str
    running: bool
    image: str
    entrypoint: frozenset[str]
    cmd: frozenset[str]
    env: frozenset[str] = field(repr=False)
    binds: frozenset[str]
    security_opt: frozenset[str]
    image_env: frozenset[str] | None = field(default=None, repr=False)
    container_id: str = ""
    log_path: str = ""


@dataclass(frozen=True)
class SpecDifference:
    """One field of one container; values that only one side has, secrets masked."""

    container: str
    field: str
    computed: str
    live: str

    def __str__(self) -> str:
        return f"{self.container}.{self.field}: computed {self.computed or '-'}, live {self.live or '-'}"


def read_live(docker: DockerApi, name: str) -> LiveContainer | None:
    """Inspect a container and its image; None when there is no such container."""
    document = docker.inspect(name)
    if document is None:
        return None
    config = document.get("Config") or {}
    image = docker.image(str(config.get("Image") or ""))
    return live_container(name, document, image)


def live_container(name: str, document: Mapping[str, Any], image: Mapping[str, Any] | None) -> LiveContainer:
    """From the answers of `inspect` for the container and for its image."""
    config = document.get("Config") or {}
    host = document.get("HostConfig") or {}
    return LiveContainer(
        name=name,
        running=bool((document.get("State") or {}).get("Running")),
        image=str(config.get("Image") or ""),
        entrypoint=_set(config.get("Entrypoint")),
        cmd=_set(config.get("Cmd")),
        env=_set(config.get("Env")),
        binds=_set(host.get("Binds")),
        security_opt=_set(host.get("SecurityOpt")),
        image_env=None if image is None else _set((image.get("Config") or {}).get("Env")),
        container_id=str(document.get("Id") or ""),
        log_path=str(document.get("LogPath") or ""),
    )


def _set(values: Iterable[str] | None) -> frozenset[str]:
    return frozenset(values or ())


def differences(spec: ContainerSpec, live: LiveContainer) -> tuple[SpecDifference, ...]:
    """Empty when rke would leave the container alone.

    Without its image on the machine the environment cannot be judged; the caller sees `live.image_env` and decides.
    """
    found = []
    if spec.image != live.image:
        found.append(SpecDifference(spec.name, "image", spec.image, live.image))
    computed_env = live.env if live.image_env is None else _set(spec.env) | live.image_env
    security = live.security_opt if live.security_opt != {_AUTO_LABEL} else _set(spec.security_opt)
    pairs = (
        ("entrypoint", _set(spec.entrypoint), live.entrypoint),
        ("cmd", _set(spec.cmd), live.cmd),
        ("env", computed_env, live.env),
        ("binds", _set(spec.binds), live.binds),
        ("security-opt", _set(spec.security_opt), security),
    )
    found += [
        SpecDifference(spec.name, name, _only(computed, actual), _only(actual, computed))
        for name, computed, actual in pairs
        if computed != actual
    ]
    return tuple(found)


def _only(values: frozenset[str], other: frozenset[str]) -> str:
    return " ".join(mask_text(value) for value in sorted(values - other))


def compare_with_worker(config: ClusterConfig, worker: RkeNode, docker: DockerApi) -> tuple[SpecDifference, ...]:
    """What differs between a running worker and what rkeConfig says it should be; reads only.

    A container's definition is a function of (rkeConfig, node, docker info). If it gives what runs on this worker, it
    gives the right thing for a new one: hostname, node-ip and DockerRootDir are the only other inputs.
    """
    host = live_host_info(config, docker.info())
    found: list[SpecDifference] = []
    for spec in worker_containers(config, worker, host):
        live = read_live(docker, spec.name)
        if live is None:
            found.append(SpecDifference(spec.name, "container", "present", "absent"))
        else:
            found += differences(spec, live)
            if live.image_env is None:
                found.append(SpecDifference(spec.name, "image", spec.image, "not on the machine"))
    return tuple(found)


def require_equal(worker: RkeNode, found: Sequence[SpecDifference]) -> None:
    """Stop the step when there is any difference. Raises SpecDiffers that lists them."""
    if found:
        raise SpecDiffers(field="rkeConfig", node=worker.address, differences="; ".join(map(str, found)))
