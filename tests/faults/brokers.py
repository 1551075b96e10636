"""A broker with a replica: the stream between them may stall, then the primary dies and the replica takes its address.

What the primary had taken in meanwhile is lost with it; what workers had taken out meanwhile is there again.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import redis

from autorke.embedded.throwaway import scratch_directory, valkey_server
from autorke.embedded.valkey import Valkey
from tests.faults.live import until
from tests.faults.proxy import Proxy, between
from tests.faults.servers import Server
from tests.ports import free_port

QUEUE = "autorke:launch"
"""Where Celery keeps hints that nobody has taken (`core.queue`)."""


class Pair:
    """Two servers, of which one serves at `address`; whoever does not follows it through `stream`, if it is there."""

    def __init__(self, address: Path, servers: dict[str, Server], stream: Proxy) -> None:
        self.address, self.stream = address, stream
        self._one, self._two = servers["one"], servers["two"]
        self.serving = self._one
        self._point()

    def _point(self) -> None:
        fresh = self.address.with_suffix(".new")
        fresh.symlink_to(self.serving.sockets / "valkey.sock")
        fresh.rename(self.address)

    def back(self) -> None:
        """The first one serves, with nothing of what the second one had."""
        if self.serving is self._two:
            self._two.stop(signal.SIGKILL)
            self.serving = self._one
            self._one.start()
            self._point()

    def follow(self) -> None:
        """The first one serves, and the second one has all that it has."""
        self.back()
        self.stream.set("pass")
        self._two.stop(signal.SIGKILL)
        self._two.start()
        self.wait()

    def wait(self) -> None:
        until(self._in_step, 120, "the replica has all that the primary has")

    def _in_step(self) -> bool:
        with _client(self._one) as primary, _client(self._two) as replica:
            told, heard = primary.info("replication"), replica.info("replication")
        up = heard["role"] == "slave" and heard["master_link_status"] == "up"
        return up and heard["slave_repl_offset"] == told["master_repl_offset"]

    def fail_over(self) -> int:
        """The primary dies; returns how many hints the new one offers that may have been taken before."""
        self._one.stop(signal.SIGKILL)
        self.serving = self._two
        with _client(self._two) as client:
            client.replicaof("NO", "ONE")
            offered = int(client.llen(QUEUE)) + int(client.hlen("autorke:unacked"))
        self._point()
        return offered


def _client(server: Server) -> redis.Redis:
    return redis.Redis.from_url(server.url, socket_timeout=5)


@contextmanager
def pair() -> Iterator[tuple[Pair, Path]]:
    """Both, and the folder in which their address is."""
    port, wire = free_port(), free_port()
    with valkey_server() as one, valkey_server() as plain, scratch_directory() as folder:
        two = replace(plain, password=one.password)
        lines = {
            "one": f'port {port}\nbind 127.0.0.1\nrepl-diskless-sync-delay 0\nmasterauth "{one.password}"',
            "two": f'port 0\nreplicaof 127.0.0.1 {wire}\nmasterauth "{one.password}"',
        }
        servers = {"one": _server(one, lines["one"]), "two": _server(two, lines["two"])}
        with between(folder / "stream.sock", f"127.0.0.1:{port}", wire) as stream:
            servers["one"].start()
            try:
                yield Pair(folder / "serving.sock", servers, stream), folder
            finally:
                for server in servers.values():
                    server.stop(signal.SIGKILL)


def _server(made: Valkey, lines: str) -> Server:
    service = made.service()
    return Server(replace(service, stdin=service.stdin.replace(b"port 0", lines.encode(), 1)), made.url(), made.sockets)
