"""Private keys, from text to something that signs: OpenSSH, PEM and PKCS#8 forms of ed25519, RSA and ECDSA."""

from __future__ import annotations

import io
from functools import lru_cache

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from autorke.drivers.base import SshTarget
from autorke.drivers.ssh.errors import BadPrivateKey

_Private = ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_CLASSES: tuple[tuple[type[object], type[paramiko.PKey]], ...] = (
    (ed25519.Ed25519PrivateKey, paramiko.Ed25519Key),
    (rsa.RSAPrivateKey, paramiko.RSAKey),
    (ec.EllipticCurvePrivateKey, paramiko.ECDSAKey),
)


def private_key(target: SshTarget) -> paramiko.PKey:
    """The target's key, ready to sign. Raises BadPrivateKey, whose text never quotes the key."""
    try:
        return _load(target.private_key or "", target.passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadPrivateKey(name=target.name, reason=_reason(error)) from None


# A fleet shares a few keys; unlocking one costs ~0.1 s of bcrypt on purpose, so each is unlocked once per process.
@lru_cache(maxsize=8)
def _load(text: str, passphrase: str | None) -> paramiko.PKey:
    data = text.strip().encode() + b"\n"
    password = passphrase.encode() if passphrase else None
    if b"BEGIN OPENSSH PRIVATE KEY" in data:
        loaded: object = serialization.load_ssh_private_key(data, password)
    else:
        loaded = serialization.load_pem_private_key(data, password)
    for kind, key_class in _CLASSES:
        if isinstance(loaded, kind):
            return key_class.from_private_key(io.StringIO(_openssh(loaded)))
    raise UnsupportedAlgorithm(f"key type {type(loaded).__name__}")


def _openssh(loaded: object) -> str:
    """The one form that paramiko reads for every key type."""
    assert isinstance(loaded, _Private)  # noqa: S101 - narrows the type for the checker; _load has decided already
    return loaded.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()


def _reason(error: Exception) -> str:
    if isinstance(error, TypeError):
        return "it needs a passphrase, or has none although one is given"
    if isinstance(error, UnsupportedAlgorithm):
        return "only ed25519, RSA and ECDSA keys are supported"
    return "not a private key, damaged, or the passphrase is wrong"
