"""Logs and event streams: how fast lines are stored, how soon they are seen, and a log of a million lines.

The api, the writer and the viewers are processes of their own. Durable writes are off (a throw-away server), and all of
them share this machine's cores: a viewer that reads 10 streams costs as much as the api that feeds them.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import func, select, text

import migrations.models  # noqa: F401  fills Base.metadata
from autorke.core import crypto, db, events
from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.core.settings import get_settings
from autorke.embedded import throwaway
from autorke.users import sessions
from autorke.users.models import ApiToken, RoleBinding, User
from autorke.workflow import commands, gates, logrows, logstore
from autorke.workflow.journal import By, lock_ticket, record
from autorke.workflow.models import Attempt, StepRow
from bench import _engine_host
from bench._log_host import some_texts

NODES = int(os.environ.get("AUTORKE_BENCH_LOG_NODES", "2000"))
LINES = int(os.environ.get("AUTORKE_BENCH_LOG_LINES", "500"))
RATE = int(os.environ.get("AUTORKE_BENCH_LOG_RATE", "20000"))
VIEWERS = int(os.environ.get("AUTORKE_BENCH_LOG_VIEWERS", "10"))
LONG = int(os.environ.get("AUTORKE_BENCH_LOG_LONG", "1000000"))
CLIENTS = int(os.environ.get("AUTORKE_BENCH_SSE_CLIENTS", "200"))
EVENTS = 100
TOKEN = sessions.TOKEN_PREFIX + "bench"
LIVE_SECONDS = 60
PATIENCE = 120


def run() -> dict[str, Any]:
    """Lines per second, milliseconds, and bytes; `lost` is counted over all viewers."""
    with tempfile.TemporaryDirectory(prefix="arke-") as place, _api(Path(place)) as api:
        return {
            "nodes": NODES,
            "lines_each": LINES,
            **_long_log(api),
            **_ingest(),
            **_seen_live(api),
            **_many_clients(api),
        }


@dataclass
class Api:
    """The api's process and a client of it."""

    url: str
    process: subprocess.Popen[bytes]

    def get(self, path: str, **query: Any) -> Any:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = httpx.get(f"{self.url}/api/v1{path}", params=query, headers=headers, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


@contextmanager
def _api(place: Path) -> Iterator[Api]:
    with throwaway.postgres() as url, throwaway.valkey() as redis:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        key = place / "key"
        key.write_text(crypto.new_key())
        key.chmod(0o600)
        before = dict(os.environ)
        os.environ.update(
            AUTORKE_DATABASE_URL=url.render_as_string(hide_password=False),
            AUTORKE_REDIS_URL=redis,
            AUTORKE_SECRET_KEY_FILE=str(key),
        )
        get_settings.cache_clear()
        try:
            engine = db.make_engine(os.environ["AUTORKE_DATABASE_URL"])
            db.configure(engine)
            db.Base.metadata.create_all(engine)
            gates.configure_directory(_engine_host.everybody)
            _viewer()
            with _process("api", str(port)) as process:
                yield _answering(Api(f"http://127.0.0.1:{port}", process))
        finally:
            os.environ.clear()
            os.environ.update(before)
            get_settings.cache_clear()
            events.forget()


@contextmanager
def _process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-m", "bench._log_host", *arguments], stdout=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(10)


def _answering(api: Api) -> Api:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{api.url}/api/v1/health", timeout=2).raise_for_status()
            return api
        except httpx.HTTPError:
            time.sleep(0.1)
    raise TimeoutError("the api did not answer")


def _viewer() -> None:
    with transaction() as session:
        user = User(name="viewer", display_name="viewer")
        session.add(user)
        session.flush()
        session.add(RoleBinding(user_id=user.id, role="viewer", cluster_id=None))
        ends = func.now() + text("interval '1 day'")
        session.add(ApiToken(user_id=user.id, name="bench", token_sha256=sessions.digest(TOKEN), expires_at=ends))


def _ticket(name: str) -> tuple[UUID, UUID]:
    """A ticket and its first attempt, to write logs for."""
    with transaction() as session:
        request = _engine_host.BenchIn(journal="", name=name)
        ticket, _ = commands.submit(session, "bench", request, new_id())
        query = select(Attempt.id).join(StepRow, StepRow.id == Attempt.step_id).where(StepRow.ticket_id == ticket.id)
        return ticket.id, session.scalars(query).one()


def _host(*arguments: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench._log_host", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _connected(child: subprocess.Popen[str]) -> None:
    """Wait until all viewers have an answer that goes on."""
    if child.stdout is None or child.stdout.readline() != "connected\n":
        raise RuntimeError("the viewers did not connect")


def _answer(child: subprocess.Popen[str]) -> Any:
    out, _ = child.communicate(timeout=PATIENCE)
    return json.loads(out)


def _stored_long() -> UUID:
    """A ticket with one closed log of LONG lines; line two thirds down is its only error."""
    ticket, attempt = _ticket("long")
    texts, at = some_texts(), datetime.now(UTC)
    bad, parts = LONG * 2 // 3, []
    for n in range(1, LONG + 1):
        said = "failed: Install Docker: no package docker-ce" if n == bad else f"{texts[n % len(texts)]} {n}"
        moment = (at + timedelta(milliseconds=n)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        parts.append(f"{moment} {said}\n")
    data, stream, offset, line = "".join(parts).encode(), new_id(), 0, 1
    chunks = []
    for seq, piece in enumerate(logstore._pieces(data)):
        ends = piece.count(b"\n")
        chunks.append(logrows.NewChunk(seq, offset, line, ends, piece))
        offset, line = offset + len(piece), line + ends
    for begin in range(0, len(chunks), 256):
        some = chunks[begin : begin + 256]
        size, ends = some[-1].byte_off + len(some[-1].data), some[-1].first_line + some[-1].lines - 1
        with transaction() as session:
            logrows.store(session, ticket, attempt, [logrows.Grown(stream, "node", some, size, ends, bad)])
    with transaction() as session:
        logrows.close(session, [logrows.End(stream, LONG, hashlib.sha256(data).hexdigest())])
    return ticket


def _long_log(api: Api) -> dict[str, Any]:
    """One log of a million lines over HTTP: opened at its end, jumped into, and searched to the end."""
    ticket = _stored_long()
    (stream,) = api.get(f"/tickets/{ticket}/logs")
    path = f"/tickets/{ticket}/logs/{stream['id']}"

    def opened() -> None:
        api.get(f"/tickets/{ticket}/logs")
        api.get(f"{path}/lines", from_line=stream["lines"] - 499, count=500)

    def first_error() -> None:
        line = api.get(f"{path}/first-error")["line"]
        page = api.get(f"{path}/lines", from_line=max(1, line - 250), count=500)["lines"]
        if page[min(250, line - 1)]["level"] != "error":
            raise RuntimeError("that is not the error")

    def searched(word: str) -> int:
        hits, at = 0, 1
        while at is not None:
            found = api.get(f"{path}/search", q=word, from_line=at)
            hits, at = hits + found["total"], found["next_line"]
        return hits

    return {
        "long_lines": stream["lines"],
        "long_mb": round(stream["bytes"] / 1e6, 1),
        "open_ms": _median_ms(opened),
        "first_error_ms": _median_ms(first_error),
        "search_no_hit_ms": _median_ms(lambda: searched("Nothing Of That")),
        "search_one_hit_ms": _median_ms(lambda: searched("no package DOCKER-CE")),
        "search_errors_ms": _median_ms(lambda: api.get(f"{path}/search", level="error")),
        "merged_page_ms": _median_ms(lambda: api.get(f"/tickets/{ticket}/logs/merged", step="act", direction="back")),
    }


def _median_ms(call: Any, times: int = 5) -> float:
    taken = []
    for _ in range(times):
        began = time.monotonic()
        call()
        taken.append(time.monotonic() - began)
    return round(statistics.median(taken) * 1000, 1)


def _ingest() -> dict[str, Any]:
    """All nodes at once, as fast as it goes; what was said is counted in the database."""
    ticket, attempt = _ticket("ingest")
    one = _answer(_host("write", *_ticket("one"), 1, LONG // 5, 0, 20))
    wrote = _answer(_host("write", ticket, attempt, NODES, max(1, LINES // 5), 0, 20))
    with transaction() as session:
        stored = session.execute(
            text("select coalesce(sum(lines), 0) from log_stream where attempt_id = :id"), {"id": attempt}
        ).scalar_one()
    return {
        "ingest_one_stream_lines_per_s": round(one["lines"] / one["seconds"]),
        "ingest_lines_per_s": round(wrote["lines"] / wrote["seconds"]),
        "ingest_lost": wrote["lines"] - int(stored),
    }


def _seen_live(api: Api) -> dict[str, Any]:
    """NODES × LINES at RATE, with viewers that follow all of it; one more viewer never reads."""
    ticket, attempt = _ticket("live")
    path, total = f"/api/v1/tickets/{ticket}/stream?logs=true", NODES * LINES
    before = api.memory_mb()
    with _stuck(api, path):
        watching = _host("watch", api.url, path, TOKEN, VIEWERS, LIVE_SECONDS + 10, total, "lines")
        _connected(watching)
        wrote = _answer(_host("write", ticket, attempt, NODES, LINES, RATE, LIVE_SECONDS))
        seen = _answer(watching)
    ages = _cuts(seen["ages"])
    return {
        "viewers": VIEWERS,
        "live_lines_per_s": round(wrote["lines"] / wrote["seconds"]),
        "live_lines": wrote["lines"],
        "live_lost": sum(wrote["lines"] - lines for lines in seen["lines"]),
        "visible_p50_ms": ages[49],
        "visible_p95_ms": ages[94],
        "visible_p99_ms": ages[98],
        "live_mb_sent": round(seen["bytes"] / 1e6),
        "api_memory_before_mb": round(before),
        "api_memory_with_viewers_mb": round(api.memory_mb()),
    }


@contextmanager
def _stuck(api: Api, path: str) -> Iterator[None]:
    """A client that asks and never reads."""
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        yield


def _cuts(ages: list[float]) -> list[float]:
    return [round(cut * 1000, 1) for cut in statistics.quantiles(ages or [0.0, 0.0], n=100)]


def _many_clients(api: Api) -> dict[str, Any]:
    """CLIENTS streams of one ticket on one api process, and as many of hints: from the event to the client."""
    ticket, _ = _ticket("clients")
    before = api.memory_mb()
    path = f"/api/v1/tickets/{ticket}/stream?logs=false&hints=false&after=1000"
    with transaction() as session:
        lock_ticket(session, ticket).next_seq = 1001  # so that only what comes now is told
    watching = _host("watch", api.url, path, TOKEN, CLIENTS, 60, EVENTS, "events")
    _connected(watching)
    for _ in range(EVENTS):
        with transaction() as session:
            record(session, lock_ticket(session, ticket), "bench.tick", By("system"))
        time.sleep(0.1)
    memory = api.memory_mb()
    seen = _answer(watching)
    ages = _cuts(seen["ages"])
    return {
        "sse_clients": CLIENTS,
        "sse_events_lost": sum(EVENTS - events for events in seen["events"]),
        "sse_p50_ms": ages[49],
        "sse_p99_ms": ages[98],
        "sse_memory_per_client_kb": round((memory - before) * 1024 / CLIENTS, 1),
    }
