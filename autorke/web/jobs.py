"""Work for one caller that is told as it goes on: a thread works, the answer is its event stream, and it ends with it.

Unlike the streams of `sse` it cannot be resumed: nothing of it is kept. A client that goes away stops the work.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import Request
from fastapi.sse import format_sse_event
from starlette.types import Receive, Scope, Send

from autorke.core.errors import AutoRkeError
from autorke.web import problems, sse

log = logging.getLogger(__name__)

Tell = Callable[[str, dict[str, Any]], None]
"""(event name, JSON-ready data); callable from any thread."""
Work = Callable[[Tell, threading.Event], None]
LOOK_SECONDS = 1.0
"""How soon a server that is being stopped is noticed."""


class JobStream(sse.EventStream):
    """Stops the job when the answer is over, whatever ended it."""

    def __init__(self, job: _Job) -> None:
        super().__init__(job.events(), headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._job.end()


def stream(request: Request, work: Work, *, done: Callable[[], None]) -> JobStream:
    """Start `work(tell, stop)` and stream what it tells; `done` is called once, when it has ended. A refusal or a bug
    in mid-work is told as event `problem`, because the status is already sent."""
    return JobStream(_Job(request, work, done))


class _Job:
    def __init__(self, request: Request, work: Work, done: Callable[[], None]) -> None:
        self._request = request
        self._work = work
        self._done = done
        self._stop = threading.Event()
        self._told: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._begun = False

    def end(self) -> None:
        self._stop.set()
        if not self._begun:
            self._begun = True
            self._done()

    async def events(self) -> AsyncIterator[bytes]:
        stopping: asyncio.Event = self._request.app.state.wakeups.stopping
        self._begun = True
        context, loop = contextvars.copy_context(), asyncio.get_running_loop()
        threading.Thread(target=context.run, args=(self._run, loop), name="job", daemon=True).start()
        silent = 0.0
        try:
            while not stopping.is_set():
                try:
                    part = await asyncio.wait_for(self._told.get(), LOOK_SECONDS)
                except TimeoutError:
                    silent += LOOK_SECONDS
                    if silent >= sse.HEARTBEAT:
                        silent = 0.0
                        yield b": alive\n\n"
                    continue
                if part is None:
                    return
                silent = 0.0
                yield part
        finally:
            self._stop.set()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        def put(part: bytes | None) -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(self._told.put_nowait, part)

        try:
            _guarded(self._request, self._work, put, self._stop)
        finally:
            self._done()
            put(None)


def _guarded(request: Request, work: Work, put: Callable[[bytes | None], None], stop: threading.Event) -> None:
    def tell(event: str, data: dict[str, Any]) -> None:
        put(format_sse_event(data_str=json.dumps(data, ensure_ascii=False, default=str), event=event))

    try:
        work(tell, stop)
    except Exception as error:
        if not isinstance(error, AutoRkeError):
            log.exception("a job broke")
        known = error if isinstance(error, AutoRkeError) else AutoRkeError()
        lang = problems.language(request.headers.get("accept-language", ""))
        tell("problem", problems.body(known, instance=request.state.request_id, lang=lang))
