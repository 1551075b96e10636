"""The data directory of an embedded installation: one owner at a time, keys and passwords made at the first start.

lock                 held by the running supervisor
secret.key           base64 AES-256 key of the stored credentials, 0600; whoever loses it loses them
postgres.password    0600
databases/           owned by the database account: postgres/<major>, copies of binaries, sockets
log/                 one file per child, the previous run as *.1
run/                 socket of the launcher
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autorke.embedded.account import Account, private_directory
from autorke.embedded.errors import AlreadyRunning, UnsafeDirectory

LOCK = "lock"
SOCKET_NAME_ROOM = 24
"""The longest name put in a socket directory, `/.s.PGSQL.5432.lock`, and some."""
SOCKET_PATH_LIMIT = 107
SYSTEM_STATE = Path("/var/lib/autorke")


@dataclass(frozen=True)
class DataDirectory:
    """Paths below one locked data directory; `databases` lies elsewhere when its account cannot reach us."""

    path: Path
    account: Account

    @property
    def databases(self) -> Path:
        """Root's own directories (a checkout below /root) are closed to the database account; they stay closed."""
        if self.account.may_enter(self.path.parent):
            return self.path / "databases"
        return SYSTEM_STATE / _short_hash(self.path)

    @property
    def postgres(self) -> Path:
        return self.databases / "postgres"

    @property
    def key_file(self) -> Path:
        return self.path / "secret.key"

    def log(self, name: str) -> Path:
        return self.path / "log" / f"{name}.log"

    def clear(self) -> None:
        """Remove everything but the lock. Nothing may be running on it."""
        for entry in (*self.path.iterdir(), self.databases):
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.name != LOCK:
                entry.unlink(missing_ok=True)

    def prepare(self) -> None:
        """Make what is missing, tighten what is there, and set the logs of the previous run aside."""
        private_directory(self.path / "log")
        private_directory(self.path / "run")
        for old in (self.path / "log").glob("*.log"):
            old.rename(old.with_suffix(".log.1"))
        self.make_secret("secret.key", lambda: base64.b64encode(secrets.token_bytes(32)).decode())

    def prepare_databases(self) -> None:
        """The directory that the database account owns."""
        if self.databases.parent == SYSTEM_STATE:
            SYSTEM_STATE.mkdir(parents=True, exist_ok=True, mode=0o755)
        private_directory(self.databases, self.account)

    def make_secret(self, name: str, make: Callable[[], str] = lambda: secrets.token_urlsafe(24)) -> str:
        """The secret in the file `name`, made once, readable by us only."""
        path = self.path / name
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            path.chmod(0o600)
            return path.read_text().strip()
        value = make()
        with os.fdopen(descriptor, "w") as out:
            out.write(value + "\n")
            out.flush()
            os.fsync(out.fileno())
        return value

    def database_sockets(self) -> Path:
        return socket_directory(self.databases / "run", self.account)

    def own_sockets(self) -> Path:
        return socket_directory(self.path / "run", None)


@contextmanager
def locked(path: Path, account: Account) -> Iterator[DataDirectory]:
    """The data directory, ours until the end of the `with` block. Raises AlreadyRunning when somebody else has it."""
    path = path.absolute()
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.geteuid() == 0 and account.uid != 0:
        os.chown(path, 0, account.gid)
        path.chmod(0o710)  # the database account passes through; nobody lists
    else:
        path.chmod(0o700)
    descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode().strip() or "?"
            raise AlreadyRunning(directory=path, pid=holder) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield DataDirectory(path, account)
    finally:
        os.close(descriptor)


def socket_directory(preferred: Path, account: Account | None) -> Path:
    """`preferred` as a private directory, or a short one in the temporary directory when its path is too long."""
    if len(os.fsencode(preferred)) + SOCKET_NAME_ROOM <= SOCKET_PATH_LIMIT:
        return private_directory(preferred, account)
    owner = account.uid if account else os.geteuid()
    short = Path(tempfile.gettempdir(), f"autorke-{owner}-{_short_hash(preferred)}")
    if not short.exists():
        short.mkdir(mode=0o700)
        if account is not None and os.geteuid() == 0:
            os.chown(short, account.uid, account.gid)
    found = short.lstat()  # the name can be guessed: somebody else may have been here first
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
        raise UnsafeDirectory(directory=short)
    return short


def _short_hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:10]
