"""How long `up` takes to answer on a fresh data directory, on a used one, and to stop again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import CannotRun

PATIENCE = 120


def run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="arke-") as place:
        Path(place).chmod(0o755)
        cold_ready, _ = _start_and_stop(Path(place, "data"))
        warm_ready, stop = _start_and_stop(Path(place, "data"))
    return {"cold_ready_s": cold_ready, "warm_ready_s": warm_ready, "stop_s": stop}


def _start_and_stop(data: Path) -> tuple[float, float]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTORKE_")}
    environ = {**kept, "AUTORKE_DATA_DIR": str(data), "AUTORKE_PORT": str(_free_port())}
    started = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "autorke", "up"], env=environ, stdout=subprocess.PIPE, text=True
    ) as supervisor:
        for line in supervisor.stdout or ():
            if line.startswith("Ready"):
                break
        else:
            raise CannotRun(f"`up` ended with {supervisor.wait()}")
        ready = time.monotonic() - started
        supervisor.send_signal(signal.SIGTERM)
        supervisor.wait(PATIENCE)
        return round(ready, 2), round(time.monotonic() - started - ready, 2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
