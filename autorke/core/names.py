"""Host names, addresses and serial numbers: one place that says which spellings are safe and what their one form is."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re

from autorke.core import outside

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/+-]{0,63}")
_HOST_KEYS = frozenset({"ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"})
_NO_SERIAL = frozenset(
    {"0", "none", "n/a", "na", "null", "unknown", "default string", "not specified", "to be filled by o.e.m."}
)


def hostname(value: str) -> str:
    """A DNS-1123 subdomain in lower case, as Kubernetes wants node names (rke.md §9 row 12). Raises ValueError."""
    if not value or len(value) > 253 or not all(_LABEL.fullmatch(label) for label in value.split(".")):
        raise ValueError("not a DNS-1123 name: lower-case letters, digits, '-' and '.', at most 253 characters")
    return value


def address(value: str) -> str:
    """The canonical text of a host's IPv4 or IPv6 address. Raises ValueError."""
    if "%" in value:
        raise ValueError("not a host address: a zone is not allowed")
    found = ipaddress.ip_address(value)
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped  # the same host: one address must not be two machines
    if found.is_unspecified or found.is_multicast or found in outside.METADATA or str(found) == "255.255.255.255":
        raise ValueError("not the address of one host")
    return str(found)


def serial(value: str) -> str:
    """A serial number as vendors print it, not the placeholder of an empty firmware field. Raises ValueError."""
    if not _SERIAL.fullmatch(value):
        raise ValueError("not a serial number: letters, digits, spaces and . _ : / + -, at most 64 characters")
    if value.lower() in _NO_SERIAL or not value.strip("0"):
        raise ValueError("a firmware placeholder, not a serial number")
    return value


def line(value: str) -> str:
    """One line of text of at most 255 characters without control characters. Raises ValueError."""
    if len(value) > 255 or not value.isprintable():
        raise ValueError("one line of at most 255 printable characters")
    return value


def host_key(value: str) -> str:
    """An OpenSSH public host key as `type base64`, without its comment. Raises ValueError."""
    words = value.split()
    if len(words) < 2 or words[0] not in _HOST_KEYS:
        raise ValueError("not an OpenSSH public key: `type base64` expected")
    kind = words[0].encode()
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error as error:
        raise ValueError("not an OpenSSH public key: its second word is not base64") from error
    if blob[: 4 + len(kind)] != len(kind).to_bytes(4, "big") + kind or not 40 <= len(blob) <= 4096:
        raise ValueError("not an OpenSSH public key: its type and its content differ")
    return f"{words[0]} {words[1]}"
