"""A message that is late by a moment ends no connection and reaches no other command."""

from __future__ import annotations

import threading
import time
from typing import Any

import paramiko
import pytest
from paramiko.common import cMSG_CHANNEL_CLOSE, cMSG_CHANNEL_DATA, cMSG_CHANNEL_EOF
from paramiko.message import Message

from autorke.drivers import ssh
from autorke.drivers.ssh.ordered import Ordered
from tests.sshd import Sshd


def message(kind: bytes) -> Message:
    made = Message()
    made.add_byte(kind)
    made.add_int(3)
    return made


class Line:
    """What reached the machine."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def _send_user_message(self, sent: Message) -> None:
        self.sent.append(sent.asbytes()[:1])


def test_nothing_follows_the_close() -> None:
    line: Any = Line()
    channel = Ordered(line)
    for kind in (cMSG_CHANNEL_DATA, cMSG_CHANNEL_EOF, cMSG_CHANNEL_CLOSE, cMSG_CHANNEL_EOF, cMSG_CHANNEL_DATA):
        channel._send_user_message(message(kind))
    assert line.sent == [cMSG_CHANNEL_DATA, cMSG_CHANNEL_EOF, cMSG_CHANNEL_CLOSE]


@pytest.mark.sshd
@pytest.mark.parametrize("stdin", [None, b"nobody reads this"])
def test_an_end_of_input_that_comes_behind_the_close_ends_no_connection(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch, stdin: bytes | None
) -> None:
    """The command has ended, and the answer to the machine's CLOSE is out, before our end of input is."""
    late: list[bool] = []
    send = Ordered._send_user_message

    def held_back(channel: Ordered, sent: Message) -> None:
        ours = not isinstance(threading.current_thread(), paramiko.Transport)
        if ours and sent.asbytes()[:1] == cMSG_CHANNEL_EOF:
            deadline = time.monotonic() + 60
            while not channel.closed and time.monotonic() < deadline:
                time.sleep(0.005)
            late.append(channel.closed)
        send(channel, sent)

    monkeypatch.setattr(Ordered, "_send_user_message", held_back)
    with ssh.connect(sshd.target()) as remote:
        for _ in range(3):
            assert remote.run(["true"], stdin=stdin).exit_code == 0
        assert remote.alive
    assert late == [True] * 3
