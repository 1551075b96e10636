"""A supervisor started as its users start it, and what /proc says about it and its descendants."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
SMALL = (sys.executable, "-m", "tests.embedded.small_up")
FULL = (sys.executable, "-m", "autorke", "up")


class Tree:
    """One running supervisor; `output` grows while it runs."""

    def __init__(self, process: subprocess.Popen[str], data: Path, output: Path) -> None:
        self.process = process
        self.data = data
        self._output = output

    @property
    def output(self) -> str:
        return self._output.read_text()

    def wait_for(self, words: str, seconds: float = 40.0) -> None:
        deadline = time.monotonic() + seconds
        while words not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.02)

    def wait_in(self, log: Path, words: str, seconds: float) -> None:
        """Until a child has written these words."""
        deadline = time.monotonic() + seconds
        while not log.exists() or words not in log.read_text(errors="replace"):
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.1)

    def descendants(self) -> dict[str, int]:
        """Command line → pid of everything below the supervisor."""
        parents: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
        found, todo = {}, list(parents.get(self.process.pid, []))
        while todo:
            pid = todo.pop()
            found[f"{pid} {command_line(pid)}"] = pid
            todo += parents.get(pid, [])
        return found

    def pid_of(self, words: str) -> int:
        hits = [pid for command, pid in self.descendants().items() if words in command]
        assert hits, f"{words} not in {self.descendants()}"
        return min(hits)

    def stop(self) -> float:
        """Ctrl-C; seconds until it has ended."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(60) == 0, self.output
        return time.monotonic() - started


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def survivors(pids: Mapping[str, int], seconds: float = 8.0) -> list[str]:
    """Which of these still live after `seconds`."""
    deadline = time.monotonic() + seconds
    while (left := [command for command, pid in pids.items() if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def free_port() -> int:
    """The first of five ports in a row that are free (a demo's simulation takes the four after the api's).

    Below the range from which the kernel gives ports to outgoing connections, so that they stay free.
    """
    while True:
        first = random.randrange(20_000, 30_000, 5)
        if all(map(_is_free, range(first, first + 5))):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@contextmanager
def up(
    data: Path, output: Path, argv: tuple[str, ...] = SMALL, user: int | None = None, **environ: str
) -> Iterator[Tree]:
    """Start it; whatever the test does, nothing is left at the end."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("AUTORKE_")}
    settings = {"AUTORKE_DATA_DIR": str(data), "AUTORKE_PORT": str(free_port()), **environ}
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
        process.wait(60)
        for pid in left.values():
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
