"""Kinds of secrets: what is sent, what is checked on the way in, what may be shown, what is sealed.

`Material.secret` keys per kind, which `service.open_secret` gives back:
ssh_key → private_key (OpenSSH, without passphrase); ssh_password → password; both → become_password where sudo asks
for one; kubeconfig → kubeconfig (YAML);
registry → password; token → token; password → password. Names of users, addresses and the like are in `public`.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from pydantic import AfterValidator, Field, SecretStr

from autorke.core.schemas import In
from autorke.credentials import kubeconfig
from autorke.credentials.errors import KeyTooWeak, KeyUnreadable

MIN_RSA_BITS = 2048

UnixUser = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,31}$", examples=["ops"])]
Password = Annotated[SecretStr, Field(min_length=1, max_length=1024)]


def _typed(value: SecretStr) -> SecretStr:
    """One line, as it is typed at a terminal: sshd and sudo read no further than its end."""
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in value.get_secret_value()):
        raise ValueError("a password of one line, without control characters, expected")
    return value


TypedPassword = Annotated[Password, AfterValidator(_typed)]
Become = Annotated[
    TypedPassword | None, Field(description="What sudo asks this user for on the machines; none where it asks nothing")
]


@dataclass(frozen=True)
class Material:
    """A checked secret: what the list may show, and what is sealed."""

    public: dict[str, Any]
    secret: dict[str, str] = field(repr=False)


def _becoming(password: SecretStr | None) -> tuple[dict[str, Any], dict[str, str]]:
    """What is shown and what is sealed of a sudo password."""
    return ({}, {}) if password is None else ({"become": True}, {"become_password": password.get_secret_value()})


class SshKey(In):
    kind: Literal["ssh_key"]
    user: UnixUser
    private_key: Annotated[SecretStr, Field(min_length=1, max_length=20_000)]
    passphrase: Password | None = None
    become_password: Become = None

    def material(self) -> Material:
        """The key as OpenSSH text without its passphrase: the envelope protects it, and every driver can read it."""
        passphrase = self.passphrase.get_secret_value().encode() if self.passphrase else None
        key = _load_key(self.private_key.get_secret_value(), passphrase)
        public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        plain = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        algorithm, body = public.decode().split(" ")[:2]
        digest = base64.b64encode(hashlib.sha256(base64.b64decode(body)).digest()).decode().rstrip("=")
        shown = {"user": self.user, "public_key": f"{algorithm} {body}", "fingerprint": f"SHA256:{digest}"}
        public_become, become = _becoming(self.become_password)
        return Material(shown | public_become, {"private_key": plain.decode(), **become})


PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def _load_key(text: str, passphrase: bytes | None) -> PrivateKey:
    """Raises KeyUnreadable for anything that is not a private key, KeyTooWeak for one that sshd no longer takes."""
    data = text.strip().encode() + b"\n"
    openssh = data.startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----")
    load = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    try:
        key = load(data, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnreadable(field="secret.private_key") from error
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < MIN_RSA_BITS:
        raise KeyTooWeak(field="secret.private_key", kind=f"RSA {key.key_size}")
    if not isinstance(key, PrivateKey):
        kind = "DSA" if isinstance(key, dsa.DSAPrivateKey) else type(key).__name__.removesuffix("PrivateKey")
        raise KeyTooWeak(field="secret.private_key", kind=kind)
    return key


class SshPassword(In):
    kind: Literal["ssh_password"]
    user: UnixUser
    password: TypedPassword
    become_password: Become = None

    def material(self) -> Material:
        shown, become = _becoming(self.become_password)
        return Material({"user": self.user, **shown}, {"password": self.password.get_secret_value(), **become})


class Kubeconfig(In):
    kind: Literal["kubeconfig"]
    kubeconfig: Annotated[SecretStr, Field(min_length=1, max_length=500_000)]

    def material(self) -> Material:
        """Only data, never a command to run nor a path to read on this host."""
        text = self.kubeconfig.get_secret_value()
        return Material(kubeconfig.inspect(text), {"kubeconfig": text})


class Registry(In):
    kind: Literal["registry"]
    url: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9._/-]*)?$", max_length=253)]
    username: Annotated[str, Field(min_length=1, max_length=128)]
    password: Password

    def material(self) -> Material:
        return Material({"url": self.url, "username": self.username}, {"password": self.password.get_secret_value()})


class Token(In):
    """A bearer token or the value of an API key header, for a CMDB or another outside system."""

    kind: Literal["token"]
    token: Annotated[SecretStr, Field(min_length=1, max_length=10_000)]

    def material(self) -> Material:
        return Material({}, {"token": self.token.get_secret_value()})


class BasicPassword(In):
    """A password of an outside system; the user name is not secret."""

    kind: Literal["password"]
    username: Annotated[str, Field(max_length=128)] = ""
    password: Password

    def material(self) -> Material:
        return Material({"username": self.username}, {"password": self.password.get_secret_value()})


SecretIn = Annotated[SshKey | SshPassword | Kubeconfig | Registry | Token | BasicPassword, Field(discriminator="kind")]
Kind = Literal["ssh_key", "ssh_password", "kubeconfig", "registry", "token", "password"]
