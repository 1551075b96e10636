"""Filesystems of a few megabytes that can be filled to their last byte; only root may mount one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autorke.embedded.throwaway import PREFIX
from bench import CannotRun

PIECE = 1 << 20


class Small:
    """A mounted one. What fills it is one file of ours."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def fill(self) -> None:
        """Until nothing more can be written; files that are there keep what they have."""
        with self._filler.open("ab", buffering=0) as out:
            for size in (PIECE, 4096, 1):
                try:
                    while out.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)


@contextmanager
def small(path: Path, megabytes: int) -> Iterator[Small]:
    """Mounted at `path`, which is made, for the length of the block. Raises CannotRun."""
    if os.geteuid() != 0:
        raise CannotRun("only root may mount a small filesystem")
    _unmount_of_the_dead()
    path.mkdir(mode=0o700)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", str(path)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise CannotRun(f"a small filesystem cannot be mounted here: {done.stderr.strip()}")
    try:
        yield Small(path)
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def _unmount_of_the_dead() -> None:
    """A test that was killed leaves its mounts behind; their path has its pid."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in mounts:
        _, found, rest = mount.partition(f"/{PREFIX}")
        if found and not Path("/proc", rest.split("-")[0]).exists():
            subprocess.run(["umount", "-l", mount], check=False)
