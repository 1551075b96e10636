"""The demo as a newcomer meets it: seconds to its address, seconds until its past is made, memory of the whole tree."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import CannotRun
from bench._processes import memory

SETTLE = 20.0
"""Seconds after the history, so that its runners and its maker are gone."""
HISTORY_PATIENCE = 1800.0


def run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="arke-") as place:
        Path(place).chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTORKE_")}
        environ = {**kept, "AUTORKE_DATA_DIR": f"{place}/data", "AUTORKE_PORT": str(_free_ports())}
        command = [sys.executable, "-m", "autorke", "demo"]
        started = time.monotonic()
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as demo:
            try:
                return _watch(demo, started)
            finally:
                demo.send_signal(signal.SIGTERM)
                demo.wait(120)


def _free_ports() -> int:
    """The first of five in a row, below those that the kernel gives to outgoing connections."""
    for first in range(21_000, 30_000, 5):
        with ExitStack() as held:
            try:
                for port in range(first, first + 5):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise CannotRun("no five free ports in a row")


def _watch(demo: subprocess.Popen[str], started: float) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for line in demo.stdout or ():
        if line.startswith("Ready"):
            figures["url_s"] = round(time.monotonic() - started, 1)
        if "fill      done" in line:
            figures["history_s"] = round(time.monotonic() - started, 1)
            time.sleep(SETTLE)
            return figures | memory(demo.pid)
        if "failed" in line or time.monotonic() - started > HISTORY_PATIENCE:
            raise CannotRun(line.strip())
    raise CannotRun(f"the demo ended with {demo.wait()}")
