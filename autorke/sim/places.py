"""Where a simulation listens: its own net of loopback addresses, ports, and the key that opens its machines.

A restart takes the same places again, so that pinned addresses and registered URLs stay right.
"""

from __future__ import annotations

import contextlib
import json
import socket
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from autorke.sim.fleet import Fleet
from autorke.sim.world import Login

NETS = range(64, 127)
"""Second octets of 127.x.y.z that a simulation may take."""
SSH_PORTS = (2222, 22022, 22122)
LOCK_PORT = 7099
SERVICES = 4
"""Control, CMDB, VCalico and OIDC, in this order."""


class NoRoom(Exception):
    """No loopback addresses are left for this simulation, or not those it had before."""


@dataclass(frozen=True)
class Place:
    """`ports` are those of the services; 0 is any free one."""

    net: int
    ssh_port: int
    ports: tuple[int, ...] = (0,) * SERVICES


def earlier(index: Path) -> Place | None:
    """The place of the run that left an index file behind."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(index.read_text())
        urls = (found["control"], found["cmdb"]["url"], found["vcalico"]["url"], found["oidc"]["issuer"])
        ports = tuple(urlsplit(url).port or 0 for url in urls)
        return Place(int(found["net"]), int(found["ssh"]["port"]), ports)
    return None


def take(
    wanted: Place | None, *, exactly: bool, listen: str, first_port: int, state_dir: Path
) -> tuple[Place, socket.socket]:
    """A place for this process alone; the socket holds it. `exactly`: the wanted one or none. Raises NoRoom."""
    if not ip_address(listen).is_loopback:
        raise NoRoom(f"{listen} is not a loopback address, and nothing here asks who is calling")
    net, lock = _reserve([wanted.net] if wanted and exactly else [*([wanted.net] if wanted else []), *_nets(state_dir)])
    ssh_port = _free_ssh_port(net)
    if exactly and wanted is not None and ssh_port != wanted.ssh_port:
        lock.close()
        raise NoRoom(f"port {wanted.ssh_port} of the earlier run is held by something else")
    ports = tuple(range(first_port, first_port + SERVICES)) if first_port else (0,) * SERVICES
    if not first_port and exactly and wanted is not None:
        ports = wanted.ports
    return Place(net, ssh_port, ports), lock


def _nets(state_dir: Path) -> list[int]:
    """All nets, beginning where this directory says: a simulation that is started again seldom finds its own taken."""
    first = zlib.crc32(str(state_dir.absolute()).encode()) % len(NETS)
    return [*NETS[first:], *NETS[:first]]


def _reserve(nets: Sequence[int]) -> tuple[int, socket.socket]:
    for net in nets:
        sock = socket.socket()
        try:
            sock.bind((f"127.{net}.255.254", LOCK_PORT))
        except OSError:
            sock.close()
            continue
        return net, sock
    raise NoRoom("its loopback addresses are taken by another simulation; is the earlier run still running?")


def _free_ssh_port(net: int) -> int:
    """A port that nothing holds on all addresses (a server on 0.0.0.0 would)."""
    for port in SSH_PORTS:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                sock.bind((f"127.{net}.255.254", port))
                return port
    raise NoRoom(f"ports {SSH_PORTS} are all held on every address")


def login_key(state_dir: Path, fleet: Fleet) -> Login:
    """The key that opens every machine: kept in the state directory, made on first use."""
    path = state_dir / "id_ed25519"
    if path.exists():
        private = path.read_text()
    else:
        text = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        private = text.decode()
        path.touch(mode=0o600)
        path.write_text(private)
    public = load_ssh_private_key(private.encode(), None).public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return Login(frozenset({fleet.user, "root"}), line, private, fleet.password)
