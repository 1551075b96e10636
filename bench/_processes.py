"""What a tree of processes holds in memory, and what it has burnt."""

from __future__ import annotations

import os
from pathlib import Path


def memory(root: int) -> dict[str, float]:
    """Proportional set sizes: what is shared counts once. `sim` is no part of the product."""
    sizes = {"sim": 0.0, "product": 0.0, "databases": 0.0}
    for pid in _tree(root):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
            rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        size = sum(int(row.split()[1]) for row in rows if row.startswith("Pss:")) / 1024
        database = command.startswith(b"postgres:") or b"bin/postgres" in command or b"valkey-server" in command
        sizes["sim" if b"autorke.sim" in command else "databases" if database else "product"] += size
    return {f"{name}_mb": round(size, 1) for name, size in sizes.items()}


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found, left = [], [root]
    while left:
        pid = left.pop()
        found.append(pid)
        left += children.get(pid, [])
    return found


def cpu_seconds() -> dict[str, float]:
    """Of this process and its tree so far, by kind, with all that ended: a launcher's children are its runners."""
    found = {"here": 0.0, "databases": 0.0, "launcher_and_runners": 0.0, "celery": 0.0}
    for pid in _tree(os.getpid()):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            times = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:15]
        except OSError:
            continue
        kind = "databases" if b"postgres" in command or b"valkey" in command else "celery"
        kind = "launcher_and_runners" if b"launcher" in command else kind
        if pid == os.getpid():
            kind, times = "here", times[:2]
        found[kind] += sum(map(int, times)) / os.sysconf("SC_CLK_TCK")
    return found
