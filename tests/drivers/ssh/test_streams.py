"""Streams through a connection: to Unix sockets (a channel type that paramiko does not know), ports and commands."""

from __future__ import annotations

import signal
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from autorke.drivers import ssh
from autorke.drivers.base import ByteStream, ForwardingRefused, Unreachable
from autorke.drivers.fanout import fan_out
from tests.sshd import Sshd

pytestmark = pytest.mark.sshd


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1 << 16):
            self.request.sendall(data)


class EchoServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "echo.sock")
    with EchoServer(path, Echo) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield path
        server.shutdown()


def read(stream: ByteStream, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (piece := stream.recv(1 << 16)):
        data += piece
    return bytes(data)


def test_the_version_of_paramiko_is_one_whose_insides_we_know() -> None:
    assert version("paramiko").startswith(("5.0.", "5.1.")), "read drivers/streamlocal.py before you move this"


def test_a_stream_carries_much_both_ways(sshd: Sshd, echo: str) -> None:
    data = bytes(range(256)) * 40_000
    with ssh.connect(sshd.target()) as remote:
        stream = remote.open_unix(echo)
        stream.settimeout(60)
        threading.Thread(target=stream.sendall, args=(data,), daemon=True).start()

        assert read(stream, len(data)) == data
        stream.close()


def test_many_streams_share_one_connection(sshd: Sshd, echo: str) -> None:
    with ssh.connect(sshd.target()) as remote:

        def talk(number: int) -> bytes:
            stream = remote.open_unix(echo)
            stream.settimeout(60)
            stream.sendall(b"%06d" % number)
            answer = read(stream, 6)
            stream.close()
            return answer

        outcomes = fan_out(range(100), talk)

    assert [outcome.value for outcome in outcomes] == [b"%06d" % number for number in range(100)]


def test_a_silent_stream_ends_at_its_time_limit(sshd: Sshd, echo: str) -> None:
    with ssh.connect(sshd.target()) as remote:
        stream = remote.open_unix(echo)
        stream.settimeout(0.3)
        with pytest.raises(TimeoutError):
            stream.recv(1)


def test_a_refused_stream_leaves_the_connection_usable(sshd: Sshd, echo: str) -> None:
    with ssh.connect(sshd.target()) as remote:
        for _ in range(5):
            with pytest.raises(ForwardingRefused):
                remote.open_unix("/no/such.sock")
        stream = remote.open_unix(echo)
        stream.sendall(b"still here")
        assert read(stream, 10) == b"still here"


def test_a_forbidden_forwarding_is_refused(make_sshd: Callable[..., Sshd], echo: str) -> None:
    server = make_sshd(AllowStreamLocalForwarding="no", AllowTcpForwarding="no")
    with ssh.connect(server.target()) as remote:
        with pytest.raises(ForwardingRefused):
            remote.open_tcp("127.0.0.1", server.port)
        with pytest.raises(ForwardingRefused):
            remote.open_unix(echo)


def test_a_port_of_the_machine_is_a_stream(sshd: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ssh.connect(sshd.target()) as remote:
        stream = remote.open_tcp("127.0.0.1", listener.getsockname()[1])
        peer, _ = listener.accept()
        with peer:
            peer.sendall(b"hello")
        stream.settimeout(60)

        assert read(stream, 100) == b"hello", "the end of the stream is seen as well"


def test_a_command_is_a_stream(sshd: Sshd) -> None:
    with ssh.connect(sshd.target()) as remote:
        stream = remote.open_command(["cat"])
        stream.settimeout(60)
        stream.sendall(b"there and back")

        assert read(stream, 14) == b"there and back"
        stream.close()


def test_a_broken_connection_opens_no_stream(make_sshd: Callable[..., Sshd], echo: str) -> None:
    server = make_sshd()
    with ssh.connect(server.target()) as remote:
        open_before = remote.open_unix(echo)
        open_before.settimeout(60)
        server.signal_sessions(signal.SIGKILL)

        assert open_before.recv(10) == b""
        deadline = time.monotonic() + 60
        while remote.alive and time.monotonic() < deadline:
            time.sleep(0.02)
        for attempt in (lambda: remote.open_unix(echo), lambda: remote.open_tcp("127.0.0.1", 1)):
            with pytest.raises(Unreachable):
                attempt()
