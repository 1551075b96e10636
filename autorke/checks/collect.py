"""Reads one machine: the facts script over SSH, the Docker API through the same connection, and a few connection tries.

Nothing is changed: Docker is asked with reads only (which cause no Docker events), the script writes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from autorke.checks.context import Endpoint
from autorke.checks.facts import ClockOffset, Container, DockerFacts, MachineFacts, NodeFacts, Reach
from autorke.checks.parse import FactsUnreadable, facts_script, parse_facts
from autorke.checks.rules.docker import registry_of
from autorke.core.errors import AutoRkeError
from autorke.drivers.base import DockerApi, DockerError, DriverError, ForwardingRefused, Remote

DEFAULT_DOCKER_ROOT = "/var/lib/docker"
SCRIPT_SECONDS = 45.0
REACH_SECONDS = 5.0
_MS = 1_000_000


@dataclass(frozen=True)
class Wanted:
    """What to look for beside the standing facts: images that joining needs, endpoints the machine must reach."""

    images: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    prefix_path: str = "/"


def collect_node(
    remote: Remote,
    docker_over: Callable[[Remote], DockerApi],
    wanted: Wanted,
    *,
    clock_ns: Callable[[], int] = time.time_ns,
) -> NodeFacts:
    """All facts of the machine at the other end of `remote`. Raises DriverError only when the connection is gone;
    everything else that fails is part of the facts."""
    name = remote.target.name
    docker, docker_error = _docker(name, docker_over(remote), wanted.images)
    machine, machine_error, offset = _machine(remote, docker, wanted, clock_ns)
    endpoints = [*wanted.endpoints, *_registries(docker)]
    return NodeFacts(
        node=name,
        machine=machine,
        docker=docker,
        clock=offset,
        reach=try_to_reach(remote, endpoints),
        socket_forwarded=_socket_forwarded(remote),
        machine_error=machine_error,
        docker_error=docker_error,
    )


def unreachable(node: str, error: AutoRkeError) -> NodeFacts:
    """The facts of a machine that could not be asked."""
    return NodeFacts(node=node, unreachable=error.as_json())


def try_to_reach(remote: Remote, endpoints: Iterable[Endpoint]) -> tuple[Reach, ...]:
    """Open and close a TCP connection to each endpoint as seen from the machine."""
    return tuple(_reach(remote, endpoint) for endpoint in endpoints)


def _reach(remote: Remote, endpoint: Endpoint) -> Reach:
    host, port = endpoint.host, endpoint.port
    try:
        remote.open_tcp(host, port, timeout=REACH_SECONDS).close()
    except ForwardingRefused as error:
        reason = str(error.values.get("reason", ""))
        prohibited = "prohibited" in reason.lower()
        return Reach(host, port, open=False, refused=not prohibited, prohibited=prohibited, reason=reason)
    except DriverError as error:
        # Only silence proves a filter; a channel that failed otherwise proves nothing.
        reason = str(error.values.get("reason", error))
        return Reach(host, port, open=False, refused="no answer" not in reason, reason=reason)
    return Reach(host, port, open=True)


def _machine(
    remote: Remote, docker: DockerFacts | None, wanted: Wanted, clock_ns: Callable[[], int]
) -> tuple[MachineFacts | None, Mapping[str, Any] | None, ClockOffset | None]:
    name = remote.target.name
    root = docker.root_dir if docker is not None else DEFAULT_DOCKER_ROOT
    argv = ["sh", "-s", "--", root, remote.target.docker_socket, wanted.prefix_path]
    sent = clock_ns()
    try:
        answer = remote.run(argv, stdin=facts_script(remote.target.become_password), timeout=SCRIPT_SECONDS)
        received = clock_ns()
        machine = parse_facts(name, answer.stdout) if answer.stdout else _silent(name, answer.exit_code, answer.stderr)
    except DriverError as error:
        if error.unreachable:
            raise
        return None, error.as_json(), None
    except FactsUnreadable as error:
        return None, error.as_json(), None
    return machine, None, clock_offset(machine, sent, received)


def _silent(name: str, exit_code: int, stderr: str) -> MachineFacts:
    said = stderr.strip().splitlines()[-1:] or ["no output"]
    raise FactsUnreadable(name=name, reason=f"exit code {exit_code}: {said[0][:200]}")


def clock_offset(machine: MachineFacts, sent_ns: int, received_ns: int) -> ClockOffset:
    """The machine read its clock first after we sent and last before we received, which bounds how far it is ahead."""
    return ClockOffset(
        at_least_ms=(machine.ended_ns - received_ns) // _MS,
        at_most_ms=-((sent_ns - machine.started_ns) // _MS),
    )


def _socket_forwarded(remote: Remote) -> bool:
    try:
        remote.open_unix(remote.target.docker_socket).close()
    except DriverError:
        return False
    return True


def _docker(name: str, api: DockerApi, images: Iterable[str]) -> tuple[DockerFacts | None, Mapping[str, Any] | None]:
    try:
        return read_docker(api, images), None
    except DriverError as error:
        if error.unreachable:
            raise
        return None, error.as_json()
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        return None, DockerError(name=name, what="info", reason=f"unusable answer, {error}").as_json()


def read_docker(api: DockerApi, images: Iterable[str]) -> DockerFacts:
    """Docker's own account of itself. Raises DriverError."""
    version, info, containers = api.version(), api.info(), api.containers(all=True)
    registry = info.get("RegistryConfig") or {}
    return DockerFacts(
        version=str(version.get("Version", "")),
        api_version=str(version.get("ApiVersion", "")),
        min_api_version=str(version.get("MinAPIVersion", "")),
        root_dir=str(info.get("DockerRootDir") or DEFAULT_DOCKER_ROOT),
        os_type=str(info.get("OSType", "")),
        operating_system=str(info.get("OperatingSystem", "")),
        storage_driver=str(info.get("Driver", "")),
        logging_driver=str(info.get("LoggingDriver", "")),
        cgroup_driver=str(info.get("CgroupDriver", "")),
        cgroup_version=str(info.get("CgroupVersion", "")),
        security_options=tuple(str(it) for it in info.get("SecurityOptions") or ()),
        live_restore=bool(info.get("LiveRestoreEnabled")),
        proxied=bool(info.get("HttpProxy") or info.get("HttpsProxy")),
        mirrors=tuple(str(it) for it in registry.get("Mirrors") or ()),
        containers=tuple(sorted((_container(it) for it in containers), key=lambda it: it.name)),
        images={name: api.image(name) is not None for name in images},
    )


def _container(entry: Mapping[str, Any]) -> Container:
    names = entry.get("Names") or [""]
    return Container(
        name=str(names[0]).removeprefix("/"), image=str(entry.get("Image", "")), state=str(entry.get("State", ""))
    )


def _registries(docker: DockerFacts | None) -> list[Endpoint]:
    """Where absent images would be pulled from; nowhere when a proxy or mirror stands between."""
    if docker is None or docker.proxied or docker.mirrors:
        return []
    hosts = {registry_of(name) for name, here in docker.images.items() if not here}
    return [Endpoint(host, port) for host, port in sorted(hosts)]
