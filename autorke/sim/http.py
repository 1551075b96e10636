"""A small HTTP/1.1 server over any pair of streams: TCP, TLS, or a channel inside an SSH connection.

All simulated edges speak through `serve`; the parsing is h11's. A handler turns a `Request` into a `Response`; a body
is bytes or an async iterator of chunks (watches, events, pulls).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import h11

MAX_BODY = 256 * 1024 * 1024
"""Bytes; `docker load` sends whole images."""


class Cut(Exception):
    """A fault script wants the connection to end here, without another byte."""


class Reader(Protocol):
    async def read(self, n: int) -> bytes: ...


class Writer(Protocol):
    def write(self, data: bytes) -> None: ...
    async def drain(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Request:
    """One request: `path` is decoded, `query` keeps the first value of each key, header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; an empty body is an empty object. Raises ValueError."""
        return json.loads(self.body) if self.body else {}

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in {"1", "true"}


@dataclass(frozen=True)
class Response:
    status: int = 200
    body: bytes | AsyncIterator[bytes] = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


_PHRASES = {int(status): status.phrase for status in HTTPStatus}
Handler = Callable[[Request], Awaitable[Response]]


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, json.dumps(value, separators=(",", ":")).encode(), headers=headers or {})


def text_response(text: str, status: int = 200, content_type: str = "text/plain; charset=utf-8") -> Response:
    return Response(status, text.encode(), content_type)


async def serve(reader: Reader, writer: Writer, handler: Handler) -> None:
    """Answer requests on one connection until either side ends it."""
    connection = h11.Connection(h11.SERVER)
    try:
        while True:
            request = await _read_request(connection, reader)
            if request is None:
                return
            response = await handler(request)
            await _send(connection, writer, request, response)
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()
    except (Cut, asyncio.CancelledError):
        # cancelled only when the loop ends; asyncio's streams of Python 3.11 would log that as an error
        _abort(writer)
    except (h11.RemoteProtocolError, h11.LocalProtocolError, ConnectionError):
        return
    finally:
        writer.close()


def _abort(writer: Writer) -> None:
    """Drop the connection: a TCP reset, or a channel closed without end-of-file."""
    carrier = getattr(writer, "channel", None) or getattr(writer, "transport", None)
    if carrier is not None:
        carrier.abort()


async def _read_request(connection: h11.Connection, reader: Reader) -> Request | None:
    head: h11.Request | None = None
    body: list[bytes] = []
    size = 0
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            size += len(event.data)
            if size > MAX_BODY:
                raise Cut
            body.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return _request(head, b"".join(body))
        else:
            return None


def _request(head: h11.Request, body: bytes) -> Request:
    parts = urlsplit(head.target.decode("latin-1"))
    query = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    return Request(head.method.decode(), unquote(parts.path), query, headers, body)


async def _send(connection: h11.Connection, writer: Writer, request: Request, response: Response) -> None:
    headers = [("Date", formatdate(usegmt=True)), ("Content-Type", response.content_type), *response.headers.items()]
    if isinstance(response.body, bytes):
        headers.append(("Content-Length", str(len(response.body))))
    else:
        headers.append(("Transfer-Encoding", "chunked"))
    reason = _PHRASES.get(response.status, "")
    head = connection.send(h11.Response(status_code=response.status, headers=headers, reason=reason.encode()))
    if isinstance(response.body, bytes):
        data = b"" if request.method == "HEAD" else response.body
        body = connection.send(h11.Data(data=data)) if data else b""
        end = connection.send(h11.EndOfMessage())
        writer.write((head or b"") + (body or b"") + (end or b""))
        await writer.drain()
        return
    writer.write(head or b"")
    async for chunk in response.body:
        writer.write(connection.send(h11.Data(data=chunk)) or b"")
        await writer.drain()
    writer.write(connection.send(h11.EndOfMessage()) or b"")
    await writer.drain()


async def listen(host: str, port: int, handler: Handler, **options: Any) -> asyncio.Server:
    """A TCP (with `ssl=` TLS) server; port 0 picks a free one."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer, handler)

    return await asyncio.start_server(connected, host, port, **options)


def port_of(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])
