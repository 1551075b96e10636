"""The live stack of the fault programme: api, worker hosts, servers, people; each process may be killed by name."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from autorke.core import crypto
from tests.faults.servers import Server
from tests.orphans import orphans, ours
from tests.ports import free_port
from tests.story.desk import hire
from tests.story.people import Person

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
ENTRY = [sys.executable, "-m", "tests.faults.field"]
PACE = {
    "AUTORKE_LEASE": "PT3S",
    "AUTORKE_HEARTBEAT": "PT0.5S",
    "AUTORKE_RECONCILE_EVERY": "PT0.5S",
    "AUTORKE_HINT_RESEND": "PT1S",
    "AUTORKE_TEST_GRACE": "8",
}
"""Short leases, so that a lost runner is noticed soon; every other wait is the product's own."""


@dataclass
class Live:
    """Processes by name: `api`, and per host `launcher-1`, `celery-1`, … `environ` is that of host 1's processes."""

    place: Path
    url: str
    environ: dict[str, str]
    per_host: dict[str, dict[str, str]]
    prefix: dict[str, list[str]] = field(default_factory=dict)
    """By host: words before its commands, such as `ip netns exec`."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    restarts: int = 0
    people: list[Person] = field(default_factory=list)

    @property
    def journal(self) -> Path:
        return self.place / "journal"

    @property
    def names(self) -> list[str]:
        return ["api", *(f"{what}-{host}" for host in self.per_host for what in ("launcher", "celery"))]

    def start(self, name: str) -> None:
        what, _, host = name.partition("-")
        environ = {**self.environ, **self.per_host.get(host, {})}
        words = {
            "api": [sys.executable, "-m", "uvicorn", "tests.faults.field:create_app", "--factory", "--no-access-log",
                    "--timeout-graceful-shutdown", "1", "--port", self.url.rsplit(":", 1)[1]],
            "launcher": [*ENTRY, "launcher", "--socket", environ.get("AUTORKE_LAUNCHER_SOCKET", "")],
            "celery": [*ENTRY, "celery", "worker", "-c", "2", "--without-gossip", "--without-mingle", "-l", "WARNING"],
        }[what]  # fmt: skip
        with (self.place / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*self.prefix.get(host, []), *words],
                env=environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_the_test,
            )

    def keep(self) -> None:
        """Start again whatever has died, as a supervisor would."""
        for name, child in list(self.processes.items()):
            if child.poll() is not None:
                kill_group(child.pid)
                self.restarts += 1
                self.start(name)

    def restart(self, name: str) -> None:
        """As a deployment does: SIGTERM, wait, start the new one."""
        child = self.processes.pop(name)
        child.terminate()
        child.wait(60)
        kill_group(child.pid)
        self.start(name)

    def healthy(self) -> bool:
        sockets = [Path(host["AUTORKE_LAUNCHER_SOCKET"]) for host in self.per_host.values()]
        try:
            up = httpx.get(f"{self.url}/api/v1/health", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False
        return up and all(socket.exists() for socket in sockets)

    def orphans(self) -> list[int]:
        """Tools and runners of this stack that are there."""
        return orphans(str(self.place))

    def logs(self) -> str:
        return "\n".join(f"--- {p.name}\n{p.read_text(errors='replace')[-3000:]}" for p in self.place.glob("*.log"))


def _end_with_the_test() -> None:
    """A test that is killed itself leaves no stack behind."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def kill_group(pid: int, number: int = signal.SIGKILL) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def _ended(folder: str) -> bool:
    """Runners and tools lead sessions of their own; whoever is left without his leader is ended alone."""
    left = ours(folder)
    for pid in left:
        kill_group(pid)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return not left


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


@contextmanager
def stack(
    database: Server,
    broker: Server | str,
    *,
    hosts: int = 2,
    urls: dict[str, str] | None = None,
    prefix: dict[str, list[str]] | None = None,
    run_dirs: dict[str, Path] | None = None,
    **settings: str,
) -> Iterator[Live]:
    """Start everything and wait until it is healthy. `urls`: the database's URL as a host sees it, by host; `run_dirs`:
    where a host's runs keep private files, by host."""
    with tempfile.TemporaryDirectory(prefix="arke-", dir="/dev/shm") as folder:
        place = Path(folder)
        per_host: dict[str, dict[str, str]] = {}
        for number in map(str, range(1, hosts + 1)):
            (place / number).mkdir(mode=0o700)
            per_host[number] = {
                "AUTORKE_RUNNER_ID": f"host-{number}",
                "AUTORKE_LAUNCHER_SOCKET": str(place / number / "l.sock"),
                "AUTORKE_RUN_DIR": str((run_dirs or {}).get(number, place / number)),
                **({"AUTORKE_DATABASE_URL": urls[number]} if urls and number in urls else {}),
            }
        environ = {
            **os.environ,
            "AUTORKE_DATABASE_URL": database.url,
            "AUTORKE_REDIS_URL": broker if isinstance(broker, str) else broker.url,
            "AUTORKE_SECRET_KEY": crypto.new_key(),
            "AUTORKE_DATA_DIR": folder,
            **PACE,
            **settings,
        }
        live = Live(place, f"http://127.0.0.1:{free_port()}", environ, per_host, prefix or {})
        try:
            for name in live.names:
                live.start(name)
            until(live.healthy, 240, "the stack is up")
            yield live
        except BaseException:
            sys.stderr.write(live.logs())
            raise
        finally:
            for person in live.people:
                person.http.close()
            for child in live.processes.values():
                kill_group(child.pid)
                child.wait(60)
            until(lambda: _ended(folder), 60, "nothing writes into its folder any more")


def two_people(live: Live) -> tuple[Person, Person]:
    """A requester and an approver, signed in."""
    made = subprocess.run(
        [sys.executable, "-m", "tests.story.first_admin"], env=live.environ, capture_output=True, text=True, check=True
    )
    admin = Person(live.url, "admin", made.stdout.strip())
    people = [_hired(admin, live, name, role) for name, role in (("rita", "requester"), ("aaron", "approver"))]
    admin.http.close()
    live.people += people
    return people[0], people[1]


def _hired(admin: Person, live: Live, name: str, role: str) -> Person:
    person = hire(admin, live, name, role)  # type: ignore[arg-type]  asks for its url only
    person.http.timeout = httpx.Timeout(10)
    return person
