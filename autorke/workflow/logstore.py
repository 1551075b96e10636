"""Logs of an attempt: one stream per node plus one for the attempt itself, offsets gapless from the first byte (P16).

The runner is the only writer of its streams. Lines are masked before they leave the process, collected for a moment,
and stored in Postgres with an index of their numbers; Redis only wakes viewers. A database outage delays the lines, it
does not lose them. A line is stored when it is complete, so that no reader takes a half for the whole.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from threading import Event as Signal
from threading import Lock, Thread
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from autorke.core import events
from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.core.redact import Secrets, Stream
from autorke.workflow import loglevel, logrows
from autorke.workflow.models import Attempt, LogChunk, LogStream, StepRow

log = logging.getLogger(__name__)
FLUSH_SECONDS = 0.25
CHUNK = 16 * 1024
LONGEST_HALF = 256 * 1024
"""An unfinished line that is longer does not wait for its end."""
MOST_BYTES = 512 * 1024 * 1024
"""Of one stream. A machine that never stops talking must not fill the database; what it says beyond is not kept."""
MOST_PENDING = 64 * 1024 * 1024
"""Bytes that wait to be stored; whoever writes more stores them first, so that a flood does not fill the memory."""
CUT = "… this log is longer than is kept: the rest is left out"
AT_ONCE = 4 * 1024 * 1024
"""Bytes in one transaction; more follow in the next."""


class _Open:
    """A stream that is being written, and what of it is stored for certain."""

    def __init__(self, secrets: Secrets) -> None:
        self.stream = Stream(secrets)
        self.pending = bytearray()
        self.taken = 0  # bytes of lines in all
        self.full = False
        self.begin()

    def begin(self) -> None:
        """Nothing is stored yet, or what was stored has been forgotten."""
        self.id = new_id()
        self.seq = 0
        self.offset = 0
        self.lines = 0
        self.half = False  # the last byte stored was no line end
        self.first_error: int | None = None
        self.digest = hashlib.sha256()

    def take(self, *, final: bool) -> bytes:
        """Whole lines that are pending; at the end everything."""
        whole = final or len(self.pending) > LONGEST_HALF
        cut = len(self.pending) if whole else self.pending.rfind(b"\n") + 1
        taken = bytes(self.pending[:cut])
        del self.pending[:cut]
        return taken


class LogWriter:
    """Collects lines from any thread and stores them every quarter of a second. Use as a context manager."""

    def __init__(self, ticket_id: UUID, attempt_id: UUID, secrets: Secrets) -> None:
        self._ticket_id = ticket_id
        self._attempt_id = attempt_id
        self._secrets = secrets
        self._streams: dict[str | None, _Open] = {}
        self._batch: dict[str | None, bytes] = {}  # taken from the streams, not yet known to be stored
        self._begun_anew = self._gone = False
        self._pending = 0
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
            target = self._streams.get(node_id)
            if target is None:
                target = self._streams[node_id] = _Open(self._secrets)
            for part in text.replace("\0", "�").splitlines() or [""]:
                self._add(target, f"{stamp} {part}\n", f"{stamp} {CUT}\n")
            flood = self._pending > MOST_PENDING
        if flood:
            self.flush()

    def _add(self, target: _Open, line: str, cut: str) -> None:
        if target.full:
            return
        target.taken += len(line)
        target.full = target.taken > MOST_BYTES
        shown = target.stream.feed(cut if target.full else line)
        self._add_data(target, shown)

    def _add_data(self, target: _Open, shown: str) -> None:
        data = shown.encode("utf-8", "replace")
        target.pending += data
        self._pending += len(data)

    def _loop(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            self.flush()

    def flush(self, *, final: bool = False) -> bool:
        """Store what is pending, and with `final` close the streams. False: the database is to be tried again."""
        with self._flushing:
            try:
                while self._batch or self._take(final):
                    self._store()
                if final and not self._gone:
                    self._close()
            except IntegrityError:
                return self._forgotten()
            except SQLAlchemyError as error:
                log.warning("log lines wait for the database", extra={"error": type(error).__name__})
                return False
        return True

    def _forgotten(self) -> bool:
        """A failover has lost rows: begin the streams anew; stop where not even the attempt is there."""
        log.warning("the database has forgotten the log", extra={"tries": self._begun_anew})
        if self._begun_anew:
            self._batch, self._gone = {}, True
        self._begun_anew = True
        for node in self._batch:
            self._streams[node].begin()
        return self._gone

    def _take(self, final: bool) -> bool:
        """Fill the batch; False when nothing is pending."""
        if self._gone:
            return False
        size = 0
        with self._lock:
            for node, target in self._streams.items():
                if size >= AT_ONCE:
                    break
                if final:
                    self._add_data(target, target.stream.flush())
                taken = target.take(final=final)
                if taken:
                    self._batch[node] = taken
                    self._pending -= len(taken)
                    size += len(taken)
        return bool(self._batch)

    def _store(self) -> None:
        """Store exactly this batch once: a lost answer to a COMMIT is repeated with the same rows."""
        rows = [self._grown(node, data) for node, data in self._batch.items()]
        with transaction() as session:
            logrows.store(session, self._ticket_id, self._attempt_id, rows)
        for (node, data), row in zip(self._batch.items(), rows, strict=True):
            target = self._streams[node]
            target.seq += len(row.chunks)
            target.offset, target.lines, target.first_error = row.bytes, row.lines, row.first_error_line
            target.half = not data.endswith(b"\n")
            target.digest.update(data)
        self._batch = {}
        events.publish(f"ticket:{self._ticket_id}", "log")

    def _grown(self, node: str | None, data: bytes) -> logrows.Grown:
        """The stream as it is with this data; nothing of ours changes before it is stored."""
        target = self._streams[node]
        chunks, offset, line = [], target.offset, target.lines + 1
        for seq, piece in enumerate(_pieces(data), start=target.seq):
            ends = piece.count(b"\n")
            chunks.append(logrows.NewChunk(seq, offset, line, ends, piece))
            offset, line = offset + len(piece), line + ends
        error = target.first_error
        if error is None:
            begins = data.find(b"\n") + 1 if target.half else 0  # its first bytes were looked at with its beginning
            place = loglevel.first_error(data[begins:])
            if place is not None:
                error = target.lines + 1 + data.count(b"\n", 0, begins + place)
        return logrows.Grown(target.id, node, chunks, offset, line - 1, error)

    def _close(self) -> None:
        ends = [logrows.End(it.id, it.lines + it.half, it.digest.hexdigest()) for it in self._streams.values()]
        with transaction() as session:
            logrows.close(session, ends)


def _pieces(data: bytes) -> Iterator[bytes]:
    """Parts of at most CHUNK bytes that end with a line, where one line is no longer than that."""
    start = 0
    while start < len(data):
        end = start + CHUNK
        if end < len(data):
            end = data.rfind(b"\n", start, end) + 1 or end
        yield data[start:end]
        start = end


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
