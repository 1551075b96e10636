"""Compressed JSON: a page of machines is a tenth of its size on the wire.

Only whole bodies: a stream must reach its reader as it is written, and files of the console are compressed when built.
"""

from __future__ import annotations

import gzip

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

WORTH_IT = 2048
"""Bytes. Answers with a secret in them (a new token) are far smaller: none is compressed beside foreign text."""
LEVEL = 4


def _takes_gzip(scope: Scope) -> bool:
    parts = Headers(scope=scope).get("accept-encoding", "").lower().replace(" ", "").split(",")
    return "gzip" in {part.split(";q=")[0] for part in parts if not part.endswith((";q=0", ";q=0.0"))}


class CompressJson:
    """ASGI middleware inside everything that reads no bodies."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _takes_gzip(scope):
            await self.app(scope, receive, send)
            return
        start: Message | None = None

        async def send_smaller(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_plain_json(message):
                start = message
                return
            if start is not None:
                held, start = start, None
                await send(held if message.get("more_body") else _smaller(held, message))
            await send(message)

        await self.app(scope, receive, send_smaller)


def _is_plain_json(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    return headers.get("content-type", "").startswith("application/json") and "content-encoding" not in headers


def _smaller(start: Message, body: Message) -> Message:
    """The start that belongs to the body, which is compressed in place where that pays."""
    headers = MutableHeaders(raw=list(start["headers"]))
    headers.add_vary_header("Accept-Encoding")
    if len(body.get("body", b"")) >= WORTH_IT:
        body["body"] = gzip.compress(body["body"], LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(body["body"]))
    return {**start, "headers": headers.raw}
