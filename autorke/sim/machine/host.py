"""A simulated machine: its facts, files and engine, what listens on it, and what it reaches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from autorke.sim.docker import programs
from autorke.sim.docker.engine import Container, Engine, published
from autorke.sim.faults import Fault
from autorke.sim.machine import procfs
from autorke.sim.machine.facts import DiskFacts, Facts, ListenerFacts
from autorke.sim.machine.files import FileTree

if TYPE_CHECKING:
    from autorke.sim.world import World

REGISTRY_PORT = 443
CHANGES_STATE = {"create", "start", "die", "stop", "kill", "restart", "rename", "destroy"}


class Host:
    """One machine. `name` is its name in the simulation and never changes; `facts.hostname` may."""

    def __init__(self, world: World, name: str, address: str, facts: Facts) -> None:
        self.world = world
        self.name = name
        self.address = address
        self.facts: Facts = facts
        self.files = FileTree()
        self.engine = Engine(name, lambda found: programs.start(self, found), self._heard)
        self.dead = False
        self.on_dead: Callable[[], None] | None = None
        self.seed = hashlib.sha256(f"{world.seed}/{name}".encode()).digest()

    # -- identity

    @property
    def names(self) -> tuple[str, str]:
        return self.name, self.address

    @property
    def private_key(self) -> Ed25519PrivateKey:
        """The SSH host key: the same for the same seed and name, in every run."""
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @property
    def host_key(self) -> str:
        """Public host key in OpenSSH form, as it is pinned."""
        return self.private_key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()

    def rekey(self) -> None:
        """A new host key, as after a reinstallation."""
        self.seed = hashlib.sha256(self.seed).digest()
        self.world.record.note(self.name, "machine.rekeyed")

    # -- faults and death

    def strike(self, *place: str) -> Fault | None:
        return self.world.faults.strike(self.names, *place)

    def die(self) -> None:
        """Go dark: every connection is dropped and none is accepted."""
        self.dead = True
        self.world.record.note(self.name, "machine.died")
        if self.on_dead is not None:
            self.on_dead()
        self.kubelet_changed()

    # -- what listens here

    def running(self, service: str) -> Container | None:
        """The container in which a service runs, and will go on running."""
        for found in self.engine.all():
            if found.lasting and programs.service(found) == service:
                return found
        return None

    def healthy(self, service: str) -> bool:
        """Whether the health port of a service answers "ok"."""
        found = self.running(service)
        return found is not None and self.world.faults.peek(self.names, "health", service) is None

    def service_on(self, port: int) -> str | None:
        """The running rke service that listens on a port."""
        return next((name for name, ports in programs.PORTS.items() if port in ports and self.running(name)), None)

    def foreign_listener(self, port: int, protocol: str = "tcp") -> ListenerFacts | None:
        return next((entry for entry in self.facts.listeners if (entry.port, entry.protocol) == (port, protocol)), None)

    def listens(self, port: int) -> bool:
        """Whether a TCP connection to this machine's port would be accepted."""
        if self.dead:
            return False
        if port == self.world.ssh_port or self.foreign_listener(port) or self.service_on(port):
            return True
        return any(port in published(found) for found in self.engine.all() if found.state == "running")

    def reaches(self, address: str, port: int) -> bool:
        """Whether a TCP connection from here would be accepted there."""
        if {f"{address}:{port}", f"*:{port}", f"{address}:*"} & set(self.facts.blocked):
            return False
        if address in {"127.0.0.1", "localhost", self.address}:
            return self.listens(port)
        if port == REGISTRY_PORT and any(char.isalpha() for char in address):
            return self.facts.docker.registry == "ok"
        other = self.world.by_address.get(address)
        return other is not None and other.listens(port)

    def disk_of(self, path: str) -> DiskFacts | None:
        """The file system that holds a path."""
        fitting = [disk for disk in self.facts.disks if f"{path}/".startswith(disk.mount.rstrip("/") + "/")]
        return max(fitting, key=lambda disk: len(disk.mount), default=None)

    # -- what the engine tells

    def _heard(self, action: str, found: Container) -> None:
        self.world.record.count(self.name, "docker_events")
        if action in CHANGES_STATE:
            self.world.record.note(self.name, f"docker.{action}", container=found.name)
        if action in {"start", "die", "destroy"}:
            service = programs.service(found)
            if service in {"kubelet", "nginx-proxy"}:
                self.kubelet_changed()
            elif service in {"kube-apiserver", "etcd"}:
                self.world.settle_later()

    def kubelet_changed(self) -> None:
        """Let the clusters see whether a kubelet runs here, and for which cluster."""
        found = None if self.dead else self.running("kubelet")
        self.world.kubelet(self, found)

    # -- files that the kernel and the distribution make up

    def read(self, path: str) -> bytes | None:
        """A file's content: written ones first, then what facts say about /proc, /sys and /etc."""
        data = self.files.read(path)
        if data is not None:
            return data
        return procfs.render(self.facts, FileTree.real(path))

    def dump(self) -> dict[str, Any]:
        """The machine in short, for the control API."""
        return {
            "name": self.name,
            "address": self.address,
            "dead": self.dead,
            "host_key": self.host_key,
            "facts": self.facts.model_dump(),
            "files": self.files.paths(),
            "containers": {found.name: found.state for found in self.engine.all()},
            "images": sorted(self.engine.images),
        }
