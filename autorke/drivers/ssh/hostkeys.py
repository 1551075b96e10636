"""Host keys: a machine is only spoken to when it proves the key that an admin pinned for it."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

import paramiko

from autorke.drivers.base import HostKeyMismatch, HostKeyMissing, Remote, SshTarget
from autorke.drivers.ssh.dialing import Limits, dial, handshake
from autorke.drivers.ssh.errors import HostKeyUnreadable

# One pinned key may be proved with several signature algorithms; the key itself is the same.
_SIGNATURES: dict[str, tuple[str, ...]] = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}


@dataclass(frozen=True)
class PinnedKey:
    """A public key that a machine must prove."""

    kind: str
    blob: bytes

    @property
    def preference(self) -> list[str]:
        """Signature algorithms in the order to offer: this key's first. The others follow, so that a machine which
        lost the pinned key still shows the one it has, and the mismatch names both."""
        others = [name for kind, names in _SIGNATURES.items() if kind != self.kind for name in names]
        return [*_SIGNATURES[self.kind], *others]


def pinned_key(target: SshTarget) -> PinnedKey:
    """Raises HostKeyMissing when nothing is pinned, HostKeyUnreadable when it is no OpenSSH public key."""
    if not target.host_key or not target.host_key.strip():
        raise HostKeyMissing(name=target.name)
    words = target.host_key.split()
    kind = words[0]
    if kind not in _SIGNATURES:
        raise HostKeyUnreadable(name=target.name, reason=f"unknown key type {kind!r:.40}")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (IndexError, binascii.Error):
        raise HostKeyUnreadable(name=target.name, reason="the key is not base64") from None
    if not blob.startswith(len(kind).to_bytes(4, "big") + kind.encode()):
        raise HostKeyUnreadable(name=target.name, reason=f"the key is not of type {kind}")
    return PinnedKey(kind, blob)


def verify(target: SshTarget, pinned: PinnedKey, seen: paramiko.PKey) -> None:
    if seen.asbytes() != pinned.blob:
        raise HostKeyMismatch(
            name=target.name,
            pinned=f"{pinned.kind} {_sha256(pinned.blob)}",
            seen=f"{seen.get_name()} {_sha256(seen.asbytes())}",
        )


def fingerprint(host_key: str) -> str:
    """`SHA256:…` of a public key in OpenSSH form, as `ssh-keygen -l` prints it. Raises HostKeyUnreadable."""
    return _sha256(pinned_key(SshTarget(name="", address="", user="", host_key=host_key)).blob)


def scan_host_key(address: str, port: int = 22, *, timeout: float = 10.0, via: Remote | None = None) -> str:
    """The key that a machine shows now, in OpenSSH form: for an admin who compares and pins it. Never trusts it.

    Asks for ed25519 first, then ECDSA, then RSA. Raises Unreachable.
    """
    target = SshTarget(name=address, address=address, user="", port=port)
    limits = Limits(connect=timeout, banner=timeout, login=timeout)
    transport = handshake(target, dial(target, limits, via), limits)
    try:
        key = transport.get_remote_server_key()
    finally:
        transport.close()
    return f"{key.get_name()} {key.get_base64()}"


def _sha256(blob: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
