"""A real dockerd in a directory of its own: no bridge, no firewall rules, nothing shared with another one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def why_not() -> str | None:
    """The reason why no dockerd can run here, if any."""
    if os.getuid() != 0:
        return "dockerd needs root"
    if shutil.which("dockerd") is None:
        return "no dockerd on this machine; install the Debian package docker.io"
    return None


@contextmanager
def running_dockerd() -> Iterator[Path]:
    """The path of its socket."""
    # Under /run: a Unix socket's path is at most 107 bytes, which pytest's directories exceed.
    directory = Path(tempfile.mkdtemp(prefix="autorke-dockerd-", dir="/run"))
    data = Path(tempfile.mkdtemp(prefix="autorke-dockerd-"))
    sock = directory / "docker.sock"
    command = ["dockerd", "--host", f"unix://{sock}", "--data-root", str(data), "--exec-root", str(directory / "exec")]
    command += ["--pidfile", str(directory / "pid"), "--bridge", "none", "--iptables=false", "--ip-forward=false"]
    command += ["--storage-driver", "vfs", "--log-level", "error"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait(process, sock, directory / "log")
        yield sock
    finally:
        process.terminate()
        process.wait(120)
        shutil.rmtree(directory, ignore_errors=True)
        shutil.rmtree(data, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], sock: Path, log: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(str(sock)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"dockerd did not start: {log.read_text()[-2000:]}")
