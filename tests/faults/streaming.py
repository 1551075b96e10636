"""T15: many readers of one ticket's logs while they are written, each cut again and again at random bytes, one of them
silent: what each has put together is what is stored, byte by byte, and the api's memory stays bounded.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select, text

from autorke.cli.events import lines, parse
from autorke.core import events
from autorke.core.db import transaction
from autorke.core.redact import Secrets
from autorke.core.settings import get_settings
from autorke.embedded import throwaway
from autorke.users import sessions
from autorke.users.models import ApiToken, RoleBinding, User
from autorke.workflow import logstore
from autorke.workflow.logstore import LogWriter
from autorke.workflow.models import Attempt, LogStream, StepRow
from tests.faults import place
from tests.ports import free_port

TOKEN = sessions.TOKEN_PREFIX + "t15"
NODES = 8
MOST_GROWTH_MB = 300
"""Of the api's memory while everybody reads."""
PATIENCE = 300.0
WORDS = ("ok: [node] task", "密码 日志", "warning:", "x" * 3000, "é\u2028ü", '{"a": "b\\"c"}')


def run(seed: int, rounds: int) -> dict[str, Any]:
    """`rounds` readers. Raises AssertionError when one of them has other bytes than the database."""
    dice = random.Random(seed)
    with place.desk() as desk, _api() as api:
        ticket = desk.submit(nodes=["a"])
        with transaction() as session:
            steps = select(StepRow.id).where(StepRow.ticket_id == ticket)
            attempt = session.scalars(select(Attempt.id).where(Attempt.step_id.in_(steps))).one()
        _reader_account()
        path = f"/api/v1/tickets/{ticket}/stream?logs=true&hints=false"
        _warm(api, path)
        before = api.memory_mb()
        writer = threading.Thread(target=_write, args=(ticket, attempt, dice.randrange(2**32), max(300, rounds * 5)))
        writer.start()
        readers = [Reader(api, path, random.Random(dice.randrange(2**32))) for _ in range(rounds)]
        found, silent = asyncio.run(_all(readers, api, path, writer, attempt))
        writer.join()
        stored = _stored(attempt)
        for reader in [*readers, silent]:
            assert {key: bytes(data) for key, data in reader.logs.items()} == stored, f"seed {seed}: other bytes"
        grown = api.memory_mb() - before
        assert grown < MOST_GROWTH_MB, f"the api has grown by {grown:.0f} MB"
    return {
        "readers": rounds,
        "cuts": sum(reader.cuts for reader in readers),
        "busy_answers": dict(sum((reader.refused for reader in readers), Counter())),
        "log_bytes": sum(map(len, stored.values())),
        "bytes_read": found,
        "different": 0,
        "api_memory_before_mb": round(before),
        "api_memory_grown_mb": round(grown),
    }


class Api:
    """One api process."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self.process = process

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


@contextmanager
def _api() -> Iterator[Api]:
    """The product's api on the database of this part, with a broker of its own."""
    port = free_port()
    with throwaway.valkey() as redis, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AUTORKE_REDIS_URL", redis)
        get_settings.cache_clear()
        events.forget()
        child = subprocess.Popen([sys.executable, "-m", "bench._log_host", "api", str(port)], stdout=subprocess.DEVNULL)
        try:
            _answers(port)
            yield Api(port, child)
        finally:
            child.terminate()
            try:
                child.wait(60)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(60)
            events.forget()
    get_settings.cache_clear()


def _answers(port: int) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        try:
            httpx.get(f"http://127.0.0.1:{port}/api/v1/health", timeout=2).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise TimeoutError("the api did not answer")


def _reader_account() -> None:
    with transaction() as session:
        user = User(name="t15", display_name="t15")
        session.add(user)
        session.flush()
        session.add(RoleBinding(user_id=user.id, role="viewer", cluster_id=None))
        ends = func.now() + text("interval '1 day'")
        session.add(ApiToken(user_id=user.id, name="t15", token_sha256=sessions.digest(TOKEN), expires_at=ends))


def _warm(api: Api, path: str) -> None:
    """What a first stream loads is not what streams cost."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.stream("GET", f"http://127.0.0.1:{api.port}{path}", headers=headers, timeout=60) as answer:
        next(answer.iter_bytes())


def _write(ticket: UUID, attempt: UUID, seed: int, count: int) -> None:
    """Lines of all sorts for some nodes, in bursts; one is longer than any chunk."""
    dice = random.Random(seed)
    with LogWriter(ticket, attempt, Secrets()) as writer:
        for number in range(count):
            node = None if number % 9 == 0 else f"node-{dice.randrange(NODES)}"
            writer.line(node, f"{number} {' '.join(dice.choices(WORDS, k=dice.randrange(1, 5)))}")
            if number == count // 2:
                writer.line("node-0", "密" * 20_000)
            if dice.random() < 0.1:
                time.sleep(0.02)


def _stored(attempt: UUID) -> dict[str, bytes]:
    with transaction() as session:
        rows = session.execute(select(LogStream.id, LogStream.bytes).where(LogStream.attempt_id == attempt)).all()
        return {str(row.id): _whole(session, row.id, row.bytes) for row in rows}


def _whole(session: Any, stream_id: UUID, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += logstore.read(session, stream_id, len(data))
    return data


class Reader:
    """One page: connects, reads some bytes, is cut, and comes back behind the last event that it had whole."""

    def __init__(self, api: Api, path: str, dice: random.Random) -> None:
        self.api = api
        self.path = path
        self.dice = dice
        self.cursor = ""
        self.logs: dict[str, bytearray] = {}
        self.cuts = 0
        self.refused: Counter[str] = Counter()
        self.read = 0

    def size(self) -> int:
        return sum(map(len, self.logs.values()))

    async def once(self, most: int) -> None:
        """One connection of at most so many bytes; less when nothing comes for a while."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.api.port, limit=2**22)
        data = b""
        try:
            resume = f"Last-Event-ID: {self.cursor}\r\n" if self.cursor else ""
            head = f"GET {self.path} HTTP/1.1\r\nHost: t15\r\nAuthorization: Bearer {TOKEN}\r\n{resume}\r\n"
            writer.write(head.encode())
            answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
            if b" 503 " in answer[:20]:  # busy: whoever follows comes back, as pages and the command line do
                self.refused[_code(answer, await asyncio.wait_for(reader.readexactly(_length(answer)), 60))] += 1
                await asyncio.sleep(1)
                return
            assert b" 200 " in answer[:20], answer
            while len(data) < most:
                part = await asyncio.wait_for(reader.read(min(65536, most - len(data))), 3)
                if not part:
                    break
                data += part
        except TimeoutError:
            pass
        finally:
            writer.transport.abort()
        self.cuts += 1
        self.read += len(data)
        self._take(_unchunked(data))

    def _take(self, data: bytes) -> None:
        """Whole events only: what was cut comes again."""
        for event in parse(lines([data[: data.rfind(b"\n\n") + 2]] if b"\n\n" in data else [])):
            self.cursor = event.cursor or self.cursor
            if event.kind == "log":
                known = self.logs.setdefault(event.data["stream_id"], bytearray())
                assert event.data["from"] == len(known), (event.data["from"], len(known))
                known += event.data["text"].encode()
                assert event.data["to"] == len(known), (event.data["to"], len(known))


def _length(head: bytes) -> int:
    return int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])


def _code(head: bytes, body: bytes) -> str:
    """Why the api is busy. Raises AssertionError for an answer that does not say when to come back."""
    problem: dict[str, Any] = json.loads(body)
    assert b"application/problem+json" in head, head
    assert b"retry-after:" in head.lower(), head
    assert problem["remedy"]["en"], problem
    return str(problem["code"])


def _unchunked(data: bytes) -> bytes:
    """HTTP's chunks put together, as far as they came."""
    whole, at = b"", 0
    while (end := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:end] or b"0", 16)
        whole += data[end + 2 : end + 2 + size]
        at = end + 2 + size + 2
    return whole


async def _all(
    readers: list[Reader], api: Api, path: str, writer: threading.Thread, attempt: UUID
) -> tuple[int, Reader]:
    """Everybody reads until he has all; the silent one connects first and reads last."""
    silent = Reader(api, path, random.Random(0))
    stuck = await asyncio.open_connection("127.0.0.1", api.port, limit=2**16)
    stuck[1].write(f"GET {path} HTTP/1.1\r\nHost: t15\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
    ends = time.monotonic() + PATIENCE

    async def follow(reader: Reader) -> None:
        while writer.is_alive() or reader.size() < await _size(attempt):
            assert time.monotonic() < ends, f"{reader.size()} bytes after {PATIENCE:g} s"
            await reader.once(reader.dice.choice((500, 5_000, 50_000, 200_000)) + reader.dice.randrange(500))

    await asyncio.gather(*map(follow, readers))
    stuck[1].transport.abort()
    while silent.size() < await _size(attempt):
        await silent.once(2**24)
    return sum(reader.read for reader in readers), silent


_known_size: dict[UUID, int] = {}


async def _size(attempt: UUID) -> int:
    """Bytes of all logs, once they are closed; before that more than anybody can have."""
    if attempt not in _known_size:
        with transaction() as session:
            rows = session.execute(
                select(LogStream.bytes, LogStream.closed_at).where(LogStream.attempt_id == attempt)
            ).all()
        if not rows or any(row.closed_at is None for row in rows):
            return 2**62
        _known_size[attempt] = sum(row.bytes for row in rows)
    return _known_size[attempt]
