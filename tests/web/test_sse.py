"""Event streams: wake-ups through a real broker, resume, rotation, refusals in mid-stream, shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError
from starlette.applications import Starlette
from starlette.requests import Request

from autorke.core import events
from autorke.core.errors import Forbidden
from autorke.core.settings import get_settings
from autorke.web import sse
from autorke.web.errors import TooManyStreams

Rows = list[tuple[str, str, Any]]


class Book:
    """What a slice's table would hold, with the reading function of a route."""

    def __init__(self, *texts: str) -> None:
        self.rows: Rows = [(str(number), "note", {"text": text}) for number, text in enumerate(texts, 1)]
        self.reads = 0
        self.allowed = True

    def add(self, text: str) -> None:
        self.rows.append((str(len(self.rows) + 1), "note", {"text": text}))

    def since(self, cursor: str | None) -> Rows:
        self.reads += 1
        if not self.allowed:
            raise Forbidden(permission="ticket:read")
        return self.rows[int(cursor or 0) :][:2]


def _request(wakeups: sse.Wakeups, **headers: str) -> Request:
    app = Starlette()
    app.state.wakeups = wakeups
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(
        {"type": "http", "app": app, "headers": raw, "method": "GET", "path": "/", "state": {"request_id": "r"}}
    )


def _parse(part: bytes) -> dict[str, str]:
    lines = [line.partition(": ") for line in part.decode().strip().split("\n")]
    return {name or "comment": value for name, _, value in lines}


@contextlib.asynccontextmanager
async def _started() -> AsyncIterator[sse.Wakeups]:
    wakeups = sse.Wakeups()
    wakeups.start()
    try:
        yield wakeups
    finally:
        await wakeups.stop()


def _events(wakeups: sse.Wakeups, book: Book, cursor: str | None = None, **headers: str) -> AsyncIterator[Any]:
    return aiter(sse.stream(_request(wakeups, **headers), "book", book.since, cursor).body_iterator)


async def _until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def never_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a wake-up brings anything, and no border between two heartbeats falls into the test."""
    monkeypatch.setattr(sse, "HEARTBEAT", 1e6)
    monkeypatch.setattr(sse, "POLL_WITHOUT_BROKER", 1e6)


def test_everything_behind_the_cursor_comes_in_order_with_ids() -> None:
    async def scenario() -> None:
        async with _started() as wakeups:
            stream = _events(wakeups, Book("a", "b", "c"), cursor="1")
            first, second = _parse(await anext(stream)), _parse(await anext(stream))
            assert (first["id"], first["event"], json.loads(first["data"])) == ("2", "note", {"text": "b"})
            assert second["id"] == "3"

    asyncio.run(scenario())


def test_last_event_id_wins_over_the_cursor() -> None:
    async def scenario() -> None:
        async with _started() as wakeups:
            stream = _events(wakeups, Book("a", "b", "c"), cursor="0", last_event_id="2")
            assert _parse(await anext(stream))["id"] == "3"

    asyncio.run(scenario())


def test_a_wake_up_through_the_broker_brings_the_row_at_once(configured_redis: str, never_polls: None) -> None:
    async def scenario() -> None:
        async with _started() as wakeups:
            await _until(lambda: wakeups.connected)
            book = Book()
            stream = _events(wakeups, book)
            assert _parse(await anext(stream)) == {"comment": "alive"}
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.2)
            reads = book.reads
            book.add("a")
            await asyncio.to_thread(events.publish, "other", "x")
            await asyncio.sleep(0.1)
            assert book.reads == reads, "a wake-up of another channel is not ours"
            await asyncio.to_thread(events.publish, "book", "x")
            async with asyncio.timeout(60):
                assert _parse(await waiting)["id"] == "1"

    asyncio.run(scenario())


def _subscribers() -> set[str]:
    clients: Any = events.client().client_list(_type="pubsub")  # type: ignore[union-attr]
    return {one["id"] for one in clients}


def test_many_streams_share_one_subscription(configured_redis: str, never_polls: None) -> None:
    async def scenario() -> None:
        async with _started() as wakeups:
            await _until(lambda: wakeups.connected)
            book = Book()
            streams = [_events(wakeups, book) for _ in range(20)]
            for stream in streams:
                await anext(stream)
            waiting = [asyncio.ensure_future(anext(stream)) for stream in streams]
            await asyncio.sleep(0.2)
            await _until(lambda: len(_subscribers()) == 1)  # that of the test before may just be closing
            book.add("a")
            await asyncio.to_thread(events.publish, "book", "x")
            assert {_parse(part)["id"] for part in await asyncio.gather(*waiting)} == {"1"}

    asyncio.run(scenario())


def test_without_a_broker_rows_come_by_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTORKE_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(sse, "POLL_WITHOUT_BROKER", 0.05)
    get_settings.cache_clear()

    async def scenario() -> None:
        async with _started() as wakeups:
            book = Book()
            stream = _events(wakeups, book)
            await anext(stream)
            asyncio.get_running_loop().call_later(0.1, book.add, "a")
            async with asyncio.timeout(60):
                assert _parse(await anext(stream))["id"] == "1"
            assert not wakeups.connected

    asyncio.run(scenario())
    get_settings.cache_clear()


def test_a_broker_that_comes_back_is_used_again(configured_redis: str) -> None:
    async def scenario() -> None:
        async with _started() as wakeups:
            await _until(lambda: wakeups.connected)
            known = wakeups.memory.since
            await asyncio.to_thread(lambda: events.client().client_kill_filter(_type="pubsub"))  # type: ignore[union-attr]
            await _until(lambda: wakeups.connected and wakeups.memory.since > known)

    asyncio.run(scenario())


def test_a_quiet_stream_sends_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT", 0.05)
    monkeypatch.setattr(sse, "POLL_WITHOUT_BROKER", 0.02)

    async def scenario() -> None:
        async with _started() as wakeups:
            stream = _events(wakeups, Book())
            assert [await anext(stream) for _ in range(3)] == [b": alive\n\n"] * 3

    asyncio.run(scenario())


def test_the_connection_is_rotated_so_that_the_caller_is_authorised_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "ROTATE", 0.2)
    monkeypatch.setattr(sse, "POLL_WITHOUT_BROKER", 0.02)

    async def scenario() -> None:
        async with _started() as wakeups, asyncio.timeout(60):
            assert [part async for part in _events(wakeups, Book())] == [b": alive\n\n"]
            assert wakeups.count == 0

    asyncio.run(scenario())


def test_a_caller_who_loses_the_right_is_told_and_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "POLL_WITHOUT_BROKER", 0.02)

    async def scenario() -> None:
        async with _started() as wakeups:
            book = Book("a")
            stream = _events(wakeups, book)
            await anext(stream)
            book.allowed = False
            told = _parse(await anext(stream))
            while "comment" in told:
                told = _parse(await anext(stream))
            assert told["event"] == "problem"
            assert json.loads(told["data"])["code"] == "forbidden"
            with pytest.raises(StopAsyncIteration):
                await anext(stream)

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", [psycopg.errors.DiskFull, psycopg.errors.AdminShutdown, psycopg.OperationalError])
def test_a_stream_ends_without_a_word_when_the_database_is_away(kind: type[psycopg.Error]) -> None:
    """Its client comes back by itself; a problem in mid-stream would tell him that he may no longer look."""

    async def scenario() -> list[Any]:
        book = Book("a")

        def away(cursor: str | None) -> Rows:
            if cursor is not None:
                raise OperationalError("select", {}, kind("away"))
            return book.since(cursor)

        async with _started() as wakeups:
            stream: AsyncIterator[Any] = aiter(sse.stream(_request(wakeups), "book", away, None).body_iterator)
            return [_parse(part)["event"] async for part in stream]

    assert asyncio.run(scenario()) == ["note"]


def test_a_bug_in_a_reading_is_no_outage() -> None:
    async def scenario() -> None:
        def wrong(_cursor: str | None) -> Rows:
            raise ProgrammingError("select nonsense", {}, psycopg.errors.UndefinedColumn("nonsense"))

        async with _started() as wakeups:
            async for _ in sse.stream(_request(wakeups), "book", wrong, None).body_iterator:
                raise AssertionError("nothing comes")

    with pytest.raises(ProgrammingError):
        asyncio.run(scenario())


def test_shutdown_ends_open_streams_at_once(never_polls: None) -> None:
    async def scenario() -> None:
        wakeups = sse.Wakeups()
        wakeups.start()
        stream = _events(wakeups, Book())
        await anext(stream)
        waiting = asyncio.ensure_future(anext(stream, None))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(60):
            await wakeups.stop()
            assert await waiting is None

    asyncio.run(scenario())


def test_streams_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_STREAMS", 1)

    async def scenario() -> None:
        async with _started() as wakeups:
            open_one = _events(wakeups, Book("a"))
            await anext(open_one)
            with pytest.raises(TooManyStreams):
                sse.stream(_request(wakeups), "book", Book().since, None)

    asyncio.run(scenario())


def test_streams_that_want_the_same_are_read_for_once(configured_redis: str, never_polls: None) -> None:
    async def scenario() -> None:
        async with _started() as wakeups:
            await _until(lambda: wakeups.connected)
            book = Book("a")
            open_ones = [
                aiter(sse.stream(_request(wakeups), "book", book.since, None, shared="all of it").body_iterator)
                for _ in range(50)
            ]
            assert {_parse(await anext(stream))["id"] for stream in open_ones} == {"1"}
            waiting = [asyncio.ensure_future(anext(stream)) for stream in open_ones]
            await _until(lambda: book.reads >= 2)
            await asyncio.sleep(0.3)
            assert book.reads == 2, "the row, and that there is no other"
            book.add("b")
            await asyncio.to_thread(events.publish, "book", "x")
            assert {_parse(part)["id"] for part in await asyncio.gather(*waiting)} == {"2"}
            assert book.reads <= 5
            other = aiter(sse.stream(_request(wakeups), "book", book.since, "1", shared="a part").body_iterator)
            reads = book.reads
            await anext(other)
            assert book.reads == reads + 1

    asyncio.run(scenario())


def test_a_reading_outlives_the_stream_that_began_it_and_a_failed_one_is_tried_again() -> None:
    async def scenario() -> None:
        shared, hold, reads = sse.Shared(), asyncio.Event(), list[int]()

        async def read() -> Rows:
            reads.append(1)
            await hold.wait()
            if len(reads) == 1:
                raise Forbidden(permission="x")
            return [("1", "note", {})]

        first, second = (asyncio.ensure_future(shared.get("key", read)) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        hold.set()
        with pytest.raises(Forbidden):
            await second
        assert await shared.get("key", read) == [("1", "note", {})]
        for number in range(100):
            await shared.get(number, read)
        assert len(shared._tasks) == sse.READINGS_KEPT

    asyncio.run(scenario())


def test_a_slow_client_is_not_queued_for() -> None:
    """Only two rows are read ahead, however many there are: the rest stays in the database."""

    async def scenario() -> None:
        async with _started() as wakeups:
            book = Book(*"abcdefgh")
            stream = _events(wakeups, book)
            await anext(stream)
            await asyncio.sleep(0.1)
            assert book.reads == 1

    asyncio.run(scenario())
