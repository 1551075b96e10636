"""Where the platform may be sent by an address that somebody typed: one rule for every adapter.

Never, whatever is configured: metadata services, link-local, multicast, unspecified and reserved addresses, also in the
IPv6 forms that carry an IPv4 address. Loopback: only where the object's own configuration says so. Private addresses:
yes, since that is where CMDBs live. An operator narrows all of it with `AUTORKE_OUTSIDE_NETWORKS`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

METADATA: frozenset[Address] = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",  # most clouds
        "100.100.100.200",  # Alibaba Cloud
        "192.0.0.192",  # Oracle
        "168.63.129.16",  # Azure
        "fd00:ec2::254",  # AWS over IPv6
        "fd20:ce::254",  # Google over IPv6
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def _inner(address: Address) -> list[Address]:
    """The address itself and every IPv4 address that it leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    carried: list[Address | None] = [address.ipv4_mapped, address.sixtofour]
    if address.teredo is not None:
        carried += list(address.teredo)
    if address in _NAT64 or int(address) >> 32 == 0:  # the second: IPv4-compatible, ::a.b.c.d
        carried.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [address, *(one for one in carried if one is not None)]


def denied(text: str, *, allow_loopback: bool, networks: Sequence[Network] | None = None) -> bool:
    """Whether nobody may be sent to this address. `networks`: the only ones that are allowed, None for all."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address.is_loopback:
        return not allow_loopback or _beyond(address, networks)
    return any(_never(one) for one in _inner(address)) or _beyond(address, networks)


def _never(address: Address) -> bool:
    return (
        address in METADATA
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address.is_reserved
    )


def _beyond(address: Address, networks: Sequence[Network] | None) -> bool:
    return networks is not None and not any(address in network for network in networks)
