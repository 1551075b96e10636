"""Nothing follows the CLOSE of a channel (RFC 4254 §5.3).

paramiko builds a message under the channel's lock and sends it after it has let go of it. Its own thread answers the
machine's CLOSE meanwhile, so an end of input could leave behind that answer: for a channel that sshd has forgotten,
which ends the whole connection ("nonexistent channel") and every command on it, or has given to another command.

This uses private members of paramiko: the version is pinned in pyproject.toml, and tests/drivers/ssh runs it against a
real sshd.
"""

from __future__ import annotations

import threading
from typing import Any

import paramiko
from paramiko.common import cMSG_CHANNEL_CLOSE
from paramiko.message import Message


class Ordered:
    """What a channel takes for its transport: sends its messages one by one, and drops those behind its CLOSE."""

    def __init__(self, transport: paramiko.Transport) -> None:
        self._transport: Any = transport
        self._sending = threading.Lock()
        self.closed = False

    def _send_user_message(self, message: Message) -> None:
        with self._sending:
            if self.closed:
                return
            self.closed = message.asbytes()[:1] == cMSG_CHANNEL_CLOSE
            self._transport._send_user_message(message)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def in_order(channel: paramiko.Channel) -> paramiko.Channel:
    """The same channel, before anything was sent on it by us."""
    owned: Any = channel
    owned.transport = Ordered(owned.transport)
    return channel
