"""Stores a long log for a node of a ticket's first attempt, or more lines of it, as a runner does; nobody waits for it.

usage: TICKET_ID NODE LINES [CLOSE]; line 2/3 of the way is an error, and so is the last one.
"""

from __future__ import annotations

import hashlib
import sys
from uuid import UUID, uuid5

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from autorke.core.db import transaction
from autorke.core.events import publish
from autorke.flows import wiring  # noqa: F401  brings every table that logs refer to
from autorke.workflow import logrows
from autorke.workflow.models import Attempt, LogChunk, LogStream, StepRow

PER_CHUNK = 500
AT_ONCE = 100


def line(n: int, bad: bool) -> str:
    stamp = f"2026-11-25T21:{n // 60_000 % 60:02d}:{n // 1000 % 60:02d}.{n % 1000:03d}Z"
    if bad:
        return f"{stamp} fatal: [node]: FAILED! => <script>alert({n})</script>"
    return f"{stamp} ok: [node] => task {n} checked {'needle ' if n % 1000 == 7 else ''}in /var/lib/kubelet"


def first_attempt(session: Session, ticket_id: UUID) -> UUID:
    query = select(Attempt.id).join(StepRow, StepRow.id == Attempt.step_id).where(StepRow.ticket_id == ticket_id)
    return session.scalars(query.order_by(StepRow.ord, Attempt.n).limit(1)).one()


def grow(ticket_id: UUID, node: str, count: int) -> UUID:
    with transaction() as session:
        attempt = first_attempt(session, ticket_id)
        stream_id = uuid5(attempt, node)
        known = session.get(LogStream, stream_id)
        size, lines, error = (known.bytes, known.lines, known.first_error_line) if known else (0, 0, None)
        seq = session.scalar(select(func.count()).select_from(LogChunk).where(LogChunk.stream_id == stream_id)) or 0
    bad = {lines + count * 2 // 3, lines + count}
    end = lines + count
    while lines < end:
        chunks: list[logrows.NewChunk] = []
        while lines < end and len(chunks) < AT_ONCE:
            part = range(lines + 1, min(lines + PER_CHUNK, end) + 1)
            data = "".join(line(n, n in bad) + "\n" for n in part).encode()
            chunks.append(logrows.NewChunk(seq, size, part[0], len(part), data))
            error = error or next((n for n in part if n in bad), None)
            seq, size, lines = seq + 1, size + len(data), part[-1]
        with transaction() as session:
            logrows.store(session, ticket_id, attempt, [logrows.Grown(stream_id, node, chunks, size, lines, error)])
    publish(f"ticket:{ticket_id}", "log")
    return stream_id


def main(ticket: str, node: str, count: str, close: str = "") -> None:
    stream_id = grow(UUID(ticket), node, int(count))
    if close:
        with transaction() as session:
            stream = session.get_one(LogStream, stream_id)
            logrows.close(session, [logrows.End(stream_id, stream.lines, hashlib.sha256(b"").hexdigest())])


if __name__ == "__main__":
    main(*sys.argv[1:])
