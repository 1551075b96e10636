"""A proxy between a process and its server, which can be told to cut, stall, delay or slice what passes.

`python -m tests.faults.proxy LISTEN TARGET [PORT]`: LISTEN is a Unix socket's path, TARGET one too or host:port; with
PORT the proxy listens there on 127.0.0.1 as well. What the file LISTEN.mode says holds at once: `pass`, `cut`
(connections are reset, new ones too), `hole` (nothing passes, nothing is closed), `slow:MS`, `slice:BYTES`. A process
of its own, so that no thread is there when a test forks.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.live import until

LOOK = 0.02


@dataclass
class Proxy:
    listen: Path

    def set(self, mode: str) -> None:
        """Takes hold within LOOK seconds."""
        whole = self.listen.with_suffix(".new")
        whole.write_text(mode)
        whole.rename(self.listen.with_suffix(".mode"))


@contextmanager
def between(listen: Path, target: str, port: int | None = None) -> Iterator[Proxy]:
    """A proxy at a Unix socket path for the length of the block, and at a port of this machine if one is given."""
    proxy = Proxy(listen)
    proxy.set("pass")
    words = [str(listen), target, *([str(port)] if port else [])]
    child = subprocess.Popen([sys.executable, "-m", "tests.faults.proxy", *words])
    try:
        until(listen.exists, 120, "the proxy listens")
        yield proxy
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(60)


class _Relay:
    def __init__(self, listen: str, target: str) -> None:
        self.target, self.file = target, Path(listen).with_suffix(".mode")
        self.mode = "pass"
        self.writers: set[asyncio.StreamWriter] = set()

    async def watch(self) -> None:
        while True:
            self.mode = self.file.read_text()
            if self.mode == "cut":
                for writer in list(self.writers):
                    _reset(writer)
            await asyncio.sleep(LOOK)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            if self.mode == "cut":
                return
            await self._hole()
            far_reader, far = await _connect(self.target)
            self.writers.add(far)
            await asyncio.gather(self._copy(reader, far), self._copy(far_reader, writer))
        except OSError:
            pass
        finally:
            for one in (writer, far):
                if one is not None:
                    self.writers.discard(one)
                    one.close()

    async def _hole(self) -> None:
        while self.mode == "hole":
            await asyncio.sleep(LOOK)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._hole()
            word, _, amount = self.mode.partition(":")
            if word == "slow":
                await asyncio.sleep(int(amount) / 1000)
            size = int(amount) if word == "slice" else len(data)
            for start in range(0, len(data), size):
                writer.write(data[start : start + size])
                await writer.drain()
                if word == "slice":
                    await asyncio.sleep(0.001)
        writer.close()


async def _connect(target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if target.startswith("/"):
        return await asyncio.open_unix_connection(target)
    host, _, port = target.rpartition(":")
    return await asyncio.open_connection(host, int(port))


def _reset(writer: asyncio.StreamWriter) -> None:
    link: socket.socket | None = writer.get_extra_info("socket")
    if link is not None and link.family != socket.AF_UNIX:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _main(listen: str, target: str, port: str = "") -> None:
    relay = _Relay(listen, target)
    os.umask(0)  # a server's own user connects too
    if port:
        await asyncio.start_server(relay.serve, "127.0.0.1", int(port))
    server = await asyncio.start_unix_server(relay.serve, listen)
    async with server:
        await relay.watch()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
