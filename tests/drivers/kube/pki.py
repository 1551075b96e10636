"""A certificate authority for one test: API server, administrator, and the kubeconfig that rke would write."""

from __future__ import annotations

import base64
import datetime
import ipaddress
from dataclasses import dataclass

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Identity:
    certificate: str
    key: str


class Authority:
    """Issues certificates; `pem` is its own."""

    def __init__(self, name: str = "kube-ca") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _name(name)
        builder = _builder(self._subject, self._subject, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.pem = _text(builder.sign(self._key, hashes.SHA256()))

    def issue(self, common_name: str, *, address: str | None = None, days: int = 1) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(common_name), self._subject, key.public_key(), days)
        if address:
            san = x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address(address)), x509.DNSName("kubernetes")]
            )
            builder = builder.add_extension(san, critical=False)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        return Identity(_text(builder.sign(self._key, hashes.SHA256())), pem.decode())


def kubeconfig(
    port: int, ca_pem: str, identity: Identity | None, *, user: dict[str, str] | None = None, **cluster: object
) -> str:
    """`user` and `cluster` add or replace entries of their sections."""
    entries: dict[str, str] = {}
    if identity is not None:
        entries = {"client-certificate-data": _b64(identity.certificate), "client-key-data": _b64(identity.key)}
    place = {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": _b64(ca_pem), **cluster}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "local", "cluster": place}],
            "contexts": [{"name": "local", "context": {"cluster": "local", "user": "kube-admin-local"}}],
            "current-context": "local",
            "users": [{"name": "kube-admin-local", "user": {**entries, **(user or {})}}],
        }
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int = 1
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=3))
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
