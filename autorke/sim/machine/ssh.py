"""The SSH servers of all machines in one event loop: one loopback address and one listening socket each.

A closed port, a silent one and a dropped packet are the real things here (no socket, an accepted connection without
banner, a full backlog), so that clients meet the errors they would meet outside.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import socket
from typing import Any

import asyncssh
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from autorke.sim import http
from autorke.sim.docker import api as docker_api
from autorke.sim.faults import Fault
from autorke.sim.machine import health
from autorke.sim.machine.host import Host
from autorke.sim.machine.shell import Shell

BANNER = "OpenSSH_8.4p1 Debian-5+deb11u3"
DOCKER_SOCKETS = {"/var/run/docker.sock", "/run/docker.sock"}


class Door:
    """The listening socket of one machine, and the connections that came through it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._socket: socket.socket | None = None
        self._filler: list[socket.socket] = []
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._raw: set[socket.socket] = set()
        self._greeted: set[socket.socket] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._options: asyncssh.SSHServerConnectionOptions | None = None
        host.on_dead = self.go_dark

    def open(self, backlog: int = 256) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((self.host.address, self.host.world.ssh_port))
        sock.listen(backlog)
        self._socket = sock
        asyncio.get_running_loop().add_reader(sock, self._accept)

    def shut(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        for sock in self._filler:
            sock.close()
        self._filler.clear()

    def close(self) -> None:
        self.shut()
        self.drop()

    def drop(self) -> None:
        """End every connection at once, as a power cut does.

        Whoever is greeted already belongs to asyncssh, which closes the socket itself, a turn of the loop later: closed
        here, its number would go to the next socket while the loop still watches it for the old one.
        """
        for connection in list(self._connections):
            connection.abort()
        for sock in list(self._raw):
            sock.close()
        for sock in list(self._greeted):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._raw.clear()

    def go_dark(self) -> None:
        self.drop()
        self.settle()

    def settle(self) -> None:
        """Make the port what the faults in force say: open, closed, or swallowing packets."""
        fault = self.host.world.faults.peek(self.host.names, "connect")
        self.shut()
        lasting = fault.kind if fault is not None and fault.times is None and not fault.after else None
        if self.host.dead or lasting == "hang":
            self._swallow()
        elif lasting != "refuse":
            self.open()

    def _swallow(self) -> None:
        """Listen with a full backlog and never accept: further connection attempts get no answer from the kernel."""
        self.open(backlog=0)
        assert self._socket is not None  # noqa: S101
        asyncio.get_running_loop().remove_reader(self._socket)
        for _ in range(2):
            filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            filler.connect_ex(self._socket.getsockname())
            self._filler.append(filler)

    def _accept(self) -> None:
        assert self._socket is not None  # noqa: S101
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            sock, _peer = self._socket.accept()
            sock.setblocking(False)
            self.host.world.record.count(self.host.name, "connects")
            task = asyncio.get_running_loop().create_task(self._welcome(sock))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _welcome(self, sock: socket.socket) -> None:
        self._raw.add(sock)
        try:
            if await self._hindered(sock):
                return
            self._raw.discard(sock)
            self._greeted.add(sock)
            with contextlib.suppress(asyncssh.Error, OSError, TimeoutError):
                connection = await asyncssh.run_server(sock, options=self.options())
                self._connections.add(connection)
                await connection.wait_closed()
                self._connections.discard(connection)
        finally:
            self._raw.discard(sock)
            self._greeted.discard(sock)

    async def _hindered(self, sock: socket.socket) -> bool:
        """Whether a fault kept the SSH conversation from beginning."""
        for place in ("connect", "banner"):
            fault = self.host.strike(place)
            if fault is None:
                continue
            if fault.kind == "slow":
                await asyncio.sleep(fault.ms / 1000)
            elif fault.kind == "hang":
                await fault.hold()
                sock.close()
                return True
            elif fault.kind == "die":
                self.host.die()
                return True
            else:
                if fault.kind == "garbage":
                    await asyncio.get_running_loop().sock_sendall(sock, b"HTTP/1.0 400 Bad Request\r\n\r\n")
                reset(sock)
                return True
        return False

    def options(self) -> asyncssh.SSHServerConnectionOptions:
        if self._options is None or self._options_key != self.host.host_key:
            self._options_key = self.host.host_key
            self._options = asyncssh.SSHServerConnectionOptions(
                server_factory=lambda: _Server(self.host),
                server_host_keys=[asyncssh.import_private_key(_openssh(self.host))],
                process_factory=self._process,
                encoding=None,
                server_version=BANNER,
                line_editor=False,
                compression_algs=None,
                login_timeout=120,
                config=[],
            )
        return self._options

    _options_key = ""

    async def _process(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        with contextlib.suppress(asyncssh.Error, ConnectionError):
            await Shell(self.host, str(process.get_extra_info("username")), process).serve()


def reset(sock: socket.socket) -> None:
    """Close with a TCP reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    sock.close()


def _openssh(host: Host) -> bytes:
    return host.private_key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


class _Server(asyncssh.SSHServer):
    """What one connection may do: authenticate, open docker.sock, open TCP streams."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002 - every user must authenticate
        return True

    def auth_completed(self) -> None:
        self.host.world.record.count(self.host.name, "auth_ok")

    def public_key_auth_supported(self) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return self.host.world.login.password is not None

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        offered = key.export_public_key("openssh").split()[:2]
        allowed = self.host.world.login.public_key.encode().split()[:2]
        return await self._decide(username, hmac.compare_digest(b" ".join(offered), b" ".join(allowed)))

    async def validate_password(self, username: str, password: str) -> bool:
        wanted = self.host.world.login.password or ""
        return await self._decide(username, hmac.compare_digest(password.encode(), wanted.encode()))

    async def _decide(self, username: str, right: bool) -> bool:
        fault = self.host.strike("auth")
        if fault is not None:
            right = await self._weigh(fault) and right
        right = right and username in self.host.world.login.users
        if not right:
            self.host.world.record.count(self.host.name, "auth_failed")
        return right

    async def _weigh(self, fault: Fault) -> bool:
        if fault.kind == "slow":
            await asyncio.sleep(fault.ms / 1000)
            return True
        if fault.kind == "hang":
            await fault.hold()
            return True
        if fault.kind in {"cut", "cut_after"} and self._connection is not None:
            self._connection.abort()
        if fault.kind == "die":
            self.host.die()
        return False

    def unix_connection_requested(self, dest_path: str) -> Any:
        host = self.host
        host.world.record.count(host.name, "streams_unix")
        fault = host.strike("streamlocal")
        docker = host.facts.docker
        closed = docker.socket != "ok" or not docker.running or not docker.installed
        refused = fault is not None and fault.kind in {"refuse", "fail", "cut"}
        if dest_path not in DOCKER_SOCKETS or closed or refused or not host.facts.streamlocal_forwarding:
            # sshd gives one and the same answer for a missing socket, a denied one and a forbidden forwarding
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "open failed")
        return self._docker_session(fault)

    def _docker_session(self, fault: Fault | None) -> Any:
        host = self.host

        async def serve(reader: Any, writer: Any) -> None:
            if fault is not None:
                await (fault.hold() if fault.kind == "hang" else asyncio.sleep(fault.ms / 1000))
            await http.serve(reader, writer, docker_api.handler(host))

        return serve

    def connection_requested(self, dest_host: str, dest_port: int, *_origin: object) -> Any:
        host = self.host
        host.world.record.count(host.name, "streams_tcp")
        if not host.facts.tcp_forwarding:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "open failed")
        fault = host.strike("tcp", str(dest_port))
        if fault is not None and fault.kind == "hang":
            return self._never(fault)
        if (fault is not None and fault.kind in {"refuse", "fail", "cut"}) or not host.reaches(dest_host, dest_port):
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "Connection refused")
        return health.stream(host, dest_host, dest_port)

    async def _never(self, fault: Fault) -> Any:
        await fault.hold()
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "Connection timed out")
