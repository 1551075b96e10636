"""A supervisor started as its users start it, and what /proc says about it and its descendants."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from autorke.embedded.throwaway import _scratch_base
from tests.ports import free_ports

ROOT = Path(__file__).parents[2]
SMALL = (sys.executable, "-m", "tests.embedded.small_up")
FULL = (sys.executable, "-m", "autorke", "up")
PATIENCE = 100.0
"""Seconds: what takes one or two may take many times that on a machine that is busy with something else."""


class Pid(int):
    """A process: its number, and the moment at which it began, for a busy machine soon uses a number again."""

    born: str


class Tree:
    """One running supervisor; `output` grows while it runs."""

    def __init__(self, process: subprocess.Popen[str], data: Path, output: Path) -> None:
        self.process = process
        self.data = data
        self._output = output

    @property
    def output(self) -> str:
        return self._output.read_text()

    def wait_for(self, words: str, seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while words not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.02)

    def refused(self, seconds: float = PATIENCE) -> str:
        """What it said when it ended by itself, with exit code 1."""
        assert self.process.wait(seconds) == 1, self.output
        return self.output

    def wait_in(self, log: Path, words: str, seconds: float) -> None:
        """Until a child has written these words."""
        deadline = time.monotonic() + seconds
        while not log.exists() or words not in log.read_text(errors="replace"):
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.1)

    def children(self) -> dict[str, Pid]:
        """Command line → pid of what the supervisor itself has started, and not of what those start for a moment."""
        found = self.descendants()
        return {command: pid for command, pid in found.items() if parent_of(pid) == self.process.pid}

    def descendants(self) -> dict[str, Pid]:
        """Command line → pid of everything below the supervisor, each after its parent."""
        parents: dict[int, list[Pid]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            pid = Pid(stat.parent.name)
            pid.born = fields[19]
            parents.setdefault(int(fields[1]), []).append(pid)
        found, todo = {}, list(parents.get(self.process.pid, []))
        while todo:
            pid = todo.pop()
            found[f"{pid} {command_line(pid)}"] = pid
            todo += parents.get(pid, [])
        return found

    def pid_of(self, words: str) -> Pid:
        """The one with these words in its command line that none of the others has started."""
        everything = self.descendants()
        hits = [pid for command, pid in everything.items() if words in command]
        assert hits, f"{words} not in {everything}"
        return hits[0]

    def stop(self) -> None:
        """Ctrl-C, and that it ends well."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(PATIENCE) == 0, self.output


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def parent_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return None


def alive(pid: Pid) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return False
    return fields[0] != "Z" and fields[19] == pid.born


def survivors(pids: Mapping[str, Pid], seconds: float = PATIENCE) -> list[str]:
    """Which of these still live after `seconds`; who is killed needs the processor once more to end."""
    deadline = time.monotonic() + seconds
    while (left := [command for command, pid in pids.items() if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


@contextmanager
def open_directory() -> Iterator[Path]:
    """A directory that every user can reach (pytest's own is closed to others), in memory where there is enough of it:
    a server waits for the disk when it begins and ends, and a busy disk would be what the tests measure."""
    path = Path(tempfile.mkdtemp(prefix="arke-", dir=_scratch_base()))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def up(
    data: Path, output: Path, argv: tuple[str, ...] = SMALL, user: int | None = None, **environ: str
) -> Iterator[Tree]:
    """Start it; whatever the test does, nothing is left at the end. A demo's simulation takes four more ports."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("AUTORKE_")}
    settings = {"AUTORKE_DATA_DIR": str(data), "AUTORKE_PORT": str(free_ports(5)), **environ}
    with output.open("w") as out:
        process = subprocess.Popen(
            argv,
            cwd=ROOT,
            env={**clean, "PYTHONPATH": str(ROOT), **settings},
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    tree = Tree(process, data, output)
    try:
        yield tree
    finally:
        left = tree.descendants()
        process.terminate()
        process.wait(PATIENCE)
        for pid in left.values():
            if alive(pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        survivors(left)  # what still runs would write into a directory that is being removed
