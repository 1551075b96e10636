"""An embedded Valkey on a Unix socket. It carries hints only, so it keeps nothing on disk."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from autorke.embedded.account import Account
from autorke.embedded.service import Service


@dataclass(frozen=True)
class Valkey:
    """How to serve one socket. `sockets` is a 0700 directory of `account` with a short path."""

    binary: Path
    account: Account
    sockets: Path
    log: Path
    password: str = field(repr=False)

    @property
    def socket(self) -> Path:
        return self.sockets / "valkey.sock"

    def url(self) -> str:
        """For redis-py; `core.queue` derives Celery's form from it."""
        return f"unix://:{quote(self.password)}@{self.socket}"

    def service(self) -> Service:
        """The configuration goes over stdin: the password shows neither in argv nor in a file."""
        lines = (
            "port 0",
            f'unixsocket "{self.socket}"',
            "unixsocketperm 700",
            f'requirepass "{self.password}"',
            'save ""',
            "appendonly no",
            f'dir "{self.sockets}"',
            "maxmemory-policy noeviction",
        )
        return Service(
            name="valkey",
            argv=(str(self.binary), "-"),
            log=self.log,
            ready=self.accepts,
            environ={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            account=self.account,
            stdin="\n".join(lines).encode() + b"\n",
            database=True,
        )

    def accepts(self, _pid: int) -> bool:
        """Whether it answers a PING with our password, spoken plainly: two lines need no client library."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(1.0)
            try:
                link.connect(str(self.socket))
                link.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = link.recv(64)
                if answer == b"+OK\r\n":
                    answer += link.recv(64)
            except OSError:
                return False
        return answer == b"+OK\r\n+PONG\r\n"
