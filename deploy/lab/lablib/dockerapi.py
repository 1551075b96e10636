"""The Docker Engine API of one machine, over a Docker socket that ssh forwards."""

import contextlib
import http.client
import json
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lablib.machines import ssh_argv
from lablib.process import wait_until
from lablib.settings import Lab, LabError, Machine

VERSION = "v1.41"


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of to a TCP port."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Docker:
    """The calls that the creation of a cluster needs. Each raises LabError with Docker's own message."""

    def __init__(self, machine: Machine, path: str) -> None:
        self.machine = machine
        self._path = path

    def call(self, method: str, path: str, body: object = None, *, seconds: float = 180) -> Any:
        """One request; the decoded answer, None if it is empty."""
        connection = UnixConnection(self._path, seconds)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, f"/{VERSION}{path}", payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status >= 400:
            raise LabError(f"{self.machine.name}: {method} {path}: {response.status} {text.decode(errors='replace')}")
        return json.loads(text) if text else None

    def create(self, name: str, body: dict[str, Any]) -> str:
        """Create a container, return its id."""
        return str(self.call("POST", f"/containers/create?name={name}", body)["Id"])

    def start(self, name: str, body: dict[str, Any]) -> str:
        """Create and start a container, return its id."""
        number = self.create(name, body)
        self.call("POST", f"/containers/{number}/start")
        return number

    def run_once(self, name: str, body: dict[str, Any]) -> None:
        """Run a container to its end and remove it. Raises LabError if it does not exit with 0."""
        number = self.start(name, body)
        code = self.call("POST", f"/containers/{number}/wait", seconds=300)["StatusCode"]
        self.call("DELETE", f"/containers/{number}?force=1&v=1")
        if code:
            raise LabError(f"{self.machine.name}: container {name} ended with exit {code}")


@contextlib.contextmanager
def connect(lab: Lab, machine: Machine) -> Iterator[Docker]:
    """Forward the machine's Docker socket for the time of the block."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "docker.sock")
        forward = ssh_argv(lab, machine, "-N", "-o", "ExitOnForwardFailure=yes", "-L", f"{path}:/var/run/docker.sock")
        process = subprocess.Popen(forward, stdin=subprocess.DEVNULL)
        try:
            wait_until(f"Docker socket of {machine.name}", path.exists, seconds=120, pause=0.05)
            yield Docker(machine, str(path))
        finally:
            process.terminate()
            process.wait(timeout=60)
