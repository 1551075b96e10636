"""Logs by line: the index, pages, search and the merged view say exactly what reading everything would say."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select

from autorke.core.db import transaction
from autorke.core.redact import MASK, Secrets
from autorke.workflow import loglevel, logmerge, logread, logstore
from autorke.workflow.logmerge import Place
from autorke.workflow.logread import LONGEST_LINE, Query
from autorke.workflow.logstore import CHUNK, LogWriter
from autorke.workflow.models import Attempt, LogChunk, LogStream, StepRow
from tests.workflow.conftest import Desk

Where = tuple[UUID, UUID]
MANY = 400


@pytest.fixture
def attempt(desk: Desk) -> Where:
    """(ticket, attempt) to write logs for."""
    ticket = desk.submit()
    return ticket, desk.ready()[0]


def stream_of(attempt_id: UUID, node: str | None = "a") -> LogStream:
    with transaction() as session:
        query = select(LogStream).where(
            LogStream.attempt_id == attempt_id, LogStream.node_id.is_not_distinct_from(node)
        )
        return session.execute(query).scalar_one()


def whole(stream: LogStream) -> list[bytes]:
    """Every line, by reading all bytes."""
    with transaction() as session:
        data = logstore.read(session, stream.id, 0, 10**9)
    lines = data.split(b"\n")
    return lines if lines[-1] and stream.closed_at else lines[:-1]


WORDS = ["ok: task", "changed: x", "error: disk", "Warning: swap", "", "中文 ERROR 行", "kubelet", "é" * 40, "x" * 5000]


def write_much(where: Where, *, seed: int, lines: int = MANY, longest: int = 3) -> None:
    dice = random.Random(seed)
    with LogWriter(*where, Secrets()) as writer:
        for number in range(lines):
            text = f"{dice.choice(WORDS)} {number}"
            if dice.random() < 0.01:
                text += "y" * CHUNK * dice.randint(1, longest)
            writer.line("a", text)
            if dice.random() < 0.05:
                writer.flush()


def cut_anywhere(stream: LogStream, seed: int) -> None:
    """Store the same bytes in chunks that end anywhere, as older versions did, with the index that belongs to them."""
    dice = random.Random(seed)
    with transaction() as session:
        data = logstore.read(session, stream.id, 0, 10**9)
        like = session.scalars(select(LogChunk).where(LogChunk.stream_id == stream.id, LogChunk.seq == 0)).one()
        session.expunge(like)
        session.execute(delete(LogChunk).where(LogChunk.stream_id == stream.id))
        offset, line, seq = 0, 1, 0
        while offset < len(data):
            piece = data[offset : offset + dice.randint(1, CHUNK)]
            row = {"stream_id": stream.id, "seq": seq, "ticket_id": like.ticket_id, "batch": like.batch + seq}
            row |= {
                "step_id": like.step_id,
                "byte_off": offset,
                "first_line": line,
                "lines": piece.count(b"\n"),
                "data": piece,
            }
            session.add(LogChunk(**row))
            offset, line, seq = offset + len(piece), line + piece.count(b"\n"), seq + 1


def test_the_index_counts_what_is_there(attempt: Where) -> None:
    write_much(attempt, seed=1)
    stream = stream_of(attempt[1])
    lines = whole(stream)
    assert stream.lines == len(lines) == MANY
    errors = [n for n, line in enumerate(lines, 1) if loglevel.level_of(line) == "error"]
    assert stream.first_error_line == errors[0]
    with transaction() as session:
        chunks = session.scalars(select(LogChunk).where(LogChunk.stream_id == stream.id).order_by(LogChunk.seq)).all()
    line = 1
    for chunk in chunks:
        assert (chunk.first_line, chunk.lines) == (line, chunk.data.count(b"\n"))
        line += chunk.lines
        assert chunk.data.endswith(b"\n") or len(chunk.data) == CHUNK, "only a line longer than a chunk is cut"


@pytest.mark.parametrize("seed", [None, 2, 3, 4])
def test_every_page_holds_exactly_the_lines_of_its_numbers(attempt: Where, seed: int | None) -> None:
    write_much(attempt, seed=5)
    stream = stream_of(attempt[1])
    lines = whole(stream)
    if seed is not None:
        cut_anywhere(stream, seed)
    dice = random.Random(6)
    places = [(1, 2000), (MANY, 5), (MANY + 1, 5), *((dice.randint(1, MANY), dice.randint(1, 300)) for _ in range(60))]
    for first, count in places:
        with transaction() as session:
            page = logread.page(session, stream, first, count)
        assert [it.n for it in page] == list(range(first, min(MANY + 1, first + count)))
        for it in page:
            shown = f"{it.at} {it.text}" if it.at else it.text
            full = lines[it.n - 1].decode()
            assert it.level == loglevel.level_of(lines[it.n - 1])
            assert full.startswith(shown.rstrip("�"))
            assert it.cut == (len(lines[it.n - 1]) > LONGEST_LINE)
            assert it.cut or shown == full


def naive(lines: list[bytes], query: Query) -> list[int]:
    found = []
    for n, raw in enumerate(lines, 1):
        seen = raw[:LONGEST_LINE]
        text = seen[loglevel.STAMP_LENGTH :].decode("utf-8", "replace")
        hit = query.text in text if query.exact else query.text.casefold() in text.casefold()
        level = loglevel.level_of(raw)
        fits = query.level == "info" or level == "error" or level == query.level
        if hit and fits:
            found.append(n)
    return found


QUERIES = [
    Query("error"),
    Query("ERROR", exact=True),
    Query("行"),
    Query("É"),
    Query("é", exact=True),
    Query("20"),
    Query("Z"),
    Query(" 89"),
    Query("nothing of that"),
    Query("", "error"),
    Query("", "warning"),
    Query("disk", "error"),
    Query("行", "warning"),
    Query("7", "warning"),
]


def search_all(stream: LogStream, query: Query, limit: int, *, back: bool) -> list[int]:
    """What is found when the search goes on until there is nothing left."""
    seen: list[int] = []
    at: int | None = stream.lines if back else 1
    while at is not None:
        with transaction() as session:
            found = logread.search(session, stream, query, from_line=at, limit=limit, back=back)
        assert len(found.lines) <= limit
        seen += found.lines
        assert found.next_line is None or (found.next_line < at if back else found.next_line > at)
        at = found.next_line
    return seen


@pytest.mark.parametrize("back", [False, True], ids=["forward", "back"])
@pytest.mark.parametrize("seed", [None, 7], ids=["as written", "cut anywhere"])
def test_a_search_finds_what_looking_at_every_line_finds(
    attempt: Where, back: bool, seed: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one call and in many, whatever the bounds of a call are; read by itself and by others ahead of it."""
    monkeypatch.setattr(logread, "WINDOW", 70)
    monkeypatch.setattr(logread, "AHEAD", 5)
    monkeypatch.setattr(logread, "LONG", 0 if seed else logread.LONG)
    write_much(attempt, seed=8)
    stream = stream_of(attempt[1])
    lines = whole(stream)
    if seed is not None:
        cut_anywhere(stream, seed)
    for query in QUERIES:
        expected = naive(lines, query)
        for limit, budget in ((10_000, 10**9), (7, 10**9), (10_000, 1)):
            monkeypatch.setattr(logread, "SEARCH_BYTES", budget)
            seen = search_all(stream, query, limit, back=back)
            assert seen == (expected[::-1] if back else expected), query


def test_a_search_ends_when_its_time_is_over_and_says_where_to_go_on(
    attempt: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_much(attempt, seed=9)
    stream = stream_of(attempt[1])
    monkeypatch.setattr(logread, "SEARCH_SECONDS", 0.0)
    with transaction() as session:
        found = logread.search(session, stream, Query("nothing of that"), from_line=1, limit=10, back=False)
    assert found.next_line is not None
    assert 1 < found.next_line < MANY


def test_a_line_that_is_being_written_is_nobodys_line(attempt: Where) -> None:
    """What may be the beginning of a secret is held back, and with it its line: none is shown by half."""
    secrets = Secrets()
    secrets.add("hunter2-hunter2")
    with LogWriter(*attempt, secrets) as writer:
        writer.line("a", "first")
        writer.line("a", "password hunter2-")
        writer.flush()
        secrets.add("hunter2-\nsecret")
        stream = stream_of(attempt[1])
        with transaction() as session:
            page = logread.page(session, stream, 1, 10)
            data = logstore.read(session, stream.id, 0)
        assert len(page) == stream.lines == data.count(b"\n")
        assert data.endswith(b"\n")
    assert stream_of(attempt[1]).lines == 2


def test_a_last_line_without_an_end_counts_when_the_log_is_closed(attempt: Where) -> None:
    """A key block that never ends is masked up to the end, its line end included."""
    with LogWriter(*attempt, Secrets()) as writer:
        writer.line("a", "first")
        writer.line("a", "-----BEGIN RSA PRIVATE KEY-----")
    stream = stream_of(attempt[1])
    assert stream.lines == 2
    with transaction() as session:
        page = logread.page(session, stream, 1, 10)
        merged = logmerge.page(session, session.get_one(StepRow, step_of(attempt)), None, back=False)
    assert [it.text for it in page] == ["first", MASK]
    assert [it.line.text for it in merged.lines] == ["first", MASK]


def test_an_error_in_a_giant_line_and_behind_one_is_found_in_the_right_line(attempt: Where) -> None:
    with LogWriter(*attempt, Secrets()) as writer:
        writer.line("a", "x" * 700_000)
        writer.flush()
        writer.line("a", "error: here")
        writer.line("a", "level=error behind " + "x" * 300_000)
    stream = stream_of(attempt[1])
    assert (stream.lines, stream.first_error_line) == (3, 2)
    with transaction() as session:
        first, second, third = logread.page(session, stream, 1, 10)
        assert (first.cut, second.cut, third.cut, second.text) == (True, False, True, "error: here")
        assert [it.n for it in logread.page(session, stream, 3, 10)] == [3]


def step_of(where: Where) -> UUID:
    with transaction() as session:
        return session.get_one(Attempt, where[1]).step_id


def all_merged(step_id: UUID, *, back: bool) -> list[tuple[str | None, int, str | None]]:
    """Every line of the step, page by page, as (node, number, time)."""
    seen: list[list[tuple[str | None, int, str | None]]] = []
    at: Place | None = None
    for _ in range(10_000):
        with transaction() as session:
            page = logmerge.page(session, session.get_one(StepRow, step_id), at, back=back)
        seen.append([(it.node_id, it.line.n, it.line.at) for it in page.lines])
        at = page.first if back else page.last
        if not page.more:
            return [line for part in (seen[::-1] if back else seen) for line in part]
    raise AssertionError("it never ends")


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("bounds", [(2000, 10_000, 4000), (7, 30, 4000), (50, 60, 3)], ids=str)
def test_the_merged_log_has_every_line_once_in_the_order_of_time(
    attempt: Where, monkeypatch: pytest.MonkeyPatch, back: bool, bounds: tuple[int, int, int]
) -> None:
    for name, value in zip(("LINES", "MOST_LINES", "MOST_CHUNKS"), bounds, strict=True):
        monkeypatch.setattr(logmerge, name, value)
    dice = random.Random(10)
    with LogWriter(*attempt, Secrets()) as writer:
        for number in range(600):
            writer.line(dice.choice(["a", "b", "c", None]), f"{number} " + "z" * dice.choice([1, 40, 20_000]))
            if dice.random() < 0.1:
                writer.flush()
    merged = all_merged(step_of(attempt), back=back)
    wanted = {(node, n) for node in ("a", "b", "c", None) for n in range(1, stream_of(attempt[1], node).lines + 1)}
    assert {(node, n) for node, n, _ in merged} == wanted
    assert len(merged) == 600
    for node in ("a", "b", "c", None):
        assert [n for it, n, _ in merged if it == node] == sorted(n for it, n in wanted if it == node)
    if bounds[0] == 2000:
        assert [at for *_, at in merged] == sorted(at or "" for *_, at in merged)


def pages_found(step_id: UUID, query: Query, *, back: bool) -> list[list[str]]:
    """The texts of each page that a search stops at, in the order of the log."""
    stops: list[list[str]] = []
    at: Place | None = None
    while True:
        with transaction() as session:
            page = logmerge.find(session, session.get_one(StepRow, step_id), at, query, back=back)
        if page.lines:
            stops.append([it.line.text for it in page.lines])
        at = page.first if back else page.last
        if not page.more:
            return stops[::-1] if back else stops


@pytest.mark.parametrize("seconds", [60.0, 0.0])
@pytest.mark.parametrize("back", [False, True])
def test_a_search_in_the_merged_log_stops_at_each_page_with_a_match(
    attempt: Where, monkeypatch: pytest.MonkeyPatch, back: bool, seconds: float
) -> None:
    """Also when each call may read one page only, and where a line begins in an earlier chunk."""
    monkeypatch.setattr(logmerge, "LINES", 10)
    monkeypatch.setattr(logread, "SEARCH_SECONDS", seconds)
    with LogWriter(*attempt, Secrets()) as writer:
        for number in range(120):
            word = {33: "error: Disk", 35: "disk", 90: "warning: " + "z" * 70_000}.get(number, "quiet")
            writer.line("ab"[number % 2], f"{word} {number}")
            writer.flush()

    def stops(**wanted: Any) -> list[list[str]]:
        query, step_id = Query(**wanted), step_of(attempt)
        found = pages_found(step_id, query, back=back)
        assert all(any(logread.fits(line_of(text), query) for text in page) for page in found)
        return [[text.split()[-1] for text in page if "quiet" not in text] for page in found]

    def line_of(text: str) -> logread.Line:
        return logread.line_of(1, text.encode())

    assert stops(text="DISK") in ([["33", "35"]], [["33"], ["35"]])
    assert stops(text="disk", exact=True)[-1][-1] == "35"
    assert stops(text="disk", level="error")[0][0] == "33"
    assert stops(level="warning")[0][0] == "33"
    assert stops(text="nothing") == []
    assert len(stops(text="2")) > 5
    assert stops(text=":") == stops(level="warning"), "the time of a line is not its text"


def test_old_chunks_that_end_anywhere_merge_as_well(attempt: Where) -> None:
    write_much(attempt, seed=11, lines=300)
    stream = stream_of(attempt[1])
    cut_anywhere(stream, 12)
    merged = all_merged(step_of(attempt), back=False)
    assert [(node, n) for node, n, _ in merged] == [("a", n) for n in range(1, 301)]


def test_of_two_writers_of_a_ticket_the_later_commit_has_the_higher_batch(attempt: Where, desk: Desk) -> None:
    """So that a follower who goes on behind a batch misses nothing."""
    writers = [LogWriter(*attempt, Secrets()), LogWriter(*attempt, Secrets())]
    for round_number in range(10):
        for number, writer in enumerate(writers):
            writer.line(f"n{number}", f"{round_number}")
            writer.flush()
    with transaction() as session:
        rows = session.execute(select(LogChunk.batch).where(LogChunk.ticket_id == attempt[0]).order_by(LogChunk.at))
        batches = list(rows.scalars())
    assert batches == sorted(set(batches))
    assert len(batches) == 20


def test_a_place_that_is_none_is_refused() -> None:
    for text in ("", "1", "1.2.3", "x.y.z", f"{2**70}.{UUID(int=1)}.0", f"-1.{UUID(int=1)}.0"):
        with pytest.raises(logmerge.BadPlace):
            Place.parse(text)
    place = Place(3, UUID(int=7), 9)
    assert Place.parse(str(place)) == place
