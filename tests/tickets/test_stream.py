"""A ticket's stream: resumed anywhere without a gap or a repetition, shared by viewers, ended with the right."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, update

from autorke.cli.events import StreamEvent, lines, parse
from autorke.core import events
from autorke.core.db import transaction
from autorke.core.redact import Secrets
from autorke.tickets import follow, logtext
from autorke.tickets.follow import Cursor
from autorke.users.models import ApiToken, RoleBinding, UserSession
from autorke.web import hearing, sse
from autorke.workflow.logmerge import Place
from autorke.workflow.logstore import CHUNK, LogWriter
from autorke.workflow.models import Event
from tests.api import V1, Api
from tests.streams import UntilIdle
from tests.tickets.test_logs_api import Desk, desk, stored

__all__ = ["desk"]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that ends by itself, so that a test gets its answer."""
    monkeypatch.setattr(sse, "ROTATE", UntilIdle())


def read(desk: Desk, client: TestClient | None = None, headers: Any = None, **query: Any) -> list[StreamEvent]:
    """Everything that one connection brings."""
    url = f"{V1}/tickets/{desk.id}/stream"
    answer = (client or desk.scene.requester).get(url, params={"hints": False, **query}, headers=headers)
    assert answer.status_code == 200, answer.text
    return list(parse(lines([answer.content])))


def say(desk: Desk, node: str, *texts: str, flush: bool = True) -> None:
    with LogWriter(UUID(desk.id), desk.attempt_id, Secrets()) as writer:
        for text in texts:
            writer.line(node, text)
            if flush:
                writer.flush()


def test_a_client_that_is_cut_anywhere_ends_with_the_same_bytes_and_events(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T15: whichever event was the last one that arrived, what follows goes on behind exactly it."""
    monkeypatch.setattr(logtext, "BLOCK_BYTES", 20_000)
    monkeypatch.setattr(logtext, "BLOCK_CHUNKS", 6)
    for node in ("g1", "g2", "g3"):
        say(
            desk,
            node,
            *(f"{number} " + "x" * random.Random(number).choice([1, 900, CHUNK * 2]) for number in range(12)),
        )
    dice = random.Random(1)
    cursor, seqs = "", list[int]()
    seen: dict[str, bytearray] = {}
    for _ in range(400):
        found = read(desk, after=cursor)
        if not found:
            break
        for event in found[: dice.randint(1, 5)]:
            cursor = event.cursor
            if event.kind == "ticket":
                seqs.append(event.data["seq"])
                continue
            place = seen.setdefault(event.data["stream_id"], bytearray())
            assert event.data["from"] == len(place), "no gap, no repetition"
            place += event.data["text"].encode()
            assert event.data["to"] == len(place)
            assert event.data["text"].endswith("\n"), "whole lines only"
    assert seqs == list(range(1, len(seqs) + 1))
    streams = {it["id"] for it in desk.get("logs").json()}
    assert {key: bytes(data) for key, data in seen.items()} == {key: stored(key) for key in streams}


def test_text_that_was_encoded_once_serves_everybody_at_that_place(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks, made = logtext.Blocks(), list[Any]()
    original = logtext.Blocks._make
    monkeypatch.setattr(logtext.Blocks, "_make", lambda self, *more: made.append(more) or original(self, *more))
    with transaction() as session:
        first = blocks.after(session, UUID(desk.id), None, ("1;", ""))
        assert first is not None
        assert all(blocks.after(session, UUID(desk.id), None, ("1;", "")) is first for _ in range(50))
        assert len(made) == 1
        assert blocks.after(session, UUID(desk.id), first[0], ("1;", "")) is None
    say(desk, "g1", "more")
    with transaction() as session:
        behind = blocks.after(session, UUID(desk.id), first[0], ("1;", ""))
        assert behind is not None
        assert b"more" in behind[1]
        assert blocks.after(session, UUID(desk.id), None, ("1;", "")) is first


def test_blocks_that_are_kept_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logtext, "KEPT_BYTES", 100)
    blocks = logtext.Blocks()
    for number in range(100):
        blocks._keep(number, (Place(number, UUID(int=1), 1), sse.Block(b"x" * 30)))
    assert len(blocks._kept) == 3
    assert blocks._size == 90


def test_a_wake_up_makes_older_readings_too_old(configured_redis: str) -> None:
    """Also the one that was lost: after a while everybody reads again."""

    async def scenario() -> None:
        wakeups = sse.Wakeups()
        wakeups.start()
        try:
            async with asyncio.timeout(60):
                while not wakeups.connected:
                    await asyncio.sleep(0.01)
                with wakeups.listen("ticket:1") as ear:
                    age = wakeups.age("ticket:1")
                    assert wakeups.age("ticket:1")[0] == age[0]
                    ear.flag.clear()
                    await asyncio.to_thread(events.publish, "ticket:1", "x")
                    await ear.flag.wait()
                    assert wakeups.age("ticket:1")[0] != age[0]
        finally:
            await wakeups.stop()

    asyncio.run(scenario())


def test_a_page_that_shows_no_text_is_told_how_long_the_logs_are(desk: Desk) -> None:
    begin = [it for it in read(desk, logs=False, counts=True) if it.kind == "grown"]
    assert [it.data for it in begin] == [{"streams": [], "all": True}], "read the list"
    assert read(desk, logs=False, counts=True, after=begin[-1].cursor) == []
    say(desk, "g1", "one", "error: two", "three")
    grown = [it for it in read(desk, logs=False, counts=True, after=begin[-1].cursor) if it.kind == "grown"]
    (stream,) = grown[-1].data["streams"]
    assert {key: stream[key] for key in ("node_id", "lines", "first_error_line", "step")} == {
        "node_id": "g1", "lines": 3, "first_error_line": 2, "step": "configure",
    }  # fmt: skip


def test_when_too_many_have_grown_the_list_is_read_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "MOST_GROWN", 2)
    begin = read(desk, logs=False, counts=True)[-1]
    with LogWriter(UUID(desk.id), desk.attempt_id, Secrets()) as writer:
        for number in range(3):
            writer.line(f"g{number}", "x")
    grown = [it.data for it in read(desk, logs=False, counts=True, after=begin.cursor) if it.kind == "grown"]
    assert grown[-1] == {"streams": [], "all": True}


def test_hints_come_along_without_an_id_so_that_one_stream_is_enough(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "SKEW", 600.0)
    memory = desk.scene.api.app.state.wakeups.memory
    memory.take(json.dumps([{"topic": "inbox", "scope": None, "ids": []}]).encode())
    found = read(desk, logs=False, hints=True)
    hints = [it for it in found if it.kind == "hint"]
    assert [it.data["topic"] for it in hints] == ["inbox"]
    assert {it.cursor for it in hints} == {""}
    last = next(it for it in reversed(found) if it.kind == "ticket").cursor
    again = read(desk, logs=False, hints=True, headers={"Last-Event-ID": last})
    assert [it.data["topic"] for it in again if it.kind == "hint"] == list(hearing.TOPICS)
    assert [it for it in read(desk, logs=False) if it.kind == "hint"] == []


@pytest.mark.parametrize(
    "cursor", ["x", "1;x", "1;1.2.3", f"1;{2**70}.{UUID(int=1)}.1", "1;;yesterday", "-5", "1" * 499, ";;;"]
)
def test_a_cursor_that_cannot_be_read_means_from_the_beginning(desk: Desk, cursor: str) -> None:
    found = read(desk, after=cursor)
    assert all(it.kind in ("ticket", "log") for it in found)


def test_a_cursor_says_itself() -> None:
    for text in (
        "0;",
        f"7;3.{UUID(int=9)}.4",
        f"7;3.{UUID(int=9)}.4;2026-01-02T03:04:05+00:00",
        "7;;2026-01-02T03:04:05+00:00",
    ):
        assert str(Cursor.parse(text)) == text


@pytest.fixture
def ending(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """What a stream says at its end when the right is taken away in mid-stream."""
    monkeypatch.setattr(sse, "ROTATE", 300.0)
    monkeypatch.setattr(sse, "POLL_WITHOUT_BROKER", 0.01)

    def ends(client: TestClient, path: str, take_away: Callable[[], None]) -> dict[str, Any]:
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(client.get(V1 + path.format(desk.id))))
        thread.start()
        deadline = time.monotonic() + 60
        while desk.scene.api.app.state.wakeups.count == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        take_away()
        thread.join(60)
        assert not thread.is_alive(), "the stream goes on"
        last = list(parse(lines([answers[0].content])))[-1]
        assert last.kind == "problem"
        return last.data

    return ends


@pytest.mark.parametrize("path", ["/tickets/{}/stream?logs=false", "/stream"])
def test_a_stream_ends_with_the_session(desk: Desk, path: str, ending: Callable[..., dict[str, Any]]) -> None:
    desk.scene.api.user("wei", "requester")
    client = desk.scene.api.signed_in("wei")

    def sign_out() -> None:
        with transaction() as session:
            session.execute(delete(UserSession))

    assert ending(client, path, sign_out)["code"] == "unauthenticated"


def test_a_stream_ends_with_the_token(desk: Desk, ending: Callable[..., dict[str, Any]]) -> None:
    def expire() -> None:
        with transaction() as session:
            session.execute(update(ApiToken).values(expires_at=ApiToken.created_at))

    assert ending(desk.scene.requester, "/tickets/{}/stream?logs=false", expire)["code"] == "unauthenticated"


def test_a_stream_ends_when_the_role_is_taken_away(desk: Desk, ending: Callable[..., dict[str, Any]]) -> None:
    def take_away() -> None:
        with transaction() as session:
            session.execute(delete(RoleBinding))

    assert ending(desk.scene.requester, "/tickets/{}/stream?logs=false", take_away)["code"] == "not-found"


def hints_of(client: TestClient, **query: Any) -> list[StreamEvent]:
    answer = client.get(f"{V1}/stream", params=query)
    assert answer.status_code == 200
    return list(parse(lines([answer.content])))


def test_the_stream_of_hints_tells_each_person_of_his_clusters(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "SKEW", 600.0)
    north, south = api.cluster("north"), api.cluster("south")
    memory = api.app.state.wakeups.memory
    told = [{"topic": "tickets", "scope": str(scope), "ids": [name]} for scope, name in ((north, "n"), (south, "s"))]
    memory.take(json.dumps(told).encode())
    seen = {
        name: [it.data["ids"] for it in hints_of(client)]
        for name, client in {
            "north": api.caller("viewer", cluster_id=north),
            "all": api.caller("viewer"),
            "none": api.caller(),
        }.items()
    }
    assert seen == {"north": [["n"]], "all": [["n", "s"]], "none": []}


def test_the_stream_of_hints_resumes_by_its_ids(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "SKEW", 0.0)
    viewer, memory = api.caller("viewer"), api.app.state.wakeups.memory
    assert hints_of(viewer) == []
    assert [it.data["topic"] for it in hints_of(viewer, after="1")] == list(hearing.TOPICS), "before this process began"
    memory.take(json.dumps([{"topic": "engine", "scope": None, "ids": []}]).encode())
    (event,) = hints_of(viewer, after=f"{memory.newest - 0.001:.6f}")
    assert event.data == {"topic": "engine", "ids": [], "all": True}
    assert hints_of(viewer, after=event.cursor) == []


def test_history_is_told_in_order_from_any_event(desk: Desk) -> None:
    with transaction() as session:
        count = session.query(Event).filter(Event.ticket_id == UUID(desk.id)).count()
    for start in range(count + 1):
        seqs = [it.data["seq"] for it in read(desk, logs=False, after=str(start)) if it.kind == "ticket"]
        assert seqs == list(range(start + 1, count + 1))


@pytest.mark.timeout(600)
def test_more_people_may_come_at_once_than_the_database_has_connections(desk: Desk) -> None:
    """After a restart every open page comes back in the same second: none may wait for what another one holds."""
    answers: list[int] = []
    url = f"{V1}/tickets/{desk.id}/stream?logs=false"
    threads = [
        threading.Thread(target=lambda: answers.append(desk.scene.requester.get(url).status_code), daemon=True)
        for _ in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 40
