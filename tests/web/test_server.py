"""Under the real server: streams must not hold up a shutdown, a rolling update would wait for every open page."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

SERVER = Path(__file__).with_name("stream_server.py")
PATIENCE_S = 60.0
"""A server without the product's ending of streams would wait for its open one without end."""


@pytest.mark.timeout(200)
def test_an_open_stream_does_not_hold_up_the_shutdown(secret_key: str) -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "AUTORKE_SECRET_KEY": secret_key}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, handed = listener.getsockname()[1], listener.fileno()
        command = [sys.executable, str(SERVER), str(handed)]
        server = subprocess.Popen(command, cwd=root, env=environment, pass_fds=[handed])
    try:
        with (
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client,
            client.stream("GET", "/quiet") as stream,
        ):
            parts = stream.iter_bytes()
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert stream.headers["x-accel-buffering"] == "no"
            assert next(parts) == b": alive\n\n"
            server.terminate()
            assert list(parts) == [], "the stream ends properly and at once: before it says again that it is alive"
            server.wait(PATIENCE_S)
    finally:
        server.kill()
        server.wait(PATIENCE_S)
    assert server.returncode in (0, -15)
