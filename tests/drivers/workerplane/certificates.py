"""A small real certificate authority for tests, laid out as rke lays out a bundle (CA serial number 0 included)."""

from __future__ import annotations

import functools
import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

_START = datetime(2024, 1, 1, tzinfo=UTC)


@functools.cache
def bundle(label: str = "ours") -> dict[str, dict[str, Any]]:
    """kube-ca with its key and the leaves that a state must have. One authority per label, made once per run."""
    ca_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    ca_pem = _with_serial_zero(_certificate("kube-ca", ca_key, ca_key, serial=1))
    leaves = {}
    for name in ("kube-node", "kube-proxy", "kube-apiserver", "kube-admin"):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        leaves[name] = _entry(name, _pem(_certificate(f"{label}-{name}", key, ca_key, serial=7)), key, kubeconfig=True)
    return {"kube-ca": _entry("kube-ca", ca_pem, ca_key, kubeconfig=False), **leaves}


def _certificate(name: str, key: rsa.RSAPrivateKey, ca_key: rsa.RSAPrivateKey, *, serial: int) -> x509.Certificate:
    is_ca = key is ca_key
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-ca")]))
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(_START)
        .not_valid_after(_START + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return builder.sign(ca_key, hashes.SHA256())


def _with_serial_zero(certificate: x509.Certificate) -> str:
    """The library will not make a serial number 0, so the byte is set afterwards; the signature no longer matches."""
    der = certificate.public_bytes(serialization.Encoding.DER)
    patched = der.replace(bytes.fromhex("a003020102020101"), bytes.fromhex("a003020102020100"), 1)
    assert patched != der
    return ssl.DER_cert_to_PEM_cert(patched)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _entry(name: str, pem: str, key: rsa.RSAPrivateKey, *, kubeconfig: bool) -> dict[str, Any]:
    env = name.upper().replace("-", "_")
    return {
        "certificatePEM": pem,
        "keyPEM": key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        ).decode(),
        "config": f"kind: Config # {name}" if kubeconfig else "",
        "name": name,
        "commonName": f"system:{name}",
        "ouName": "",
        "envName": env,
        "path": f"/etc/kubernetes/ssl/{name}.pem",
        "keyEnvName": f"{env}_KEY",
        "keyPath": f"/etc/kubernetes/ssl/{name}-key.pem",
        "configEnvName": f"KUBECFG_{env}" if kubeconfig else "",
        "configPath": f"/etc/kubernetes/ssl/kubecfg-{name}.yaml" if kubeconfig else "",
    }
