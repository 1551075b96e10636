"""Ports for servers that a test starts later, maybe more than once."""

from __future__ import annotations

import random
import socket

_HELD: list[socket.socket] = []
"""Bound until this process ends and never listened on: the kernel gives these ports to nobody who asks for any port,
and a server that sets SO_REUSEADDR, as all of ours do, may have them."""


def free_port() -> int:
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of `count` ports in a row on 127.0.0.1, below those that the kernel gives to outgoing connections."""
    while True:
        first = random.randrange(20_000, 30_000 - count)
        held: list[socket.socket] = []
        try:
            for port in range(first, first + count):
                held.append(_bound(port))
        except OSError:
            for one in held:
                one.close()
        else:
            _HELD.extend(held)
            return first


def _bound(port: int) -> socket.socket:
    """Raises OSError when somebody else has it. Shared only when it is ours: of two that ask at once one gets it."""
    held = socket.socket()
    try:
        held.bind(("127.0.0.1", port))
    except OSError:
        held.close()
        raise
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return held
