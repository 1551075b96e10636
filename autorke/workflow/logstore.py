"""Logs of an attempt: one stream per node plus one for the attempt itself, offsets gapless from the first byte (P16).

The runner is the only writer of its streams. Lines are masked before they leave the process, collected for a moment,
and stored in Postgres; Redis only wakes viewers. A database outage delays the lines, it does not lose them.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Event as Signal
from threading import Lock, Thread
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from autorke.core import events
from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.core.redact import Secrets, Stream
from autorke.workflow.models import Attempt, LogChunk, LogStream, StepRow

log = logging.getLogger(__name__)
FLUSH_SECONDS = 0.25
CHUNK = 16 * 1024


class _Open:
    """A stream that is being written."""

    def __init__(self, secrets: Secrets) -> None:
        self.id = new_id()
        self.stream = Stream(secrets)
        self.pending = bytearray()
        self.seq = 0
        self.offset = 0
        self.digest = hashlib.sha256()


class LogWriter:
    """Collects lines from any thread and stores them every quarter of a second. Use as a context manager."""

    def __init__(self, ticket_id: UUID, attempt_id: UUID, secrets: Secrets) -> None:
        self._ticket_id = ticket_id
        self._attempt_id = attempt_id
        self._secrets = secrets
        self._streams: dict[str | None, _Open] = {}
        self._batch: dict[str | None, bytes] = {}  # taken from the streams, not yet known to be stored
        self._lock = Lock()
        self._flushing = Lock()
        self._stop = Signal()
        self._thread = Thread(target=self._loop, name="log-writer", daemon=True)

    def __enter__(self) -> LogWriter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)
        for wait in (0.2, 0.5, 1, 2, 5, 10, None):
            if self.flush(final=True) or wait is None:
                return
            time.sleep(wait)

    def line(self, node_id: str | None, text: str) -> None:
        """Append one line (or several) to a node's stream, or to the attempt's own with None."""
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self._lock:
            target = self._streams.setdefault(node_id, _Open(self._secrets))
            for part in text.replace("\0", "�").splitlines() or [""]:
                shown = target.stream.feed(f"{stamp} {part}\n")
                target.pending += shown.encode("utf-8", "replace")

    def _loop(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            self.flush()

    def flush(self, *, final: bool = False) -> bool:
        """Store what is pending, and with `final` close the streams. False: the database is to be tried again."""
        with self._flushing:
            try:
                if self._batch:
                    self._store()
                self._take(final)
                if self._batch:
                    self._store()
                if final:
                    self._close()
            except SQLAlchemyError as error:
                log.warning("log lines wait for the database", extra={"error": type(error).__name__})
                return False
        return True

    def _take(self, final: bool) -> None:
        with self._lock:
            for node, target in self._streams.items():
                if final:
                    target.pending += target.stream.flush().encode("utf-8", "replace")
                if target.pending:
                    self._batch[node] = bytes(target.pending)
                    target.pending.clear()

    def _store(self) -> None:
        """Store exactly this batch once: a lost answer to a COMMIT is repeated with the same rows."""
        with transaction() as session:
            for node, data in self._batch.items():
                self._append(session, node, data)
        for node, data in self._batch.items():
            target = self._streams[node]
            target.seq += -(-len(data) // CHUNK)
            target.offset += len(data)
            target.digest.update(data)
        self._batch = {}
        events.publish(f"ticket:{self._ticket_id}", "log")

    def _append(self, session: Session, node: str | None, data: bytes) -> None:
        target = self._streams[node]
        new = insert(LogStream).values(id=target.id, attempt_id=self._attempt_id, node_id=node, bytes=0)
        session.execute(new.on_conflict_do_nothing())
        chunks = [
            {
                "stream_id": target.id,
                "seq": target.seq + i,
                "byte_off": target.offset + start,
                "data": data[start : start + CHUNK],
            }
            for i, start in enumerate(range(0, len(data), CHUNK))
        ]
        session.execute(insert(LogChunk).on_conflict_do_nothing(), chunks)
        total = target.offset + len(data)
        session.execute(update(LogStream).where(LogStream.id == target.id).values(bytes=total))

    def _close(self) -> None:
        with transaction() as session:
            for target in list(self._streams.values()):
                values = {"closed_at": func.clock_timestamp(), "sha256": target.digest.hexdigest()}
                session.execute(update(LogStream).where(LogStream.id == target.id).values(**values))


def streams_of(session: Session, ticket_id: UUID) -> Sequence[Any]:
    """Rows (stream, step key, attempt n, purpose) of a ticket, oldest attempt first."""
    query = (
        select(LogStream, StepRow.key, Attempt.n, Attempt.purpose)
        .join(Attempt, Attempt.id == LogStream.attempt_id)
        .join(StepRow, StepRow.id == Attempt.step_id)
        .where(StepRow.ticket_id == ticket_id)
        .order_by(StepRow.ord, Attempt.n, LogStream.node_id)
    )
    return session.execute(query).all()


def read(session: Session, stream_id: UUID, offset: int, limit: int = 1_000_000) -> bytes:
    """Bytes of a stream from `offset`, at most `limit` and a chunk more; the same bytes for every reader."""
    query = (
        select(LogChunk.byte_off, LogChunk.data)
        .where(LogChunk.stream_id == stream_id, LogChunk.byte_off > offset - CHUNK)
        .order_by(LogChunk.seq)
        .limit(limit // CHUNK + 64)
    )
    out = bytearray()
    for start, data in session.execute(query):
        if start + len(data) > offset and len(out) < limit:
            out += data[max(0, offset - start) :]
    return bytes(out)
