"""A kubelet's serving certificate, signed by the cluster's CA out of the state (rke.md §4.7, §6).

rke's CA certificates have the serial number 0, which X.509 libraries refuse. They are read with the number 1 in its
place: only subject, validity and key identifier are taken from them, and the signature is not looked at.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from autorke.drivers.rkefiles.nodes import RkeNode
from autorke.drivers.workerplane.errors import CertificateMissing
from autorke.drivers.workerplane.facts import SSL_DIR
from autorke.drivers.workerplane.spec import serving_certificate_name

_TEN_YEARS = timedelta(days=3650)
_SERIAL_ZERO = bytes.fromhex("a003020102020100")
_SERIAL_ONE = bytes.fromhex("a003020102020101")


def serving_certificate(node: RkeNode, ca_entry: Mapping[str, Any]) -> dict[str, Any]:
    """A new bundle entry `kube-kubelet-<ip>` for a node: RSA 2048, ten years, SANs of its addresses and hostname.

    `ca_entry` is the bundle entry kube-ca with its key. Raises CertificateMissing when the key is not there or not
    that of the certificate.
    """
    name = serving_certificate_name(node)
    authority = read_authority(str(ca_entry.get("certificatePEM") or ""))
    signer = _signer(ca_entry, authority)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = _signed(name, node, key, authority, signer)
    return _bundle_entry(
        name,
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ).decode(),
    )


def read_authority(pem: str) -> x509.Certificate:
    """A CA certificate whose serial number may be 0; with 0, the number of the result is 1."""
    try:
        der = ssl.PEM_cert_to_DER_cert(pem.strip())
        if _SERIAL_ZERO in der[:24]:
            der = der.replace(_SERIAL_ZERO, _SERIAL_ONE, 1)
        return x509.load_der_x509_certificate(der)
    except ValueError as error:
        raise CertificateMissing(field="certificatesBundle.kube-ca.certificatePEM", name="kube-ca") from error


def issued_by(pem: str, authority_pem: str) -> bool:
    """The certificate carries a valid signature of this CA."""
    authority = read_authority(authority_pem)
    public_key = authority.public_key()
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        if not isinstance(public_key, rsa.RSAPublicKey) or certificate.signature_hash_algorithm is None:
            return False
        public_key.verify(
            certificate.signature,
            certificate.tbs_certificate_bytes,
            padding.PKCS1v15(),
            certificate.signature_hash_algorithm,
        )
    except (ValueError, InvalidSignature):
        return False
    return certificate.issuer == authority.subject


def _signer(ca_entry: Mapping[str, Any], authority: x509.Certificate) -> rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(str(ca_entry.get("keyPEM") or "").encode(), None)
    except (ValueError, TypeError) as error:
        raise CertificateMissing(field="certificatesBundle.kube-ca.keyPEM", name="kube-ca.keyPEM") from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.public_key() != authority.public_key():
        raise CertificateMissing(field="certificatesBundle.kube-ca.keyPEM", name="kube-ca.keyPEM")
    return key


def _signed(
    name: str, node: RkeNode, key: rsa.RSAPrivateKey, authority: x509.Certificate, signer: rsa.RSAPrivateKey
) -> x509.Certificate:
    usage = x509.KeyUsage(
        digital_signature=True,
        key_encipherment=True,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(authority.not_valid_before_utc)
        .not_valid_after(datetime.now(UTC) + _TEN_YEARS)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(_key_identifier(authority), critical=False)
        .add_extension(x509.SubjectAlternativeName(_names(node)), critical=False)
    )
    return builder.sign(signer, hashes.SHA256())


def _key_identifier(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        subject = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        public_key = authority.public_key()
        if not isinstance(public_key, rsa.RSAPublicKey):
            raise CertificateMissing(field="certificatesBundle.kube-ca", name="kube-ca") from None
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(public_key)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject)


def _names(node: RkeNode) -> list[x509.GeneralName]:
    """DNS names before addresses, doubles left out, as rke has them."""
    dns: list[x509.GeneralName] = []
    addresses: list[x509.GeneralName] = []
    for value in dict.fromkeys((node.address, node.internal_address)):
        try:
            addresses.append(x509.IPAddress(ipaddress.ip_address(value)))
        except ValueError:
            dns.append(x509.DNSName(value))
    if node.hostname != node.address:
        dns.append(x509.DNSName(node.hostname))
    return [*dns, *addresses]


def _bundle_entry(name: str, certificate: str, key: str) -> dict[str, Any]:
    env = name.upper().replace("-", "_")
    return {
        "certificatePEM": certificate,
        "keyPEM": key,
        "config": "",
        "name": name,
        "commonName": f"system:{name}",
        "ouName": "",
        "envName": env,
        "path": f"{SSL_DIR}/{name}.pem",
        "keyEnvName": f"{env}_KEY",
        "keyPath": f"{SSL_DIR}/{name}-key.pem",
        "configEnvName": "",
        "configPath": "",
    }


_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


def first_certificate(text: str) -> str | None:
    """The first PEM certificate inside some output, or None."""
    match = _CERTIFICATE.search(text)
    if match is None:
        return None
    body = "".join(match.group().splitlines()[1:-1])
    try:
        base64.b64decode(body, validate=True)
    except ValueError:
        return None
    return match.group()
