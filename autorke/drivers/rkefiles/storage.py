"""Write the files of a cluster directory safely: one writer, a copy of the old version, never half a file.

rke itself does none of this (rke.md §2.2). For the command line on plain files; the platform keeps its own versions.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from autorke.drivers.rkefiles.errors import FileLocked, FileMoved, FileUnreadable
from autorke.drivers.rkefiles.rkestate import SIZE_LIMIT


def state_path(config: Path) -> Path:
    """`cluster.yml` → `cluster.rkestate` (rke.md §2.2)."""
    return config.with_suffix(".rkestate")


def kubeconfig_path(config: Path) -> Path:
    """`cluster.yml` → `kube_config_cluster.yml`."""
    return config.with_name(f"kube_config_{config.name}")


def read_text(path: Path) -> str:
    """The file's text. Raises FileUnreadable, also for a file that is not UTF-8 or absurdly large."""
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise FileUnreadable(field=path.name, file=path.name, reason=f"> {SIZE_LIMIT} bytes")
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise FileUnreadable(field=path.name, file=path.name, reason="not UTF-8") from error
    except OSError as error:
        raise FileUnreadable(field=path.name, file=path.name, reason=error.strerror or "unreadable") from error


@contextmanager
def locked(config: Path) -> Iterator[None]:
    """Hold the cluster directory's lock. Raises FileLocked at once when another process has it.

    Where there is no config there is nothing to lock, and no lock file is left behind: FileUnreadable.
    """
    path = config.with_name(f".{config.name}.lock")
    if not config.exists():
        raise FileUnreadable(field=config.name, file=config.name, reason="not there")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FileUnreadable(field=path.name, file=path.name, reason=error.strerror or "not writable") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise FileLocked(field=config.name, file=config.name) from error
    finally:
        os.close(descriptor)


def replace_text(path: Path, text: str, *, expected: str) -> Path:
    """Replace a file whose text is still `expected`; the old version stays beside it. Returns that copy's path.

    Raises FileMoved when somebody else wrote it since it was read. Call it under `locked()`.
    """
    if read_text(path) != expected:
        raise FileMoved(field=path.name, file=path.name)
    kept = path.with_name(f"{path.name}.{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.bak")
    try:
        _write(kept, expected, mode=0o600)
        _write(path, text, mode=path.stat().st_mode & 0o777)
    except OSError as error:
        raise FileUnreadable(field=path.name, file=path.name, reason=error.strerror or "not writable") from error
    return kept


def _write(path: Path, text: str, *, mode: int) -> None:
    """Temporary file, fsync, rename, fsync of the directory: after a crash the old or the new file is there, whole."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text.encode())
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
