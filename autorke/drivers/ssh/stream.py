"""An SSH channel as a `ByteStream`."""

from __future__ import annotations

import paramiko

# paramiko copies what is left of the buffer after every packet: sent whole, a 100 MB image would be copied 3000 times.
_PIECE = 1 << 16


class ChannelStream:
    """A connected stream through a machine's SSH connection; raises OSError and TimeoutError as sockets do."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self.channel = channel

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(view), _PIECE):
            self.channel.sendall(bytes(view[start : start + _PIECE]))

    def recv(self, size: int) -> bytes:
        return self.channel.recv(size)

    def settimeout(self, seconds: float | None) -> None:
        self.channel.settimeout(seconds)

    def close(self) -> None:
        self.channel.close()
