"""Where a CMDB may be: the rule is `core.outside`."""

from __future__ import annotations

import socket

from autorke.core import outside
from autorke.core.settings import get_settings
from autorke.integrations.cmdb.errors import AddressDenied, CmdbUnreachable


def resolve(host: str, port: int, *, allow_loopback: bool) -> str:
    """The address to connect to, looked up once so that a second answer of DNS cannot redirect the connection.

    Every address of the name must be allowed. Raises CmdbUnreachable or AddressDenied.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise CmdbUnreachable(field="source.url", reason=f"{host}: {error}") from error
    networks = get_settings().outside_networks
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    for address in addresses:
        if outside.denied(address, allow_loopback=allow_loopback, networks=networks):
            raise AddressDenied(field="source.url", host=host, address=address)
    return addresses[0]
