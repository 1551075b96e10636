"""Work that is told as it goes on: it ends with its client, a refusal is told, and it leaves nothing running."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from autorke.core.errors import Conflict
from autorke.web import jobs, sse


def _request() -> Request:
    app = Starlette()
    app.state.wakeups = sse.Wakeups()
    scope = {"type": "http", "app": app, "headers": [], "method": "POST", "path": "/", "state": {"request_id": "r"}}
    return Request(scope)


class Notes:
    """What a job does and whether it was told to stop."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.stopped = threading.Event()
        self.hold = threading.Event()

    def patient(self, tell: jobs.Tell, stop: threading.Event) -> None:
        tell("note", {"n": 1})
        if stop.wait(120):
            self.stopped.set()


def _parsed(part: bytes) -> tuple[str, Any]:
    fields = dict(line.split(": ", 1) for line in part.decode().strip().split("\n"))
    return fields["event"], json.loads(fields["data"])


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def test_what_it_tells_comes_in_order_and_the_stream_ends_with_it() -> None:
    notes = Notes()

    def work(tell: jobs.Tell, _stop: threading.Event) -> None:
        for number in range(100):
            tell("note", {"n": number, "text": "行\n2"})

    async def scenario() -> list[tuple[str, Any]]:
        stream = jobs.stream(_request(), work, done=notes.done.set)
        return [_parsed(part) async for part in aiter(stream.body_iterator)]  # type: ignore[arg-type]

    told = asyncio.run(scenario())
    assert told == [("note", {"n": number, "text": "行\n2"}) for number in range(100)]
    assert notes.done.is_set()


@pytest.mark.parametrize(
    ("error", "code"), [(Conflict(reason="x"), "conflict"), (ValueError("secret"), "internal-error")]
)
def test_a_refusal_or_a_bug_is_told_as_a_problem(error: Exception, code: str) -> None:
    notes = Notes()

    def work(tell: jobs.Tell, _stop: threading.Event) -> None:
        tell("note", {})
        raise error

    async def scenario() -> list[tuple[str, Any]]:
        stream = jobs.stream(_request(), work, done=notes.done.set)
        return [_parsed(part) async for part in aiter(stream.body_iterator)]  # type: ignore[arg-type]

    told = asyncio.run(scenario())
    assert [kind for kind, _ in told] == ["note", "problem"]
    assert told[1][1]["code"] == code
    assert "secret" not in str(told)
    assert notes.done.is_set()


async def _serve(stream: jobs.JobStream, *, leaves_after: int, sent: list[bytes]) -> None:
    """Answer a client that hangs up when it has so many parts."""
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and message.get("body"):
            sent.append(message["body"])
            if len(sent) >= leaves_after:
                gone.set()

    scope = {"type": "http", "asgi": {"spec_version": "2.3"}}
    await stream(scope, receive, send)  # type: ignore[arg-type]


def test_a_client_that_goes_away_stops_the_work() -> None:
    notes, sent = Notes(), list[bytes]()

    async def scenario() -> None:
        await _serve(jobs.stream(_request(), notes.patient, done=notes.done.set), leaves_after=1, sent=sent)
        await _until(notes.done.is_set)

    asyncio.run(scenario())
    assert len(sent) == 1
    assert notes.stopped.is_set()


def test_an_answer_that_never_begins_gives_its_turn_back() -> None:
    notes = Notes()

    async def scenario() -> None:
        async def broken(_message: Any) -> None:
            raise OSError("gone")

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(120)
            return {"type": "http.disconnect"}

        stream = jobs.stream(_request(), notes.patient, done=notes.done.set)
        with pytest.raises((OSError, ExceptionGroup)):
            await stream({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, broken)

    asyncio.run(scenario())
    assert notes.done.is_set()
    assert not notes.stopped.is_set(), "it never began"


def test_a_server_that_is_being_stopped_ends_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LOOK_SECONDS", 0.05)
    notes, request = Notes(), _request()

    async def scenario() -> None:
        stream: AsyncIterator[Any] = aiter(jobs.stream(request, notes.patient, done=notes.done.set).body_iterator)
        await anext(stream)
        request.app.state.wakeups.end_streams()
        async with asyncio.timeout(60):
            assert [part async for part in stream] == []
        await _until(notes.stopped.is_set)

    asyncio.run(scenario())


def test_a_silent_job_shows_that_it_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = Notes()

    async def scenario() -> None:
        stream: AsyncIterator[Any] = aiter(jobs.stream(_request(), notes.patient, done=notes.done.set).body_iterator)
        assert _parsed(await anext(stream)) == ("note", {"n": 1})
        monkeypatch.setattr(jobs, "LOOK_SECONDS", 0.05)  # only now: the thread may take its time to begin
        monkeypatch.setattr(sse, "HEARTBEAT", 0.1)
        assert await anext(stream) == b": alive\n\n"
        await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(scenario())
    assert notes.stopped.wait(60)
