"""Server-sent events: Redis wakes, the database tells. The only asynchronous code besides the server itself.

A route authorises the caller, then returns `stream(request, channel, read_since, cursor)`. `read_since` opens its own
short transaction, re-checks that the caller may still look, and returns rows behind the cursor, oldest first, bounded
by its own LIMIT. A client that reads slowly is never queued for: it holds one flag, and the next read continues where
its last event ended. The connection ends after `ROTATE` seconds; the browser returns with Last-Event-ID and is
authorised anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import math
import signal
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol

import anyio
import anyio.to_thread
from fastapi import Request
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from autorke.core.errors import AutoRkeError, Unavailable
from autorke.core.events import PREFIX
from autorke.core.hints import CHANNEL
from autorke.core.settings import get_settings
from autorke.web import problems, translate
from autorke.web.errors import TooManyStreams
from autorke.web.hearing import Hearing, Memory, Sees

log = logging.getLogger(__name__)

HEARTBEAT = 15.0
ROTATE = 15 * 60.0
POLL_WITHOUT_BROKER = 1.0
MAX_STREAMS = 1000
READ_THREADS = 4
READINGS_KEPT = 32

Event = tuple[str, str, Any]
"""(id to resume behind, event name, JSON-ready data or a Block)."""
ReadSince = Callable[[str | None], Sequence[Event]]


class EventStream(StreamingResponse):
    """Name it as `response_class` of a stream route. FastAPI's own class is for routes that are generators: those are
    entered only when the status has been sent, too late for a 403."""

    media_type = "text/event-stream"


class Check(Protocol):
    """Looks again, now and then, whether somebody may still listen."""

    @property
    def due(self) -> bool: ...

    def check(self) -> None:
        """Raises what ends the stream."""
        ...


class Block(bytes):
    """Events that are encoded already, ids included: as the data of an event it goes out as it is."""


class Ear:
    """One open stream: a flag that can be set twice at no cost, and whether its own channel was meant."""

    def __init__(self) -> None:
        self.flag = asyncio.Event()
        self.own = True

    def wake(self, *, own: bool) -> None:
        self.own = self.own or own
        self.flag.set()


class Shared:
    """Readings under way and just done, by what was asked: many streams that want the same wait for one thread."""

    def __init__(self) -> None:
        self._tasks: OrderedDict[Hashable, asyncio.Task[Sequence[Event]]] = OrderedDict()

    async def get(self, key: Hashable, read: Callable[[], Coroutine[Any, Any, Sequence[Event]]]) -> Sequence[Event]:
        """The rows of `key`; a stream that ends meanwhile does not take the reading from the others."""
        task = self._tasks.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._tasks[key] = asyncio.create_task(read())
            while len(self._tasks) > READINGS_KEPT:
                self._tasks.popitem(last=False)
        return await asyncio.shield(task)


@dataclass(frozen=True)
class Source:
    """Where a stream's rows come from. Streams with equal `shared` get the same rows behind the same cursor."""

    channel: str
    read: ReadSince
    check: Check | None = None
    shared: Hashable | None = None

    async def rows(self, wakeups: Wakeups, cursor: str | None) -> Sequence[Event]:
        """The next rows, read in a thread."""
        if self.check is not None and self.check.due:
            await anyio.to_thread.run_sync(self.check.check, limiter=wakeups.readers)
        if self.shared is None:
            return await self._read(wakeups, cursor)
        key = (self.channel, self.shared, cursor, wakeups.age(self.channel))
        return await wakeups.shared.get(key, lambda: self._read(wakeups, cursor))

    async def _read(self, wakeups: Wakeups, cursor: str | None) -> Sequence[Event]:
        return await anyio.to_thread.run_sync(self.read, cursor, limiter=wakeups.readers)


class Wakeups:
    """One Redis subscription per process, fanned out in memory.

    While the broker is away `connected` is false and streams poll; nothing is lost, it only takes up to a second.
    """

    def __init__(self) -> None:
        self.connected = False
        self.stopping = asyncio.Event()
        self.count = 0
        self.memory = Memory()
        self.shared = Shared()
        self._ears: dict[str, set[Ear]] = defaultdict(set)
        self._ages: dict[str, int] = {}
        self._age = itertools.count(1)
        self._task: asyncio.Task[None] | None = None
        self.readers = anyio.CapacityLimiter(READ_THREADS)

    def start(self) -> None:
        """Begin to listen, when a broker is configured. Call within the event loop."""
        if threading.current_thread() is threading.main_thread():
            self._end_on_signal(asyncio.get_running_loop())
        if get_settings().redis_url is not None:
            self._task = asyncio.create_task(self._listen(), name="wakeups")

    def _end_on_signal(self, loop: asyncio.AbstractEventLoop) -> None:
        """The server waits for open connections before it tells the application to stop, so a stream would hold it up
        for its whole grace time: end the streams when the signal comes, then let the server's own handler act."""
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            if callable(before):

                def handle(received: int, frame: FrameType | None, before: Any = before) -> None:
                    loop.call_soon_threadsafe(self.end_streams)
                    before(received, frame)

                signal.signal(number, handle)

    def end_streams(self) -> None:
        """Every stream ends before its next read; clients come back and resume elsewhere."""
        self.stopping.set()
        self._wake_all()

    async def stop(self) -> None:
        """End all streams and the subscription."""
        self.end_streams()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @contextlib.contextmanager
    def listen(self, channel: str, *, hints: bool = False) -> Iterator[Ear]:
        """An ear that is woken at each wake-up of the channel, and at hints for pages if it wants them."""
        ear = Ear()
        channels = [channel, CHANNEL] if hints else [channel]
        self.count += 1
        for name in channels:
            self._ears[name].add(ear)
            self._ages.setdefault(name, next(self._age))
        try:
            yield ear
        finally:
            self.count -= 1
            for name in channels:
                self._ears[name].discard(ear)
                if not self._ears[name]:
                    del self._ears[name], self._ages[name]

    def age(self, channel: str) -> tuple[int, int]:
        """Equal at two moments: nobody has said in between that the channel's rows changed, so what was read at the
        first one may be used at the second. Wake-ups follow a commit; in case one is lost, it changes with time too."""
        moment = int(time.monotonic() / (HEARTBEAT if self.connected else POLL_WITHOUT_BROKER))
        return self._ages.get(channel, next(self._age)), moment

    def _wake_all(self) -> None:
        for channel, ears in list(self._ears.items()):
            self._ages[channel] = next(self._age)
            for ear in ears:
                ear.wake(own=True)

    async def _listen(self) -> None:
        url = get_settings().redis_url
        assert url is not None  # noqa: S101  start() checked
        pause = 0.5
        while True:
            broker = Redis.from_url(url.get_secret_value(), socket_connect_timeout=2, health_check_interval=15)
            try:
                async with broker, broker.pubsub() as subscription:
                    await subscription.psubscribe(PREFIX + "*")
                    self.connected, pause = True, 0.5
                    self.memory.lost()  # whatever was published while we were away
                    self._wake_all()
                    await self._forward(subscription)
            except (RedisError, OSError) as error:
                if self.connected:
                    log.warning("wake-ups lost, polling", extra={"error": type(error).__name__})
            finally:
                self.connected = False
            self.memory.lost()
            self._wake_all()  # sleepers must notice that they have to poll now
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10)

    async def _forward(self, subscription: Any) -> None:
        while True:
            message = await subscription.get_message(timeout=HEARTBEAT)
            if message is None:
                await subscription.ping()
                continue
            if message["type"] != "pmessage":  # the answer to subscribe or ping
                continue
            channel = message["channel"].decode(errors="replace").removeprefix(PREFIX)
            if channel in self._ages:
                self._ages[channel] = next(self._age)
            if channel == CHANNEL:
                self.memory.take(message["data"])
            for ear in self._ears.get(channel, ()):
                ear.wake(own=channel != CHANNEL)


def encode(event: Event) -> bytes:
    """An event as it goes over the wire."""
    key, name, data = event
    if isinstance(data, Block):
        return data
    return format_sse_event(data_str=json.dumps(data, ensure_ascii=False, default=str), event=name, id=key)


async def _events(
    wakeups: Wakeups, ear: Ear, source: Source, cursor: str | None, hearing: Hearing | None, resumes: bool
) -> AsyncIterator[bytes]:
    ends = time.monotonic() + ROTATE
    spoken = read = -math.inf  # whatever the clock says: the first sign of life comes at once
    while not wakeups.stopping.is_set() and time.monotonic() < ends:
        pause = HEARTBEAT if wakeups.connected else POLL_WITHOUT_BROKER
        ear.flag.clear()  # before the read: a wake-up during it causes one more read, never a lost row
        parts: list[bytes] = []
        if ear.own or time.monotonic() - read >= pause:
            ear.own = False
            rows = await source.rows(wakeups, cursor)
            read = time.monotonic()
            ear.own = ear.own or bool(rows)  # there may be more than one read gives
            cursor = rows[-1][0] if rows else cursor
            parts += map(encode, rows)
        for hint in hearing.told() if hearing else ():
            key = hearing.cursor if hearing and resumes else None
            parts.append(format_sse_event(data_str=json.dumps(hint), event="hint", id=key))
        for part in parts:
            spoken = time.monotonic()
            yield part
        if ear.own:
            continue
        if time.monotonic() - spoken >= HEARTBEAT:
            spoken = time.monotonic()
            yield b": alive\n\n"
        soon = hearing.wait() if hearing else None
        left = min(pause, ends - time.monotonic(), pause if soon is None else soon)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ear.flag.wait(), max(left, 0.01))


async def _guarded(
    request: Request, source: Source, cursor: str | None, hearing: Hearing | None, resumes: bool
) -> AsyncIterator[bytes]:
    """A refusal in mid-stream (the role was taken away) is told as an event, because the status is already sent."""
    wakeups: Wakeups = request.app.state.wakeups
    try:
        with wakeups.listen(source.channel, hints=hearing is not None) as ear:
            async for part in _events(wakeups, ear, source, cursor, hearing, resumes):
                yield part
    except AutoRkeError as error:
        lang = problems.language(request.headers.get("accept-language", ""))
        told = problems.body(error, instance=request.state.request_id, lang=lang)
        yield format_sse_event(data_str=json.dumps(told, ensure_ascii=False), event="problem")
    except SQLAlchemyError as error:  # no refusal: the stream ends, its client comes back and is told 503 or goes on
        known = translate.database(error)
        if known.status >= 500 and not isinstance(known, Unavailable):
            raise
        log.warning("a stream ends: the database does not answer", extra={"code": known.code})


def stream(
    request: Request,
    channel: str,
    read_since: ReadSince,
    cursor: str | None,
    *,
    check: Check | None = None,
    shared: Hashable | None = None,
    sees: Sees | None = None,
) -> EventStream:
    """Events of `channel` behind `cursor` (Last-Event-ID wins over it). Return it from an `async def` route.

    Each event goes out as `id`, `event`, `data`; a comment every 15 s keeps proxies from closing the connection. With
    `shared`, `read_since` is asked once for all streams of the channel that are equal in it and at the same cursor;
    then `check` says whether this one's caller may still look. With `sees` the page also gets its hints, as events
    `hint` without an id. Raises TooManyStreams.
    """
    memory, last = _wakeups(request).memory, request.headers.get("last-event-id")
    hearing = Hearing(memory, sees, again=last is not None) if sees else None
    source = Source(channel, read_since, check, shared)
    return _answer(_guarded(request, source, last or cursor, hearing, False))


def hints(request: Request, check: Check, cursor: str | None, *, sees: Sees) -> EventStream:
    """Hints alone, resumed by their ids."""
    last = request.headers.get("last-event-id") or cursor
    hearing = Hearing(_wakeups(request).memory, sees, last)
    source = Source("", lambda _cursor: (), check, shared="nothing")
    return _answer(_guarded(request, source, None, hearing, True))


def _wakeups(request: Request) -> Wakeups:
    """Raises TooManyStreams."""
    wakeups: Wakeups = request.app.state.wakeups
    if wakeups.count >= MAX_STREAMS:
        raise TooManyStreams(limit=MAX_STREAMS)
    return wakeups


def _answer(events: AsyncIterator[bytes]) -> EventStream:
    return EventStream(events, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
