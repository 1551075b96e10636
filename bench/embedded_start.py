"""How long `up` takes to answer on a fresh data directory, on a used one, and to stop again; what it holds when idle.

`*_start_s` are those of the used directory, as `up` itself says them: the product's three processes start side by side.
`*_import_cpu_s` is the part of it that loading the code takes, each alone in a process of its own.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import CannotRun
from bench._processes import memory

PATIENCE = 120
SETTLE = 20.0
"""Seconds until what a start needs is given back and every loop has been round a few times."""
SAID = re.compile(r"  (\w+) +ready after ([0-9.]+) s")
PARTS = {"api": "autorke.app", "worker": "autorke.worker.app", "launcher": "autorke.worker.launcher"}


def run() -> dict[str, Any]:
    """Seconds; megabytes of the whole tree, what is shared counted once."""
    with tempfile.TemporaryDirectory(prefix="arke-") as place:
        Path(place).chmod(0o755)
        cold = _life(Path(place, "data"), settle=0)
        warm = _life(Path(place, "data"), settle=SETTLE)
    imports = {f"{name}_import_cpu_s": _import(module) for name, module in PARTS.items()}
    return {"cold_ready_s": cold["ready_s"], "warm_ready_s": warm.pop("ready_s"), **warm, **imports}


def _life(data: Path, *, settle: float) -> dict[str, float]:
    """One start, some idle seconds, one stop."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTORKE_")}
    environ = {**kept, "AUTORKE_DATA_DIR": str(data), "AUTORKE_PORT": str(_free_port())}
    command = [sys.executable, "-m", "autorke", "up"]
    started = time.monotonic()
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as supervisor:
        try:
            figures = _starts(supervisor)
            figures["ready_s"] = round(time.monotonic() - started, 2)
            time.sleep(settle)
            sizes = memory(supervisor.pid)
        finally:
            stopped = time.monotonic()
            supervisor.send_signal(signal.SIGTERM)
            supervisor.wait(PATIENCE)
    figures["stop_s"] = round(time.monotonic() - stopped, 2)
    return figures | {f"idle_{name}": size for name, size in sizes.items() if name != "sim_mb"} | _sum(sizes)


def _sum(sizes: dict[str, float]) -> dict[str, float]:
    return {"idle_all_mb": round(sum(sizes.values()), 1)}


def _starts(supervisor: subprocess.Popen[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in supervisor.stdout or ():
        if line.startswith("Ready"):
            return found
        if said := SAID.match(line):
            found[f"{said[1]}_start_s"] = float(said[2])
    raise CannotRun(f"`up` ended with {supervisor.wait()}")


def _import(module: str) -> float:
    """The best of three, each in a fresh process."""
    code = f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
    command = [sys.executable, "-c", code]
    answers = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(3)]
    return round(min(float(answer.stdout) for answer in answers), 2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
