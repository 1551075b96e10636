"""The channel type `direct-streamlocal@openssh.com`: a stream to a Unix socket of the machine.

paramiko has no public call for it, so the message is built here as its `Transport.open_channel` builds the others.
This uses private members of paramiko: the version is pinned in pyproject.toml, and tests/drivers/ssh runs it
against a real sshd. OpenSSH's PROTOCOL, section 2.4: string path, string reserved, uint32 reserved.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import paramiko
from paramiko.common import cMSG_CHANNEL_OPEN
from paramiko.message import Message

KIND = "direct-streamlocal@openssh.com"


def open_streamlocal(transport: paramiko.Transport, path: str, timeout: float) -> paramiko.Channel:
    """Raises paramiko.ChannelException when the machine refuses, TimeoutError, EOFError on a dead connection.

    sshd gives one and the same refusal for a missing socket, a denied one, one without listener and a forbidden
    forwarding: the caller finds out which.
    """
    private: Any = transport
    opened = threading.Event()
    with private.lock:
        number = private._next_channel()
        window = private._sanitize_window_size(None)
        packet = private._sanitize_packet_size(None)
        channel = paramiko.Channel(number)
        private._channels.put(number, channel)
        private.channel_events[number] = opened
        private.channels_seen[number] = True
        owned: Any = channel
        owned._set_transport(transport)
        owned._set_window(window, packet)
    private._send_user_message(_request(number, window, packet, path))
    _wait(transport, opened, time.monotonic() + timeout)
    if private._channels.get(number) is None:
        error = transport.get_exception()
        raise error if isinstance(error, paramiko.ChannelException) else paramiko.ChannelException(2, "open failed")
    return channel


def _request(number: int, window: int, packet: int, path: str) -> Message:
    message = Message()
    message.add_byte(cMSG_CHANNEL_OPEN)
    message.add_string(KIND)
    message.add_int(number)
    message.add_int(window)
    message.add_int(packet)
    message.add_string(path)
    message.add_string("")
    message.add_int(0)
    return message


def _wait(transport: paramiko.Transport, opened: threading.Event, deadline: float) -> None:
    while not opened.wait(0.1):
        if not transport.is_active():
            raise EOFError("the SSH connection is closed")
        if time.monotonic() > deadline:
            raise TimeoutError
    if not transport.is_active():
        raise EOFError("the SSH connection is closed")
