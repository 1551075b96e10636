"""Key material made on the spot; none of it is used anywhere."""

from __future__ import annotations

import base64
import datetime
from functools import cache

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM
PASSPHRASE = "open sesame"


@cache
def key(kind: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | dsa.DSAPrivateKey:
    makers = {
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "rsa1024": lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505  must be refused
        "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "dsa": lambda: dsa.generate_private_key(2048),
    }
    return makers[kind]()  # type: ignore[no-any-return,no-untyped-call]


def text(kind: str, form: str, passphrase: str | None = None) -> str:
    """A private key as `openssh`, `pkcs8` or `traditional` text."""
    lock = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    forms = {
        "openssh": serialization.PrivateFormat.OpenSSH,
        "pkcs8": serialization.PrivateFormat.PKCS8,
        "traditional": serialization.PrivateFormat.TraditionalOpenSSL,
    }
    return key(kind).private_bytes(PEM, forms[form], lock).decode()


@cache
def ca() -> bytes:
    signer = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-ca")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.public_key(signer.public_key()).not_valid_before(start)
    return builder.not_valid_after(start + datetime.timedelta(days=3650)).sign(signer, None).public_bytes(PEM)


def ca_digest() -> str:
    return x509.load_pem_x509_certificate(ca()).fingerprint(hashes.SHA256()).hex()


def kubeconfig(
    *, cluster: dict[str, object] | None = None, user: dict[str, object] | None = None, **top: object
) -> str:
    """A kubeconfig of one cluster, with parts replaced."""
    encoded = base64.b64encode(ca()).decode()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "north",
                "cluster": cluster or {"server": "https://10.0.0.1:6443", "certificate-authority-data": encoded},
            }
        ],
        "users": [{"name": "kube-admin", "user": user or {"token": "hunter2-token"}}],
        "contexts": [{"name": "north", "context": {"cluster": "north", "user": "kube-admin"}}],
        "current-context": "north",
    }
    return yaml.safe_dump(document | top)
