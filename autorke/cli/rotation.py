"""Change the encryption key: every envelope of the installation under the first key of the key file.

Each slice rewraps its own; what the engine keeps for running tickets is done here. Short transactions: the product may
run meanwhile, and an interrupted rotation goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from sqlalchemy import select
from sqlalchemy.orm import Session

from autorke.configs import service as configs
from autorke.core import crypto
from autorke.credentials import service as credentials
from autorke.workflow.models import CallbackToken, KeptSecret

Transaction = Callable[[], AbstractContextManager[Session]]


def rotate(transaction: Transaction) -> Iterator[int]:
    """The number of envelopes of each round. Raises KeyMissing, EnvelopeBroken when an old key is gone already."""
    for round_of in (credentials.rotate, _of_tickets):
        with transaction() as session:
            yield round_of(session)
    done = -1
    while done:
        with transaction() as session:
            done = configs.rewrap(session)
        yield done


def _of_tickets(session: Session) -> int:
    """Secrets that a retry must find again, and those that callbacks are checked with."""
    ring = crypto.load_ring()
    count = 0
    for kept in session.scalars(select(KeptSecret).with_for_update()):
        if crypto.needs_rewrap(kept.envelope, ring=ring):
            kept.envelope = crypto.rewrap(kept.envelope, object_id=kept.id, version=1, ring=ring)
            count += 1
    for token in session.scalars(select(CallbackToken).with_for_update()):
        if crypto.needs_rewrap(token.hmac_envelope, ring=ring):
            token.hmac_envelope = crypto.rewrap(token.hmac_envelope, object_id=token.id, version=1, ring=ring)
            count += 1
    return count
