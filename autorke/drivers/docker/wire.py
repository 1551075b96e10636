"""HTTP/1.1 over any `ByteStream`: the standard library's client on a stream in place of a socket."""

from __future__ import annotations

import http.client
import io
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from autorke.drivers.base import ByteStream

ANSWER_LIMIT = 64 * 1024 * 1024
"""Bytes of an answer that are kept; more is an error, since nothing that we ask for is so large."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class AnswerTooLarge(Exception):
    """The other side would not stop talking."""


def ask(
    stream: ByteStream, method: str, path: str, *, body: bytes | None, headers: Mapping[str, str], timeout: float
) -> Answer:
    """One request and its whole answer within `timeout` seconds, then the stream is closed.

    Raises TimeoutError, OSError, http.client.HTTPException, AnswerTooLarge.
    """
    with _connection(stream, timeout) as connection:
        connection.request(method, path, body=body, headers={"Host": "docker", "Connection": "close", **headers})
        response = connection.getresponse()
        data = response.read(ANSWER_LIMIT + 1)
        if len(data) > ANSWER_LIMIT:
            raise AnswerTooLarge
        return Answer(response.status, dict(response.getheaders()), data)


@contextmanager
def _connection(stream: ByteStream, timeout: float) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("docker")
    wire: Any = _Wire(stream, time.monotonic() + timeout)
    connection.sock = wire
    try:
        yield connection
    finally:
        connection.close()
        stream.close()


class _Wire:
    """What `http.client` uses of a socket, with one deadline over everything that is sent and received."""

    def __init__(self, stream: ByteStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._stream.settimeout(self._left())
        self._stream.sendall(data)

    def recv(self, size: int) -> bytes:
        self._stream.settimeout(self._left())
        return self._stream.recv(size)

    def makefile(self, mode: str) -> io.BufferedReader:
        assert mode == "rb"  # noqa: S101 - http.client reads bytes and nothing else
        return io.BufferedReader(_Incoming(self), 1 << 16)

    def close(self) -> None:
        """The owner of the stream closes it; `http.client` closes this as soon as the headers are read."""

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Incoming(io.RawIOBase):
    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._wire.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)
