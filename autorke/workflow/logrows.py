"""Storing log chunks: a few statements for a whole batch, however many streams it touches.

Each batch gets a number. An advisory lock of the ticket is held from taking the number to the commit, so that of two
writers of one ticket the one that commits later has the higher number: a viewer that goes on behind a number misses
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True)
class NewChunk:
    seq: int
    byte_off: int
    first_line: int
    lines: int
    data: bytes


@dataclass(frozen=True)
class Grown:
    """A stream with its new chunks, and how long it is with them."""

    id: UUID
    node_id: str | None
    chunks: Sequence[NewChunk]
    bytes: int
    lines: int
    first_error_line: int | None


@dataclass(frozen=True)
class End:
    id: UUID
    lines: int
    sha256: str


_NUMBER = text("select pg_advisory_xact_lock(hashtextextended(:key, 0)), nextval('log_batch_seq')")
_STREAMS = text(
    "insert into log_stream (id, attempt_id, node_id, bytes, lines)"
    " select id, :attempt, node_id, 0, 0 from unnest(cast(:ids as uuid[]), cast(:nodes as text[])) as t(id, node_id)"
    " on conflict do nothing"
)
_CHUNKS = text(
    "insert into log_chunk (stream_id, seq, ticket_id, step_id, batch, byte_off, first_line, lines, data)"
    " select stream_id, seq, :ticket, (select step_id from step_attempt where id = :attempt), :batch,"
    " byte_off, first_line, lines, data from unnest("
    "cast(:ids as uuid[]), cast(:seqs as bigint[]), cast(:offs as bigint[]), cast(:firsts as bigint[]),"
    " cast(:lines as int[]), cast(:data as bytea[])) as t(stream_id, seq, byte_off, first_line, lines, data)"
    " on conflict do nothing"
)
_GROWN = text(
    "update log_stream s set bytes = t.bytes, lines = t.lines, first_error_line = t.error from unnest("
    "cast(:ids as uuid[]), cast(:bytes as bigint[]), cast(:lines as bigint[]), cast(:errors as bigint[]))"
    " as t(id, bytes, lines, error) where s.id = t.id"
)
_CLOSE = text(
    "update log_stream s set closed_at = clock_timestamp(), lines = t.lines, sha256 = t.sha256 from unnest("
    "cast(:ids as uuid[]), cast(:lines as bigint[]), cast(:sums as text[])) as t(id, lines, sha256) where s.id = t.id"
)


def store(session: Session, ticket_id: UUID, attempt_id: UUID, grown: Sequence[Grown]) -> None:
    """Add these chunks; said twice it is done once."""
    batch = session.execute(_NUMBER, {"key": f"autorke.log.{ticket_id}"}).one()[1]
    ids = [row.id for row in grown]
    new = [row for row in grown if row.chunks[0].seq == 0]
    if new:
        about = {"attempt": attempt_id, "ids": [row.id for row in new], "nodes": [row.node_id for row in new]}
        session.execute(_STREAMS, about)
    chunks = [(row.id, chunk) for row in grown for chunk in row.chunks]
    session.execute(
        _CHUNKS,
        {
            "ticket": ticket_id,
            "attempt": attempt_id,
            "batch": batch,
            "ids": [stream_id for stream_id, _ in chunks],
            "seqs": [chunk.seq for _, chunk in chunks],
            "offs": [chunk.byte_off for _, chunk in chunks],
            "firsts": [chunk.first_line for _, chunk in chunks],
            "lines": [chunk.lines for _, chunk in chunks],
            "data": [chunk.data for _, chunk in chunks],
        },
    )
    session.execute(
        _GROWN,
        {
            "ids": ids,
            "bytes": [row.bytes for row in grown],
            "lines": [row.lines for row in grown],
            "errors": [row.first_error_line for row in grown],
        },
    )


def close(session: Session, ends: Sequence[End]) -> None:
    """No more will come: length and digest are final."""
    if ends:
        about = {"ids": [it.id for it in ends], "lines": [it.lines for it in ends], "sums": [it.sha256 for it in ends]}
        session.execute(_CLOSE, about)
