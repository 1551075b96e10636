"""A machine in memory: Docker, files and loopback ports, as far as a join sees them.

The containers do what the real ones do to the machine: cert-deployer writes absent files, components open their ports.
`fail_on` makes one call fail once, as a lost connection would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from autorke.drivers.base import ByteStream, Completed, DockerError, ForwardingRefused, SshTarget

PORTS = {"kubelet": 10248, "kube-proxy": 10256}
IMAGE_ENV = ["PATH=/usr/sbin:/usr/bin"]


@dataclass
class FakeContainer:
    body: dict[str, Any]
    running: bool = False

    def inspect(self, name: str) -> dict[str, Any]:
        config = {**self.body, "Env": [*(self.body["Env"] or []), *IMAGE_ENV]}
        return {
            "Id": f"id-{name}",
            "LogPath": f"/var/lib/docker/containers/id-{name}/id-{name}-json.log",
            "State": {"Running": self.running},
            "Config": config,
            "HostConfig": self.body["HostConfig"],
        }


@dataclass
class FakeMachine:
    """Implements DockerApi and Remote at once; `target.name` is what lines are emitted for."""

    info_answer: dict[str, Any]
    images: set[str] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)
    box: dict[str, FakeContainer] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    auths: dict[str, Mapping[str, str] | None] = field(default_factory=dict)
    bodies: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    fail_on: str | None = None
    exit_codes: dict[str, int] = field(default_factory=dict)
    unhealthy: set[str] = field(default_factory=set)
    root: bool = True
    sudo_only: bool = False
    target: SshTarget = field(default_factory=lambda: SshTarget(name="m1", address="127.0.0.23", user="ops"))

    def _did(self, call: str) -> None:
        if call == self.fail_on:
            self.fail_on = None
            raise DockerError(name="m1", what=call, reason="scripted")
        self.calls.append(call)

    def ping(self) -> None: ...
    def version(self) -> dict[str, Any]:
        return {}

    def info(self) -> dict[str, Any]:
        return self.info_answer

    def containers(self, *, all: bool = True) -> list[dict[str, Any]]:
        return [
            {"Names": [f"/{name}"], "State": "running" if item.running else "exited", "Image": item.body["Image"]}
            for name, item in self.box.items()
        ]

    def inspect(self, name: str) -> dict[str, Any] | None:
        return self.box[name].inspect(name) if name in self.box else None

    def create(self, name: str, body: Mapping[str, Any]) -> str:
        self._did(f"create {name}")
        assert body["Image"] in self.images, "created from an absent image"
        assert name not in self.box, "the name is taken"
        self.box[name] = FakeContainer(dict(body))
        self.bodies[name] = body
        return f"id-{name}"

    def start(self, name: str) -> None:
        self._did(f"start {name}")
        container = self.box[name]
        container.running = name in ("nginx-proxy", "kubelet", "kube-proxy")
        if name == "cert-deployer" and not self.exit_codes.get(name):
            self._deploy_certificates(container.body["Env"])
        if name == "rke-log-linker":
            self.files[container.body["Cmd"][2].split()[-1]] = "-> log"

    def _deploy_certificates(self, env: Sequence[str]) -> None:
        values = dict(line.split("=", 1) for line in env)
        force = values.pop("FORCE_DEPLOY", "") == "true"
        for name, value in values.items():
            stem = name.lower().replace("_", "-")
            path = (
                f"/etc/kubernetes/ssl/{stem}.yaml" if stem.startswith("kubecfg") else f"/etc/kubernetes/ssl/{stem}.pem"
            )
            if force or path not in self.files:
                self.files[path] = value

    def stop(self, name: str, *, grace: int = 5) -> None:
        raise AssertionError("a join stops nothing")

    def rename(self, name: str, new_name: str) -> None:
        raise AssertionError("a join renames nothing")

    def remove(self, name: str, *, force: bool = False, volumes: bool = False) -> None:
        self._did(f"remove {name} force={int(force)} v={int(volumes)}")
        self.box.pop(name, None)

    def wait(self, name: str, *, timeout: float = 300.0) -> int:
        return self.exit_codes.get(name, 0)

    def logs(self, name: str, *, tail: int = 200) -> str:
        body = self.box[name].body
        if name == "autorke-certificate-reader":
            names = body["Cmd"][4:]
            return "".join(f"=== {file}\n{self.files[f'/etc/kubernetes/ssl/{file}']}\n" for file in names)
        return f"{name} says: S3cret-registry\n-----BEGIN RSA PRIVATE KEY-----\nabc\n"

    def image(self, name: str) -> dict[str, Any] | None:
        return {"Config": {"Env": IMAGE_ENV}} if name in self.images else None

    def pull(self, name: str, *, auth: Mapping[str, str] | None = None, timeout: float = 600.0) -> None:
        self._did(f"pull {name}")
        self.auths[name] = auth
        self.images.add(name)

    def load(self, tar: bytes) -> None:
        raise AssertionError("a join loads nothing")

    def run(
        self, argv: Sequence[str], *, stdin: bytes | None = None, timeout: float = 30.0, sudo: bool = False
    ) -> Completed:
        command, path = argv[0], argv[-1]
        if command == "ls":
            names = [name.rpartition("/")[2] for name in self.files if name.startswith(f"{path}/")]
            return Completed(0 if names else 2, "\n".join(names), "" if names else "No such file or directory")
        if command == "test":
            return Completed(0 if path in self.files else 1, "", "")
        assert command == "cat"
        if not self.root or (self.sudo_only and not sudo):
            return Completed(1, "", "sudo: a password is required" if sudo else "cat: 权限不够")
        return Completed(0, self.files[path], "") if path in self.files else Completed(1, "", "No such file")

    def open_unix(self, path: str, *, timeout: float = 10.0) -> ByteStream:
        raise AssertionError("not used")

    def open_tcp(self, host: str, port: int, *, timeout: float = 10.0) -> ByteStream:
        assert host == "127.0.0.1"
        component = next(name for name, number in PORTS.items() if number == port)
        if component not in self.box or not self.box[component].running or component in self.unhealthy:
            raise ForwardingRefused(name="m1", what=f"{host}:{port}", reason="connection refused")
        return FakeStream()

    def write_file(self, path: str, data: bytes, *, mode: int = 0o600, sudo: bool = False) -> None:
        raise AssertionError("not used")

    def close(self) -> None: ...
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class FakeStream:
    def sendall(self, data: bytes) -> None:
        assert data.startswith(b"GET /healthz ")

    def recv(self, size: int) -> bytes:
        return b"HTTP/1.0 200 OK\r\n\r\nok"

    def settimeout(self, seconds: float | None) -> None: ...
    def close(self) -> None: ...
