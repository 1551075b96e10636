"""An embedded PostgreSQL: `initdb` once, then the server as a direct child, never as root, on a private Unix socket."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from autorke.embedded.account import Account, private_directory
from autorke.embedded.binaries import PostgresBinaries
from autorke.embedded.errors import OtherVersion, StartFailed
from autorke.embedded.service import Service

SUPERUSER = "autorke"
DATABASE = "autorke"
INITDB_TIMEOUT = 300
THROW_AWAY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "dynamic_shared_memory_type=mmap")
"""Settings of a server whose data nobody will miss (tests). What its processes share goes with its directory: POSIX
shared memory of a server that was killed stays until the next one starts there, and none will."""


@dataclass(frozen=True)
class Postgres:
    """One data directory and how to serve it. `sockets` is a 0700 directory of `account` with a short path."""

    binaries: PostgresBinaries
    account: Account
    home: Path
    sockets: Path
    log: Path
    password: str = field(repr=False)
    settings: Sequence[str] = ()

    @property
    def data(self) -> Path:
        """The data directory carries the major version: another major cannot read it."""
        return self.home / str(self.binaries.major)

    def url(self, database: str = DATABASE) -> str:
        """SQLAlchemy URL over the Unix socket."""
        return f"postgresql+psycopg://{SUPERUSER}:{quote(self.password)}@/{database}?host={quote(str(self.sockets))}"

    def conninfo(self, database: str = "postgres") -> str:
        """The same for psycopg itself."""
        return self.url(database).replace("+psycopg", "", 1)

    def service(self) -> Service:
        """SIGINT is PostgreSQL's fast shutdown: clients are cut off, data is written, no recovery at the next start."""
        options = (
            "listen_addresses=",
            f"unix_socket_directories={self.sockets}",
            "unix_socket_permissions=0700",
            "max_connections=200",
            "log_min_messages=warning",
            *self.settings,
        )
        return Service(
            name="postgres",
            argv=(self.binaries.path("postgres"), "-D", str(self.data), *(f"--{option}" for option in options)),
            log=self.log,
            ready=self.accepts,
            environ=_environ(),
            account=self.account,
            stop_signal=signal.SIGINT,
            database=True,
        )

    def accepts(self, pid: int) -> bool:
        """Whether the server with this pid takes connections: what pg_ctl reads, without a connection."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def initialise(server: Postgres) -> None:
    """Make the data directory when there is none yet. Raises OtherVersion, or StartFailed with initdb's last words."""
    private_directory(server.home, server.account)
    if (server.data / "PG_VERSION").exists():
        server.data.chmod(0o700)  # PostgreSQL refuses to start on anything wider
        return
    others = sorted(path.parent.name for path in server.home.glob("*/PG_VERSION"))
    if others:
        raise OtherVersion(directory=server.home, found=", ".join(others), wanted=server.binaries.major)
    password_file = _password_file(server)
    try:
        done = _run_initdb(server, password_file)
    finally:
        password_file.unlink(missing_ok=True)
    if done.returncode != 0:
        words = done.stderr.strip().splitlines() or ["no output"]
        raise StartFailed(service="initdb", seconds=INITDB_TIMEOUT, reason=words[-1], log=server.log)


def wait_for_predecessor(home: Path, log: Path, patience: float = 60.0) -> None:
    """A server whose supervisor was killed is writing its data out: give it time to end. Raises StartFailed."""
    deadline = time.monotonic() + patience
    while any(_serves(pid_file) for pid_file in home.glob("*/postmaster.pid")):
        if time.monotonic() > deadline:
            raise StartFailed(service="postgres", seconds=int(patience), reason="the previous one still runs", log=log)
        time.sleep(0.05)


def _serves(pid_file: Path) -> bool:
    """Whether the process named there works in that directory; pids are used again after a reboot."""
    try:
        pid = pid_file.read_text().split("\n", 1)[0]
        return Path("/proc", pid, "cwd").readlink() == pid_file.parent
    except OSError:
        return False


def _password_file(server: Postgres) -> Path:
    """initdb reads it under its own user; /proc/self/fd does not survive the change of user."""
    path = server.home / f"initial-password-{secrets.token_hex(4)}"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(server.password + "\n")
    if os.geteuid() == 0:
        os.chown(path, server.account.uid, server.account.gid)
    return path


def _run_initdb(server: Postgres, password_file: Path) -> subprocess.CompletedProcess[str]:
    drop = server.account if os.geteuid() == 0 else None
    return subprocess.run(
        [server.binaries.path("initdb"), "-D", server.data, *_initdb_options(server, password_file)],
        env=_environ(),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=INITDB_TIMEOUT,
        user=drop.uid if drop else None,
        group=drop.gid if drop else None,
        extra_groups=[] if drop else None,
    )


def _initdb_options(server: Postgres, password_file: Path) -> list[str]:
    """Sort order by code point, the same on every machine; `builtin` exists since PostgreSQL 17."""
    builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return [
        f"--username={SUPERUSER}",
        f"--pwfile={password_file}",
        "--auth-local=scram-sha-256",
        "--auth-host=scram-sha-256",
        "--encoding=UTF8",
        "--data-checksums",
        *(builtin if server.binaries.major >= 17 else ["--locale=C.UTF-8"]),
        *(["--no-sync"] if "fsync=off" in server.settings else []),
    ]


def create_database(server: Postgres, name: str = DATABASE) -> None:
    """Make the database when it is not there yet."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(server.conninfo(), autocommit=True, connect_timeout=30) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if not found:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _environ() -> dict[str, str]:
    """Nothing of ours: the server needs no key and no URL of the product."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
