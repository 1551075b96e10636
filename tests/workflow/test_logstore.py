"""P16 / T15: offsets without gaps, the same bytes for every reader, and nothing lost while the database is away."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from autorke.core.db import transaction
from autorke.core.redact import MASK, Secrets
from autorke.workflow import logstore
from autorke.workflow.logstore import CHUNK, LogWriter
from autorke.workflow.models import Attempt, LogChunk, LogStream
from tests.workflow.conftest import Desk


@pytest.fixture
def attempt(desk: Desk) -> tuple[UUID, UUID]:
    """(ticket, attempt) to write logs for."""
    ticket = desk.submit()
    return ticket, desk.ready()[0]


def stored(attempt_id: UUID) -> dict[str | None, LogStream]:
    with transaction() as session:
        query = select(LogStream).where(LogStream.attempt_id == attempt_id)
        return {row.node_id: row for row in session.execute(query).scalars()}


def chunks(stream_id: UUID) -> list[LogChunk]:
    with transaction() as session:
        query = select(LogChunk).where(LogChunk.stream_id == stream_id).order_by(LogChunk.seq)
        return list(session.execute(query).scalars())


def content(stream_id: UUID) -> bytes:
    with transaction() as session:
        return logstore.read(session, stream_id, 0, 10**9)


def is_whole(stream: LogStream) -> bool:
    """Gapless chunks from byte 0, no more than CHUNK each, that add up to the closed stream's length and digest."""
    place = 0
    for number, chunk in enumerate(chunks(stream.id)):
        assert (chunk.seq, chunk.byte_off) == (number, place)
        assert 0 < len(chunk.data) <= CHUNK
        place += len(chunk.data)
    data = content(stream.id)
    return stream.bytes == place == len(data) and stream.sha256 == hashlib.sha256(data).hexdigest()


def test_offsets_are_gapless_and_every_reader_gets_the_same_bytes(attempt: tuple[UUID, UUID]) -> None:
    dice = random.Random(16)
    with LogWriter(*attempt, Secrets()) as writer:
        for number in range(400):
            writer.line(dice.choice([None, "a", "b"]), f"{number} " + "x" * dice.choice([1, 50, 3000]))
            if dice.random() < 0.1:
                writer.flush()
    streams = stored(attempt[1])
    assert set(streams) == {None, "a", "b"}
    for stream in streams.values():
        assert stream.closed_at is not None
        assert is_whole(stream)
        whole = content(stream.id)
        for _ in range(30):
            offset, limit = dice.randrange(len(whole)), dice.choice([1, 1000, CHUNK, 10**6])
            with transaction() as session:
                part = logstore.read(session, stream.id, offset, limit)
            assert part
            assert whole[offset:].startswith(part)
            assert len(part) >= min(limit, len(whole) - offset)


def test_a_reader_that_follows_by_offset_ends_with_the_whole_log(attempt: tuple[UUID, UUID]) -> None:
    """What a browser does after each reconnect, while lines keep coming."""
    seen = bytearray()
    with LogWriter(*attempt, Secrets()) as writer:
        for number in range(200):
            writer.line("a", f"line {number}")
            if number % 9 == 0:
                writer.flush()
                with transaction() as session:
                    seen += logstore.read(session, stored(attempt[1])["a"].id, len(seen), 500)
    stream = stored(attempt[1])["a"]
    while len(seen) < stream.bytes:
        with transaction() as session:
            seen += logstore.read(session, stream.id, len(seen), 500)
    assert bytes(seen) == content(stream.id)
    with transaction() as session:  # also from within a chunk, as after a page was closed in the middle of one
        for offset in (1, 7, stream.bytes // 2, stream.bytes - 1):
            assert logstore.read(session, stream.id, offset) == content(stream.id)[offset:]


def test_one_line_larger_than_a_chunk_is_cut_at_the_chunk(attempt: tuple[UUID, UUID]) -> None:
    with LogWriter(*attempt, Secrets()) as writer:
        writer.line("a", "é" * CHUNK * 2)
    stream = stored(attempt[1])["a"]
    assert len(chunks(stream.id)) == 5
    assert is_whole(stream)
    assert content(stream.id).decode().count("é") == CHUNK * 2


def test_hostile_bytes_become_text(attempt: tuple[UUID, UUID]) -> None:
    with LogWriter(*attempt, Secrets()) as writer:
        writer.line("a", "nul\0 surrogate\ud800 中文 \x1b[31m\nsecond\r\nthird\n")
    text = content(stored(attempt[1])["a"].id).decode()
    assert len(text.splitlines()) == 3
    assert "nul� surrogate? 中文" in text


def test_secrets_are_masked_before_they_are_stored(attempt: tuple[UUID, UUID]) -> None:
    secrets = Secrets()
    secrets.add("hunter2-hunter2")
    with LogWriter(*attempt, secrets) as writer:
        writer.line("a", "password hunter2-hunter2 end")
        writer.line("a", "cut hunter2-")
        writer.line("a", "hunter2 is no secret")
    text = content(stored(attempt[1])["a"].id).decode()
    assert "hunter2-hunter2" not in text
    assert f"password {MASK} end" in text
    assert "hunter2 is no secret" in text


def test_many_threads_write_whole_lines(attempt: tuple[UUID, UUID]) -> None:
    with LogWriter(*attempt, Secrets()) as writer:

        def talk(name: str) -> None:
            for number in range(100):
                writer.line("a", f"{name}-{number}.")

        threads = [threading.Thread(target=talk, args=(f"t{i}",)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = content(stored(attempt[1])["a"].id).decode().splitlines()
    assert sorted(line.split()[1] for line in lines) == sorted(f"t{i}-{n}." for i in range(8) for n in range(100))


@contextmanager
def outage(monkeypatch: pytest.MonkeyPatch, *, after_commit: bool, times: int) -> Iterator[list[int]]:
    """Every transaction of the log store fails `times` times, before or after it was committed."""
    failures = [times]

    @contextmanager
    def broken() -> Iterator[Session]:
        with transaction() as session:
            yield session
            if failures[0] > 0 and not after_commit:
                failures[0] -= 1
                raise OperationalError("away", None, Exception())
        if failures[0] > 0:
            failures[0] -= 1
            raise OperationalError("the answer to COMMIT is lost", None, Exception())

    with monkeypatch.context() as patch:
        patch.setattr(logstore, "transaction", broken)
        yield failures


@pytest.mark.parametrize("after_commit", [False, True], ids=["before the commit", "answer to the commit lost"])
def test_an_outage_delays_lines_and_neither_loses_nor_doubles_one(
    attempt: tuple[UUID, UUID], monkeypatch: pytest.MonkeyPatch, after_commit: bool
) -> None:
    with LogWriter(*attempt, Secrets()) as writer:
        writer.line("a", "first")
        writer.flush()
        with outage(monkeypatch, after_commit=after_commit, times=6) as failures:
            for number in range(6):
                writer.line("a", f"during {number}")
                writer.line("b", f"during {number}")
                writer.flush()
            while failures[0] > 0:
                writer.flush()
        writer.line("a", "last")
    for node, expected in (("a", 8), ("b", 6)):
        stream = stored(attempt[1])[node]
        assert is_whole(stream)
        assert len(content(stream.id).splitlines()) == expected


def test_the_last_lines_wait_for_a_database_that_is_away(
    attempt: tuple[UUID, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LogWriter(*attempt, Secrets())
    writer.line("a", "the result")
    writer._thread.start()
    with outage(monkeypatch, after_commit=False, times=3):
        writer.__exit__()
    stream = stored(attempt[1])["a"]
    assert is_whole(stream)
    assert b"the result" in content(stream.id)


def test_a_runner_logs_each_node_apart(desk: Desk) -> None:
    ticket = desk.submit()
    desk.until(ticket, "change", "WAIT_POST_GATE")
    with transaction() as session:
        found = {
            (key, row.node_id)
            for row, key, _, purpose in logstore.streams_of(session, ticket)
            if purpose == "RUN" and row.closed_at
        }
        assert session.get(Attempt, desk.attempts(ticket, "change")[0].id) is not None
    assert {("change", "a"), ("change", "b"), ("change", "c"), ("configure", None)} <= found
