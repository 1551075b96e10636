"""Connections to an API server that only a bastion can reach: TLS wants a real socket, so a pair of them stands in."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from autorke.drivers.base import ByteStream, Remote

_PIECE = 1 << 16


def connect_through(via: Remote, host: str, port: int, timeout: float) -> socket.socket:
    """A socket whose other end is host:port as seen from `via`. Raises what `Remote.open_tcp` raises."""
    stream = via.open_tcp(host, port, timeout=timeout)
    stream.settimeout(None)
    near, far = socket.socketpair()
    near.settimeout(timeout)
    for work in (_upload, _download):
        threading.Thread(target=work, args=(far, stream), name="kube-tunnel", daemon=True).start()
    return near


def pool_through(via: Remote, timeout: float) -> type[HTTPSConnectionPool]:
    """A urllib3 pool whose connections go through the bastion."""

    class Connection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return connect_through(via, self.host, self.port or 443, timeout)

    class Pool(HTTPSConnectionPool):
        ConnectionCls: Any = Connection

    return Pool


def _upload(far: socket.socket, stream: ByteStream) -> None:
    with contextlib.suppress(OSError):
        while data := far.recv(_PIECE):
            stream.sendall(data)
    stream.close()


def _download(far: socket.socket, stream: ByteStream) -> None:
    with contextlib.suppress(OSError):
        while data := stream.recv(_PIECE):
            far.sendall(data)
    with contextlib.suppress(OSError):
        far.shutdown(socket.SHUT_RDWR)
    far.close()
