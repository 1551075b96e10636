"""Log text for streams: the next block behind a place, encoded as events, made once for all who come to that place.

What is stored behind a place never changes, it only grows at its end: a block that holds something is right for
everybody. Blocks end with a batch where that is not too far, so that viewers who fell behind meet again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import groupby
from json.encoder import encode_basestring
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from autorke.web.sse import Block
from autorke.workflow.logmerge import Place
from autorke.workflow.models import Attempt, LogStream, StepRow

BLOCK_BYTES = 512 * 1024
BLOCK_CHUNKS = 4000
KEPT_BYTES = 32 * 1024 * 1024
KEPT_STREAMS = 100_000
BEGIN = Place(0, UUID(int=0), -1)


class _Sized(NamedTuple):
    batch: int
    stream_id: UUID
    seq: int
    size: int


class _Chunk(NamedTuple):
    batch: int
    stream_id: UUID
    seq: int
    byte_off: int
    data: bytes


class Blocks:
    """The last blocks of this process, and what is known of their streams."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Any, tuple[Place, Block]] = OrderedDict()
        self._size = 0
        self._heads: dict[UUID, bytes] = {}
        self._lock = threading.Lock()

    def after(self, session: Session, ticket_id: UUID, place: Place | None, about: tuple[str, str]) -> Made:
        """The next block behind a place, and where it ends; None when there is nothing. `about` stands before and
        behind the place in each event's id."""
        key = (ticket_id, place, about)
        with self._lock:
            found = self._kept.get(key)
        if found is None:
            found = self._make(session, ticket_id, place or BEGIN, about)
            if found is not None:
                self._keep(key, found)
        return found

    def _keep(self, key: Any, made: tuple[Place, Block]) -> None:
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = made
            self._size += len(made[1])
            while self._size > KEPT_BYTES and len(self._kept) > 1:
                self._size -= len(self._kept.popitem(last=False)[1][1])

    def _make(self, session: Session, ticket_id: UUID, place: Place, about: tuple[str, str]) -> Made:
        last = _end(_sizes(session, ticket_id, place))
        if last is None:
            return None
        rows = _chunks(session, ticket_id, place, last)
        self._know(session, {row.stream_id for row in rows})
        return last, Block(b"".join(self._event(pieces, about) for pieces in _joined(rows)))

    def _know(self, session: Session, streams: set[UUID]) -> None:
        new = streams - self._heads.keys()
        if not new:
            return
        query = select(LogStream.id, StepRow.key, Attempt.n, LogStream.node_id)
        query = query.join(Attempt, Attempt.id == LogStream.attempt_id).join(StepRow, StepRow.id == Attempt.step_id)
        for stream_id, step, n, node_id in session.execute(query.where(LogStream.id.in_(new))):
            node = "null" if node_id is None else encode_basestring(node_id)
            head = (
                f'{{"stream_id": "{stream_id}", "step": {encode_basestring(step)}, "attempt_n": {n}, "node_id": {node}'
            )
            if len(self._heads) >= KEPT_STREAMS:
                self._heads.clear()
            self._heads[stream_id] = head.encode()

    def _event(self, pieces: Sequence[_Chunk], about: tuple[str, str]) -> bytes:
        """One event, put together by hand: a step of thousands of nodes says thousands of them a second."""
        first, last = pieces[0], pieces[-1]
        data = first.data if first is last else b"".join(piece.data for piece in pieces)
        text = encode_basestring(data.decode("utf-8", "replace"))
        places = f', "from": {first.byte_off}, "to": {first.byte_off + len(data)}, "text": {text}'
        key = f"{about[0]}{Place(last.batch, last.stream_id, last.seq)}{about[1]}"
        return b"event: log\ndata: %s%s}\nid: %s\n\n" % (self._heads[first.stream_id], places.encode(), key.encode())


Made = tuple[Place, Block] | None


def _raw(session: Session, statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    """In the binary protocol, which carries bytes as they are."""
    connection: Any = session.connection().connection.driver_connection
    with connection.cursor(binary=True) as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


_FROM = """from log_chunk where ticket_id = %(ticket)s and (batch, stream_id, seq) > (%(batch)s, %(stream)s, %(seq)s)"""
_UP_TO = " and (batch, stream_id, seq) <= (%(last_batch)s, %(last_stream)s, %(last_seq)s)"
_ORDER = " order by batch, stream_id, seq"


def _sizes(session: Session, ticket_id: UUID, place: Place) -> list[_Sized]:
    values = {"ticket": ticket_id, "batch": place.batch, "stream": place.stream_id, "seq": place.seq}
    statement = f"select batch, stream_id, seq, octet_length(data) {_FROM}{_ORDER} limit {BLOCK_CHUNKS}"
    return [_Sized(*row) for row in _raw(session, statement, values)]


def _end(rows: Sequence[_Sized]) -> Place | None:
    """The last chunk of a block: the end of a batch; of a stream in a batch that alone is larger than a block. What
    one stream said in one batch is not cut: a line may go over chunks."""
    if not rows:
        return None
    total, batch_end, stream_end = 0, None, None
    for row, following in zip(rows, (*rows[1:], None), strict=True):
        total += row.size
        unknown = following is None and len(rows) == BLOCK_CHUNKS  # there may be more
        if not unknown and (following is None or following.stream_id != row.stream_id or following.batch != row.batch):
            stream_end = row
        if not unknown and (following is None or following.batch != row.batch):
            batch_end = row
        if total >= BLOCK_BYTES and (batch_end or stream_end):
            break
    best = batch_end or stream_end or rows[-1]
    return Place(best.batch, best.stream_id, best.seq)


def _chunks(session: Session, ticket_id: UUID, place: Place, last: Place) -> list[_Chunk]:
    values = {"ticket": ticket_id, "batch": place.batch, "stream": place.stream_id, "seq": place.seq}
    values |= {"last_batch": last.batch, "last_stream": last.stream_id, "last_seq": last.seq}
    statement = f"select batch, stream_id, seq, byte_off, data {_FROM}{_UP_TO}{_ORDER}"
    return [_Chunk(*row) for row in _raw(session, statement, values)]


def _joined(rows: Sequence[_Chunk]) -> Iterator[Sequence[_Chunk]]:
    """Chunks that follow each other in one stream and one batch belong together."""
    for _, found in groupby(rows, key=lambda row: (row.batch, row.stream_id)):
        yield list(found)
