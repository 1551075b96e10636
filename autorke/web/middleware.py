"""Outermost layer of every request: its id, one log line, security headers, and the last catch."""

from __future__ import annotations

import logging
import re
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autorke.core.errors import AutoRkeError
from autorke.core.ids import new_id
from autorke.core.logs import context
from autorke.web import problems

log = logging.getLogger(__name__)
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
}


def _request_id(scope: Scope) -> str:
    """The caller's X-Request-Id when it is harmless, else a fresh one: it goes into logs and headers."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SAFE_ID.fullmatch(value.decode("latin-1")):
            return str(value.decode("latin-1"))
    return str(new_id())


def _path(scope: Scope) -> str:
    """The route's template: paths and queries themselves may hold one-time tokens."""
    return getattr(scope.get("route"), "path", "(no route)")


class RequestContext:
    """Pure ASGI, so that streams pass through unbuffered."""

    def __init__(self, app: ASGIApp, *, https: bool = False) -> None:
        self.app = app
        self.headers = dict(SECURITY_HEADERS)
        if https:
            self.headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        token = context.set({"request_id": request_id})
        started, status = time.monotonic(), 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self.app(scope, receive, send_marked)
        except Exception:
            log.exception("unexpected error", extra={"method": scope["method"], "path": _path(scope)})
            if status:
                raise  # half an answer is on the wire: only cutting the connection is honest
            await problems.response(scope, AutoRkeError())(scope, receive, send_marked)
        finally:
            millis = round((time.monotonic() - started) * 1000)
            fields = {"method": scope["method"], "path": _path(scope), "status": status, "ms": millis}
            log.info("request", extra=fields)
            context.reset(token)
