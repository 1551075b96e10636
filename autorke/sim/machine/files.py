"""The files of a machine that matter to the product: a tree in memory, no bytes on disk.

Directories exist when something is in them or when they were made. Contents are shared between machines where they
are equal.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import normpath

BASE = frozenset(
    (
        *("/", "/etc", "/etc/docker", "/etc/modules-load.d", "/etc/sysctl.d", "/etc/systemd/system", "/home", "/opt"),
        *("/root", "/run", "/usr", "/usr/bin", "/usr/local/bin", "/var", "/var/lib", "/var/lib/docker", "/var/log"),
        *("/tmp", "/var/tmp"),  # noqa: S108 - directories of the simulated machine
    )
)
"""Directories of a fresh installation."""


@dataclass(frozen=True)
class File:
    data: bytes
    mode: int = 0o600
    owner: str = "root"
    modified: float = 0.0
    target: str | None = None
    """Where a symbolic link points to; None for a plain file."""


class FileTree:
    """Absolute paths to files. `/var/run` is `/run`, as on every distribution we meet."""

    def __init__(self) -> None:
        self._files: dict[str, File] = {}
        self._dirs: set[str] = set(BASE)

    @staticmethod
    def real(path: str) -> str:
        path = normpath(path)
        return "/run" + path.removeprefix("/var/run") if path == "/var/run" or path.startswith("/var/run/") else path

    def read(self, path: str) -> bytes | None:
        file = self._files.get(self.real(path))
        return file.data if file else None

    def get(self, path: str) -> File | None:
        return self._files.get(self.real(path))

    def write(self, path: str, data: bytes, mode: int = 0o600, owner: str = "root") -> None:
        self._files[self.real(path)] = File(data, mode, owner, time.time())

    def link(self, path: str, target: str) -> None:
        self._files[self.real(path)] = File(b"", 0o777, "root", time.time(), target)

    def make_dir(self, path: str) -> None:
        self._dirs.add(self.real(path))

    def move(self, source: str, target: str) -> bool:
        file = self._files.pop(self.real(source), None)
        if file is not None:
            self._files[self.real(target)] = file
        return file is not None

    def chmod(self, path: str, mode: int) -> bool:
        file = self.get(path)
        if file is not None:
            self._files[self.real(path)] = File(file.data, mode, file.owner, file.modified, file.target)
        return file is not None or self.is_dir(path)

    def is_dir(self, path: str) -> bool:
        path = self.real(path)
        below = path.rstrip("/") + "/"
        return path in self._dirs or any(name.startswith(below) for name in (*self._files, *self._dirs))

    def exists(self, path: str) -> bool:
        return self.real(path) in self._files or self.is_dir(path)

    def names(self, path: str) -> list[str]:
        """Entries of a directory, sorted; empty when there is none."""
        below = self.real(path).rstrip("/") + "/"
        rest = (name[len(below) :] for name in (*self._files, *self._dirs) if name.startswith(below))
        return sorted({part.split("/", 1)[0] for part in rest if part})

    def below(self, path: str) -> Iterator[str]:
        prefix = self.real(path).rstrip("/") + "/"
        return (name for name in sorted({*self._files, *self._dirs}) if name.startswith(prefix))

    def files_below(self, path: str) -> list[str]:
        """Files (no directories) anywhere below a directory, sorted."""
        prefix = self.real(path).rstrip("/") + "/"
        return sorted(name for name in self._files if name.startswith(prefix))

    def writable(self, path: str, user: str) -> bool:
        """Whether a plain user may create files there: his home and /tmp."""
        return self.real(path).startswith((f"/home/{user}", "/tmp"))  # noqa: S108 - a path inside the simulation

    def secret(self, path: str) -> bool:
        """Directories that only root may list."""
        return self.real(path) in {"/var/lib/etcd", "/var/lib/kubelet"}

    def remove(self, path: str) -> bool:
        """Remove a file or a whole directory; False when nothing was there."""
        there = self.exists(path)
        self.empty(path)
        self._files.pop(self.real(path), None)
        self._dirs.discard(self.real(path))
        return there

    def empty(self, path: str) -> None:
        """Remove everything below a directory, keep the directory (`find DIR -mindepth 1 -delete`)."""
        if not self.is_dir(path):
            return
        for name in list(self.below(path)):
            self._files.pop(name, None)
            self._dirs.discard(name)
        self._dirs.add(self.real(path))

    @property
    def folders(self) -> set[str]:
        return set(self._dirs)

    def all(self) -> dict[str, File]:
        return dict(self._files)

    def restore(self, files: dict[str, File], folders: set[str]) -> None:
        """Replace the whole tree."""
        self._files, self._dirs = dict(files), set(folders)

    def paths(self) -> list[str]:
        return sorted(self._files)
