"""Request bodies: bounded in size, time and depth, and free of characters that PostgreSQL cannot store."""

from __future__ import annotations

import asyncio
import json
import re
from itertools import accumulate
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autorke.core.errors import AutoRkeError, PayloadTooLarge
from autorke.web import problems
from autorke.web.errors import ForbiddenCharacter, RequestTimeout, TooDeep

ARRIVAL_SECONDS = 60
MOST_LEVELS = 64
"""Of JSON inside JSON; the deepest form of ours has twelve."""
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)  # also one without end, or each quote tries anew
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = {ord(sign): step for sign, step in (("[", 1), ("{", 1), ("]", -1), ("}", -1))}
_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")


async def _read(receive: Receive, limit: int) -> bytes:
    """The whole body, whether or not a length was announced. Raises PayloadTooLarge, ClientDisconnect."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise PayloadTooLarge(field="body", limit=limit)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def forbidden_place(value: Any) -> str | None:
    """Dotted path of the first text with NUL or a lone surrogate; walks without recursion, bodies may nest deep."""
    pending: list[tuple[str, Any]] = [("", value)]
    while pending:
        path, item = pending.pop()
        if isinstance(item, str) and _FORBIDDEN.search(item):
            return path or "body"
        if isinstance(item, dict):
            for key, inner in item.items():
                if _FORBIDDEN.search(key):
                    return path or "body"
                pending.append((f"{path}.{key}" if path else key, inner))
        elif isinstance(item, list):
            pending.extend((f"{path}.{index}" if path else str(index), inner) for index, inner in enumerate(item))
    return None


def levels(body: bytes) -> int:
    """How deep a JSON text nests; brackets in strings do not count. Malformed text gives some number."""
    if body.count(b"[") + body.count(b"{") <= MOST_LEVELS:
        return 0  # cannot be too many
    brackets = _STRING.sub(b"", body).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def _check(scope: Scope, body: bytes) -> None:
    """Raises TooDeep, ForbiddenCharacter naming the field. Malformed JSON passes: the route tells its position."""
    if b"%00" in scope.get("query_string", b""):
        raise ForbiddenCharacter(field="query")
    if "\x00" in scope["path"]:
        raise ForbiddenCharacter(field="path")
    if levels(body) > MOST_LEVELS:
        raise TooDeep(field="body", limit=MOST_LEVELS)
    if not _SUSPECT.search(body):
        return
    try:
        place = forbidden_place(json.loads(body))
    except (ValueError, RecursionError):
        return
    if place is not None:
        raise ForbiddenCharacter(field=place)


class BodyGuard:
    """Reads the body before the application runs, so that a refusal can still be a clean answer."""

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(ARRIVAL_SECONDS):
                body = await _read(receive, self.limit)
            _check(scope, body)
        except TimeoutError:
            await problems.response(scope, RequestTimeout(seconds=ARRIVAL_SECONDS))(scope, receive, send)
            return
        except AutoRkeError as error:
            await problems.response(scope, error)(scope, receive, send)
            return
        except ClientDisconnect:
            return
        await self.app(scope, _replay(body, receive), send)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hands the body out once, then whatever the server sends next (the disconnect, for streams)."""
    sent = False

    async def once() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once
