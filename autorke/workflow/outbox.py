"""The outbox: a message is a row of the transaction that caused it, so none is lost and none leaves too early.

It is sent right after the commit; the reconciler repeats it until its attempt has moved on. Receivers ignore repeats.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from autorke.core.db import after_commit
from autorke.workflow.models import Outbox

LAUNCH = "launch"
NOTIFY = "notify"
Send = Callable[[str, str], bool]
"""(topic, key) -> was it taken? Must not raise and must not wait long."""

_transport: dict[str, Send] = {}


def configure_transport(send: Send) -> None:
    """Tell the outbox how to hand a message to the broker; without one the reconciler's pass delivers."""
    _transport["send"] = send


def put(session: Session, topic: str, key: str) -> None:
    """Store a message and try to send it right after the commit."""
    session.add(Outbox(topic=topic, key=key))
    send_again(session, topic, key)


def send_again(session: Session, topic: str, key: str) -> None:
    """Repeat a message that is stored already, right after the commit."""
    send = _transport.get("send")
    if send is not None:
        after_commit(session, lambda: (send(topic, key), None)[1])
