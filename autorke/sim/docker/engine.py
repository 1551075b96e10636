"""State of one Docker Engine: containers, images, events, and the errors Docker gives. No HTTP here.

What a container does when started is not decided here but by the `Program` the machine supplies (`containers.py`).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from autorke.sim.docker.images import Image, image, tagged

State = Literal["created", "running", "restarting", "exited"]


class EngineError(Exception):
    """What Docker answers with a status other than 2xx."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Outcome:
    """What a started container does: it runs on (`exit_code` None), or ends after `seconds`, doing `effect` as it
    ends.
    """

    exit_code: int | None = None
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.02
    effect: Callable[[], None] | None = None


@dataclass(eq=False, slots=True)
class Container:
    id: str
    name: str
    body: Mapping[str, Any]
    image: Image
    created: float
    state: State = "created"
    exit_code: int = 0
    started: float = 0.0
    finished: float = 0.0
    restarts: int = 0
    logs: list[tuple[int, float, bytes]] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None
    ended: asyncio.Event | None = None

    @property
    def lasting(self) -> bool:
        """Runs, and its end is not already certain: a program that fails at once never serves."""
        return self.state == "running" and self.timer is None

    @property
    def host_config(self) -> Mapping[str, Any]:
        return self.body.get("HostConfig") or {}

    @property
    def entrypoint(self) -> list[str]:
        own = self.body.get("Entrypoint")
        return list(own) if own else list(self.image.entrypoint)

    @property
    def cmd(self) -> list[str] | None:
        own = self.body.get("Cmd")
        if own or self.body.get("Entrypoint"):
            return list(own) if own is not None else None
        return list(self.image.cmd) or None

    @property
    def env(self) -> list[str]:
        own = list(self.body.get("Env") or [])
        keys = {entry.partition("=")[0] for entry in own}
        return own + [entry for entry in self.image.env if entry.partition("=")[0] not in keys]

    @property
    def argv(self) -> list[str]:
        return self.entrypoint + (self.cmd or [])

    @property
    def restart_always(self) -> bool:
        return (self.host_config.get("RestartPolicy") or {}).get("Name") in {"always", "unless-stopped"}


NAME = "[a-zA-Z0-9][a-zA-Z0-9_.-]"
Program = Callable[[Container], Outcome]
"""Decides what a container does as it starts; raises EngineError when it cannot be started."""
Observer = Callable[[str, Container], None]


class Engine:
    """One machine's engine. `program` decides what containers do; `observe` hears every event about a container."""

    def __init__(self, name: str, program: Program, observe: Observer) -> None:
        self.name = name
        self.images: dict[str, Image] = {}
        self.events: deque[dict[str, Any]] = deque(maxlen=2000)
        self.listeners: set[asyncio.Queue[dict[str, Any]]] = set()
        self._by_id: dict[str, Container] = {}
        self._by_name: dict[str, Container] = {}
        self._program = program
        self._observe = observe
        self._serial = 0

    # -- reads

    def all(self) -> list[Container]:
        return list(self._by_id.values())

    def find(self, key: str) -> Container | None:
        key = key.removeprefix("/")
        found = self._by_name.get(key) or self._by_id.get(key)
        if found is None and len(found_ids := [i for i in self._by_id if i.startswith(key)]) == 1 and len(key) >= 4:
            found = self._by_id[found_ids[0]]
        return found

    def get(self, key: str) -> Container:
        found = self.find(key)
        if found is None:
            raise EngineError(404, f"No such container: {key}")
        return found

    def image(self, name: str) -> Image:
        found = self.images.get(tagged(name)) or next((i for i in self.images.values() if i.id == name), None)
        if found is None:
            raise EngineError(404, f"No such image: {tagged(name)}")
        return found

    # -- changes

    def add_image(self, name: str) -> Image:
        found = image(name)
        self.images[found.name] = found
        return found

    def pulled(self, name: str) -> None:
        self.add_image(name)
        self._emit("image", "pull", tagged(name), {"name": tagged(name)})

    def remove_image(self, name: str) -> None:
        found = self.image(name)
        user = next((c for c in self.all() if c.image.id == found.id), None)
        if user is not None:
            raise EngineError(
                409,
                f"conflict: unable to remove repository reference {name!r} (must force) - container {user.id[:12]} is "
                "using it",
            )
        del self.images[found.name]
        self._emit("image", "untag", found.name, {"name": found.name})

    def create(self, name: str, body: Mapping[str, Any]) -> Container:
        if not str(body.get("Image") or ""):
            raise EngineError(400, "invalid reference format")
        if not name:
            name = f"container-{self._serial + 1}"
        _check_name(name)
        if (taken := self._by_name.get(name)) is not None:
            raise EngineError(409, _taken(name, taken.id))
        found = self.image(str(body["Image"]))
        for source in (body.get("HostConfig") or {}).get("VolumesFrom") or []:
            if self.find(source.partition(":")[0]) is None:
                raise EngineError(400, f"No such container: {source.partition(':')[0]}")
        return self.adopt(name, body, found, announce=True)

    def adopt(self, name: str, body: Mapping[str, Any], found: Image, *, announce: bool = False) -> Container:
        """Add a container as if it had been there before the simulation began (or, announced, as `create` does)."""
        self._serial += 1
        ident = hashlib.sha256(f"{self.name}/{name}/{self._serial}".encode()).hexdigest()
        made = Container(ident, name, body, found, time.time())
        self._by_id[ident] = self._by_name[name] = made
        if announce:
            self._tell(made, "create")
        return made

    def restore(self, containers: Sequence[Container], images: Sequence[str]) -> None:
        """Replace everything, as a machine that was switched on again finds it."""
        self._by_id = {found.id: found for found in containers}
        self._by_name = {found.name: found for found in containers}
        self._serial = len(containers) + 1_000_000
        self.images = {name: image(name) for name in images}
        for found in containers:
            if found.state == "restarting":
                self._run_again(found)

    def start(self, key: str) -> bool:
        """False when it is running already (304)."""
        found = self.get(key)
        if found.state in {"running", "restarting"}:
            return False
        self._check_ports(found)
        self._run(found)
        return True

    def _run(self, found: Container) -> None:
        outcome = self._program(found)
        found.state, found.started, found.exit_code = "running", time.time(), 0
        found.ended = found.timer = None
        if outcome.exit_code is not None:
            found.timer = asyncio.get_running_loop().call_later(outcome.seconds, self._end, found, outcome)
        self._tell(found, "start")
        for stream, text in ((1, outcome.stdout), (2, outcome.stderr)):
            found.logs.extend((stream, time.time(), line.encode() + b"\n") for line in text.splitlines())

    def _end(self, found: Container, outcome: Outcome) -> None:
        if outcome.effect is not None:
            outcome.effect()
        self._stopped(found, outcome.exit_code or 0)
        if found.restart_always and found.id in self._by_id:
            found.state = "restarting"
            found.restarts += 1
            delay = min(0.1 * 2 ** min(found.restarts, 10), 60.0)
            found.timer = asyncio.get_running_loop().call_later(delay, self._run_again, found)

    def _run_again(self, found: Container) -> None:
        try:
            self._run(found)
        except EngineError as error:
            found.logs.append((2, time.time(), error.message.encode() + b"\n"))
            self._stopped(found, 128)

    def _stopped(self, found: Container, exit_code: int) -> None:
        if found.timer is not None:
            found.timer.cancel()
            found.timer = None
        found.state, found.exit_code, found.finished = "exited", exit_code, time.time()
        if found.ended is not None:
            found.ended.set()
        self._tell(found, "die", exitCode=str(exit_code))

    def stop(self, key: str) -> bool:
        """False when it was not running (304)."""
        found = self.get(key)
        if found.state not in {"running", "restarting"}:
            return False
        self._tell(found, "kill", signal="15")
        self._stopped(found, 0 if found.restart_always else 143)
        self._tell(found, "stop")
        return True

    def kill(self, key: str, signal: str = "SIGKILL") -> None:
        found = self.get(key)
        if found.state != "running":
            raise EngineError(409, f"Cannot kill container: {key}: Container {found.id} is not running")
        self._tell(found, "kill", signal=signal)
        self._stopped(found, 137)

    def restart(self, key: str) -> None:
        self.stop(key)
        found = self.get(key)
        self._check_ports(found)
        self._run(found)
        self._tell(found, "restart")

    def rename(self, key: str, name: str) -> None:
        found = self.get(key)
        if not name:
            raise EngineError(400, "Neither old nor new names may be empty")
        _check_name(name)
        if (taken := self._by_name.get(name)) is not None:
            raise EngineError(409, f"Error when allocating new name: {_taken(name, taken.id)}")
        del self._by_name[found.name]
        old, found.name = found.name, name
        self._by_name[name] = found
        self._tell(found, "rename", oldName=f"/{old}")

    def remove(self, key: str, *, force: bool = False) -> None:
        found = self.get(key)
        if found.state in {"running", "restarting"}:
            if not force:
                raise EngineError(
                    409,
                    f"You cannot remove a {found.state} container {found.id}. Stop the container before attempting "
                    "removal or force remove",
                )
            self._tell(found, "kill", signal="9")
            self._stopped(found, 137)
        del self._by_id[found.id]
        del self._by_name[found.name]
        self._tell(found, "destroy")

    async def wait(self, key: str) -> int:
        found = self.get(key)
        if found.state in {"running", "restarting"}:
            found.ended = found.ended or asyncio.Event()
            await found.ended.wait()
        return found.exit_code

    def _check_ports(self, found: Container) -> None:
        wanted = published(found)
        for other in self.all():
            if other is not found and other.state == "running" and wanted & published(other):
                port = min(wanted & published(other))
                raise EngineError(500, f"driver failed programming external connectivity on endpoint {found.name}: "
                                  f"Bind for 0.0.0.0:{port} failed: port is already allocated")  # fmt: skip

    # -- events

    def _tell(self, found: Container, action: str, **attributes: str) -> None:
        labels = dict(found.body.get("Labels") or {})
        self._emit(
            "container", action, found.id, {**labels, "image": found.image.name, "name": found.name, **attributes}
        )
        self._observe(action, found)

    def _emit(self, kind: str, action: str, ident: str, attributes: dict[str, str]) -> None:
        now = time.time_ns()
        event: dict[str, Any] = {
            "Type": kind,
            "Action": action,
            "Actor": {"ID": ident, "Attributes": attributes},
            "scope": "local",
            "time": now // 1_000_000_000,
            "timeNano": now,
        }
        if kind == "container":
            event |= {"status": action, "id": ident, "from": attributes["image"]}
        self.events.append(event)
        for queue in self.listeners:
            queue.put_nowait(event)


def _check_name(name: str) -> None:
    if not re.fullmatch(f"{NAME}+", name):
        raise EngineError(400, f"Invalid container name ({name}), only {NAME} are allowed")


def _taken(name: str, by: str) -> str:
    return (
        f'Conflict. The container name "/{name}" is already in use by container "{by}". You have to remove (or rename) '
        "that container to be able to reuse that name."
    )


def published(found: Container) -> set[int]:
    """Host ports that a container publishes."""
    bindings = found.host_config.get("PortBindings") or {}
    return {int(entry["HostPort"]) for entries in bindings.values() for entry in entries or [] if entry.get("HostPort")}
