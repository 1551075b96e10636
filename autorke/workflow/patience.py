"""Transactions that must not be lost because the database was away for a moment."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.orm import Session

from autorke.core.db import transaction

log = logging.getLogger(__name__)
T = TypeVar("T")
WAITS = (0.2, 0.5, 1, 2, 5, 10, 30, 60)
"""Seconds between the tries: with them a runner sits out a restart or failover of the database."""


def insist(action: Callable[[Session], T]) -> T:
    """Run `action` in a transaction and commit it, again while the database is away; raises its last error.

    An error around COMMIT does not say whether it was done (engine.md §1 row 14): `action` must be safe to repeat.
    """
    for wait in (*WAITS, None):
        try:
            with transaction() as session:
                return action(session)
        except (OperationalError, InterfaceError, InternalError) as error:
            if wait is None:
                raise
            log.warning("commit waits for the database", extra={"error": type(error).__name__})
            time.sleep(wait)
    raise AssertionError("unreachable: the last try returns or raises")
