"""Under the real server: streams must not hold up a shutdown, a rolling update would wait for every open page."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

SERVER = Path(__file__).with_name("stream_server.py")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_it_answers(client: httpx.Client, seconds: float = 30.0) -> None:
    ends = time.monotonic() + seconds
    while True:
        try:
            client.get("/nowhere")
            return
        except httpx.TransportError:
            assert time.monotonic() < ends, "the server did not start"
            time.sleep(0.05)


@pytest.mark.timeout(60)
def test_an_open_stream_does_not_hold_up_the_shutdown(secret_key: str) -> None:
    port = _free_port()
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "AUTORKE_SECRET_KEY": secret_key}
    server = subprocess.Popen([sys.executable, str(SERVER), str(port)], cwd=root, env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            _wait_until_it_answers(client)
            with client.stream("GET", "/quiet") as stream:
                parts = stream.iter_bytes()
                assert stream.headers["content-type"].startswith("text/event-stream")
                assert stream.headers["x-accel-buffering"] == "no"
                assert next(parts) == b": alive\n\n"
                started = time.monotonic()
                server.terminate()
                assert list(parts) == [], "the stream ends properly, it is not cut"
                server.wait(10)
                assert time.monotonic() - started < 2
    finally:
        server.kill()
        server.wait(5)
    assert server.returncode in (0, -15)
