"""The target machine of a join: every change to its Docker goes through `Machine`, which says so before it does it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from autorke.drivers.base import Completed, DockerApi, DriverError, Emit, Remote
from autorke.drivers.workerplane.errors import NotHealthy, OneShotFailed
from autorke.drivers.workerplane.masking import mask_text
from autorke.drivers.workerplane.plan import PlannedImage
from autorke.drivers.workerplane.spec import ContainerSpec

_ONE_SHOT_TIMEOUT = 300.0


@dataclass
class Machine:
    """Docker and SSH of one machine, a voice, and the record of what was done."""

    name: str
    docker: DockerApi
    remote: Remote
    emit: Emit
    secrets: Sequence[str] = field(default=(), repr=False)
    done: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.emit(self.name, mask_text(line, self.secrets))

    def _change(self, what: str) -> None:
        """The one place where a change is announced and recorded."""
        self.done.append(what)
        self.say(what)

    def pull(self, image: PlannedImage) -> None:
        self._change(f"pull {image.name}")
        self.docker.pull(image.name, auth=image.auth)

    def create(self, spec: ContainerSpec) -> None:
        self._change(f"create {spec.name}")
        self.docker.create(spec.name, spec.create_body())

    def start(self, name: str) -> None:
        self._change(f"start {name}")
        self.docker.start(name)

    def remove(self, name: str) -> None:
        self._change(f"remove {name} force=1 v=1")
        self.docker.remove(name, force=True, volumes=True)

    def run_once(self, spec: ContainerSpec) -> int:
        """Create, start, wait, remove; the exit code. The container goes also when waiting for it failed."""
        self.create(spec)
        try:
            self.start(spec.name)
            return self.docker.wait(spec.name, timeout=_ONE_SHOT_TIMEOUT)
        finally:
            self.remove(spec.name)

    def output_of(self, spec: ContainerSpec) -> str:
        """What a one-shot container prints."""
        self.create(spec)
        try:
            self.start(spec.name)
            self.docker.wait(spec.name, timeout=_ONE_SHOT_TIMEOUT)
            return self.docker.logs(spec.name, tail=20_000)
        finally:
            self.remove(spec.name)

    def require_once(self, spec: ContainerSpec) -> None:
        """Run a one-shot container that has to succeed. Raises OneShotFailed."""
        exit_code = self.run_once(spec)
        if exit_code != 0:
            raise OneShotFailed(field=spec.name, node=self.name, container=spec.name, exit_code=exit_code)

    def read(self, argv: Sequence[str]) -> Completed:
        """A read-only command; once more with sudo when it failed, since texts of refusals differ by language."""
        answer = self.remote.run(argv)
        return answer if answer.ok or self.remote.target.user == "root" else self.remote.run(argv, sudo=True)

    def read_file(self, path: str) -> str | None:
        """A file's text, None when this user cannot read it."""
        answer = self.read(["cat", path])
        return answer.stdout if answer.ok else None

    def wait_healthy(self, component: str, port: int, *, timeout: float, interval: float) -> None:
        """GET /healthz on the machine's own loopback, through SSH, until it says 200. Raises NotHealthy."""
        self.say(f"wait until {component} is healthy")
        deadline = time.monotonic() + timeout
        while True:
            reason = self._ailment(port)
            if reason is None:
                self.say(f"{component} is healthy")
                return
            if time.monotonic() + interval > deadline:
                break
            time.sleep(interval)
        self._tell_log(component)
        raise NotHealthy(field=component, node=self.name, component=component, seconds=round(timeout), reason=reason)

    def _ailment(self, port: int) -> str | None:
        """Why the component is not healthy; None when it is."""
        try:
            stream = self.remote.open_tcp("127.0.0.1", port, timeout=5.0)
        except DriverError as error:
            if error.unreachable:
                raise
            return error.message.en[:120]
        try:
            stream.settimeout(5.0)
            stream.sendall(b"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            status = _status(stream.recv(256))
        except OSError as error:
            return type(error).__name__
        finally:
            stream.close()
        return None if status == 200 else f"HTTP {status}"

    def _tell_log(self, component: str) -> None:
        """The last lines of a component's log, for the person who will look into it."""
        try:
            lines = self.docker.logs(component, tail=10).splitlines()
        except DriverError as error:
            lines = [f"no log: {error.code}"]
        for line in lines[-10:]:
            self.say(f"[{component}] {line[:300]}")


def _status(answer: bytes) -> int:
    parts = answer.split(b" ", 2)
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
