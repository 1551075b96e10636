"""Tables of logs: streams, their chunks, and the index of lines in them. Part of `models`."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, func, text
from sqlalchemy.orm import Mapped, mapped_column

from autorke.core.db import Base
from autorke.core.ids import new_id

NOW = func.clock_timestamp()


class LogStream(Base):
    """A log of one node in one attempt, or (`node_id` null) of the attempt itself. `lines` counts whole lines."""

    __tablename__ = "log_stream"
    __table_args__ = (Index("uq_log_stream_node", "attempt_id", text("coalesce(node_id, '')"), unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("step_attempt.id"))
    node_id: Mapped[str | None]
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    lines: Mapped[int] = mapped_column(BigInteger, default=0)
    first_error_line: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None]
    closed_at: Mapped[datetime | None]


class LogChunk(Base):
    """Bytes of a stream. `first_line` is the number (from 1) of the line that its first byte belongs to, `lines` the
    line ends in it. `batch` numbers the transactions that stored logs: within a ticket, later commits have higher ones.
    `step_id` is that of the stream's attempt, so that the log of a step is read in order from one index.
    """

    __tablename__ = "log_chunk"
    __table_args__ = (
        Index("ix_log_chunk_line", "stream_id", "first_line", "seq"),
        Index("ix_log_chunk_batch", "ticket_id", "batch", "stream_id", "seq"),
        Index("ix_log_chunk_step", "step_id", "batch", "stream_id", "seq"),
    )

    stream_id: Mapped[UUID] = mapped_column(ForeignKey("log_stream.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("ticket.id"))
    step_id: Mapped[UUID]  # no foreign key: the stream's attempt has one already, and each chunk would be checked
    batch: Mapped[int] = mapped_column(BigInteger)
    byte_off: Mapped[int] = mapped_column(BigInteger)
    first_line: Mapped[int] = mapped_column(BigInteger)
    lines: Mapped[int]
    data: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(server_default=NOW)
