"""UUIDv7: time-ordered ids made in Python, because the SQL floor is PostgreSQL 15."""

from __future__ import annotations

import secrets
import time
import uuid


def new_id() -> uuid.UUID:
    """A fresh UUIDv7 (RFC 9562 §5.7): 48 bits of milliseconds, 12 bits of their 4096ths (§6.2, method 3), so that
    what one request writes within a millisecond keeps its order, then random bits."""
    ticks = time.time_ns() * 4096 // 1_000_000
    millis, part = divmod(ticks, 4096)
    value = (millis & (1 << 48) - 1) << 80 | 0x7 << 76 | part << 64 | 0x2 << 62 | secrets.randbits(62)
    return uuid.UUID(int=value)
