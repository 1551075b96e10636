"""Sign-in attempts, counted in Postgres so that all api processes share them."""

from __future__ import annotations

import hashlib
import math
from datetime import timedelta

from sqlalchemy import case, delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from autorke.users.errors import TooManyLogins
from autorke.users.models import LoginAttempts

WINDOW = timedelta(minutes=15)
PER_NAME_AND_IP = 10
PER_IP = 100


def _key(*parts: str) -> bytes:
    return hashlib.sha256("\n".join(parts).encode(errors="surrogatepass")).digest()


def _count(session: Session, key: bytes, limit: int) -> None:
    over = LoginAttempts.started_at < func.now() - WINDOW
    ends = func.extract("epoch", LoginAttempts.started_at + WINDOW - func.now())
    statement = (
        insert(LoginAttempts)
        .values(key=key, count=1, started_at=func.now())
        .on_conflict_do_update(
            index_elements=[LoginAttempts.key],
            set_={
                "count": case((over, 1), else_=LoginAttempts.count + 1),
                "started_at": case((over, func.now()), else_=LoginAttempts.started_at),
            },
        )
        .returning(LoginAttempts.count, ends)
    )
    count, left = session.execute(statement).one()
    if count > limit:
        raise TooManyLogins(retry_after=max(1, math.ceil(left)))


def count(session: Session, *, name: str, ip: str) -> None:
    """Count one attempt before the password is checked: parallel guesses cannot slip through. Raises TooManyLogins.

    Limits are per name and address, and per address: a stranger cannot lock somebody else out.
    """
    session.execute(delete(LoginAttempts).where(LoginAttempts.started_at < func.now() - 4 * WINDOW))
    _count(session, _key("ip", ip), PER_IP)
    _count(session, _key("name", name, ip), PER_NAME_AND_IP)


def forget(session: Session, *, name: str, ip: str) -> None:
    """A sign-in that worked clears the counter of its name at its address."""
    session.execute(delete(LoginAttempts).where(LoginAttempts.key == _key("name", name, ip)))
