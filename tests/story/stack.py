"""The whole product as an operator runs it: api, launcher, Celery worker, on a database and a broker of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from autorke.core import crypto
from tests.ports import free_port


@dataclass
class Stack:
    """Running processes and how to reach them. `secret` is the first admin's password."""

    url: str
    directory: Path
    environ: dict[str, str]
    admin: tuple[str, str] = ("", "")
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def socket(self) -> Path:
        return Path(self.environ["AUTORKE_LAUNCHER_SOCKET"])

    def start(self, what: str) -> None:
        arguments = {
            "api": ["-m", "uvicorn", "autorke.app:create_app", "--factory", "--port", self.url.rsplit(":", 1)[1],
                    "--timeout-graceful-shutdown", "1", "--no-access-log"],
            "launcher": ["-m", "autorke.worker.launcher", "--socket", str(self.socket)],
            "worker": ["-m", "celery", "-A", "autorke.worker.app", "worker", "-c", "2", "--without-gossip",
                       "--without-mingle", "-l", "WARNING"],
        }[what]  # fmt: skip
        with (self.directory / f"{what}.log").open("ab") as log:
            self.processes[what] = subprocess.Popen(
                [sys.executable, *arguments], env=self.environ, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self, what: str, number: int = signal.SIGTERM) -> None:
        """End one of our own processes and its group."""
        child = self.processes.pop(what)
        with suppress(ProcessLookupError):  # it has ended by itself; whoever misses it says so with its log
            os.killpg(child.pid, number)
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait(60)

    def log(self, what: str) -> str:
        return (self.directory / f"{what}.log").read_text(errors="replace")


@contextmanager
def running(db_url: str, redis_url: str, directory: Path, **settings: str) -> Iterator[Stack]:
    """Start everything, wait until the api is healthy, stop everything."""
    key = directory / "secret.key"
    key.write_text(crypto.new_key())
    key.chmod(0o600)
    url = f"http://127.0.0.1:{free_port()}"
    environ = {
        **os.environ,
        "AUTORKE_DATABASE_URL": db_url,
        "AUTORKE_REDIS_URL": redis_url,
        "AUTORKE_SECRET_KEY_FILE": str(key),
        "AUTORKE_DATA_DIR": str(directory),
        "AUTORKE_LAUNCHER_SOCKET": str(directory / "launcher.sock"),
        "AUTORKE_RECONCILE_EVERY": "PT1S",
        **settings,
    }
    stack = Stack(url, directory, environ)
    try:
        for what in ("launcher", "api", "worker"):
            stack.start(what)
        _wait_healthy(stack)
        yield stack
    finally:
        for what in list(stack.processes):
            stack.stop(what)


def _wait_healthy(stack: Stack) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and stack.processes["api"].poll() is None:
        if stack.socket.exists() and _answers(stack.url):
            return
        time.sleep(0.2)
    raise AssertionError("the api did not become healthy:\n" + stack.log("api")[-3000:])


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/v1/health", timeout=10, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
