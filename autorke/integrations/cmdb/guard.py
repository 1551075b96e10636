"""Where an adapter may connect to: never to metadata services, link-local addresses or our own loopback."""

from __future__ import annotations

import ipaddress
import socket

from autorke.integrations.cmdb.errors import AddressDenied, CmdbUnreachable

METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("169.254.169.254", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")
)


def denied(address: str, *, allow_loopback: bool) -> bool:
    """True for an address that an outside system cannot have."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if found.is_loopback:
        return not allow_loopback
    return found in METADATA or found.is_link_local or found.is_multicast or found.is_unspecified or found.is_reserved


def resolve(host: str, port: int, *, allow_loopback: bool) -> str:
    """The address to connect to, looked up once so that a second answer of DNS cannot redirect the connection.

    Every address of the name must be allowed. Raises CmdbUnreachable or AddressDenied.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise CmdbUnreachable(field="source.url", reason=f"{host}: {error}") from error
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    for address in addresses:
        if denied(address, allow_loopback=allow_loopback):
            raise AddressDenied(field="source.url", host=host, address=address)
    return addresses[0]
