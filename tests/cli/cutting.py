"""A TCP proxy that cuts event streams off after a given number of bytes, as real networks do at any byte."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Cutting:
    """`cuts`: for each further stream, how many bytes of its answer pass; no entry left = all of them."""

    port: int
    cuts: list[int]
    listener: socket.socket
    url: str = ""
    streams: int = 0
    resumed: list[str] = field(default_factory=list)
    """The Last-Event-ID of each stream that was asked for behind one."""

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._connection, args=(client,), daemon=True).start()

    def _connection(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        left: list[int | None] = [None]
        down = threading.Thread(target=self._down, args=(client, server, left), daemon=True)
        down.start()
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if b"/stream?" in data:
                    self._note(data.decode())
                    left[0] = self.cuts.pop(0) if self.cuts else None
                server.sendall(data)
        _close(server)
        down.join(5)
        client.close()
        server.close()

    def _note(self, request: str) -> None:
        self.streams += 1
        headers = (line.split(": ", 1) for line in request.split("\r\n") if ": " in line)
        self.resumed += [value for name, value in headers if name.lower() == "last-event-id"]

    def _down(self, client: socket.socket, server: socket.socket, left: list[int | None]) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if left[0] is not None:
                    data, left[0] = data[: left[0]], max(0, left[0] - len(data))
                client.sendall(data)
                if left[0] == 0:
                    break
        _close(client)


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def cutting(url: str, cuts: list[int]) -> Iterator[Cutting]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Cutting(urlsplit(url).port or 0, cuts, listener)
        proxy.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=proxy.serve, daemon=True)
        thread.start()
        yield proxy
        _close(listener)
