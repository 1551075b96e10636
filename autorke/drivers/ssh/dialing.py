"""From an address to a finished SSH handshake, within limits: nobody is authenticated and nothing is trusted yet."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import paramiko

from autorke.core import contact
from autorke.drivers.base import DriverError, Remote, SshTarget, Unreachable

# Each failure reaches the caller as an exception; paramiko would print it a second time, with a traceback.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Limits:
    """How long to wait for a machine, in seconds."""

    connect: float = 10.0
    banner: float = 10.0
    login: float = 20.0
    keepalive: int = 15
    silence: float = 40.0
    """A connection whose data stays unacknowledged for so long is dead (a machine that lost power sends no reset)."""


def dial(target: SshTarget, limits: Limits, via: Remote | None) -> Any:
    """A connected socket to the target's sshd, or a stream that behaves like one when `via` is a bastion."""
    contact.made()
    if via is not None:
        return via.open_tcp(target.address, target.port, timeout=limits.connect)
    try:
        sock = socket.create_connection((target.address, target.port), timeout=limits.connect)
    except (OSError, UnicodeError) as error:
        raise unreachable(target, _why(error, limits.connect)) from error
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(limits.silence * 1000))
    return sock


def handshake(target: SshTarget, sock: Any, limits: Limits, key_types: Sequence[str] = ()) -> paramiko.Transport:
    """Exchange keys. The caller owns the transport and verifies the host key before it does anything else."""
    transport: paramiko.Transport | None = None
    try:
        transport = paramiko.Transport(sock)
        transport.banner_timeout = limits.banner
        transport.handshake_timeout = limits.banner
        transport.auth_timeout = limits.login
        if key_types:
            transport.get_security_options().key_types = list(key_types)
        transport.start_client(timeout=limits.banner * 2)
        transport.get_remote_server_key()
    except (paramiko.SSHException, EOFError, OSError) as error:
        (transport or sock).close()
        raise unreachable(target, _why(error, limits.banner)) from error
    return transport


def unreachable(target: SshTarget, reason: str) -> DriverError:
    return Unreachable(name=target.name, address=f"{target.address}:{target.port}", reason=reason)


def _why(error: Exception, seconds: float) -> str:
    if isinstance(error, socket.gaierror | UnicodeError):
        return "the address does not resolve"
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:g} s"
    if "banner" in str(error):
        return f"accepts connections but sends no SSH banner within {seconds:g} s"
    if isinstance(error, EOFError) or "No existing session" in str(error):
        return "closed the connection during the SSH handshake"
    return str(error) or type(error).__name__
