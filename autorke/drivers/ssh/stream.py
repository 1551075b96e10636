"""An SSH channel as a `ByteStream`."""

from __future__ import annotations

import contextlib

import paramiko

# paramiko copies what is left of the buffer after every packet: sent whole, a 100 MB image would be copied 3000 times.
_PIECE = 1 << 16


class ChannelStream:
    """A connected stream through a machine's SSH connection; raises OSError and TimeoutError as sockets do.

    Has what paramiko uses of a socket, too, so that a connection to a machine can run inside one to its bastion.
    """

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(view), _PIECE):
            self._channel.sendall(bytes(view[start : start + _PIECE]))

    def send(self, data: bytes) -> int:
        return self._channel.send(data)

    def recv(self, size: int) -> bytes:
        return self._channel.recv(size)

    def settimeout(self, seconds: float | None) -> None:
        self._channel.settimeout(seconds)

    def close(self) -> None:
        # Telling the other side fails when its connection is gone, which is as closed as can be.
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.close()

    @property
    def _closed(self) -> bool:
        return self._channel.closed
