"""TLS towards a cluster's API: its CA and our identity go from memory to OpenSSL, never through a file on a disk."""

from __future__ import annotations

import hashlib
import os
import re
import ssl

from autorke.drivers.kube.errors import KubeconfigUnusable
from autorke.drivers.kube.kubeconfig import Access

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

# X509_V_ERR_…: wrong signature (every rke cluster's CA has the same name), self-signed leaf, self-signed in chain,
# issuer unknown in two forms.
_NOT_OF_THIS_CA = {7, 18, 19, 20, 21}


def client_context(access: Access, *, ca_pem: str | None = None) -> ssl.SSLContext:
    """Trusts the kubeconfig's CA and nothing else. Raises KubeconfigUnusable.

    Built from the bare class: newer Pythons would add VERIFY_X509_STRICT, which rke's certificates do not satisfy.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=ca_pem or access.ca_pem)
    except (ssl.SSLError, ValueError) as error:
        raise KubeconfigUnusable(field="certificate-authority-data", reason="the CA is not a certificate") from error
    if access.certificate_pem and access.key_pem:
        _load_identity(context, access.certificate_pem, access.key_pem)
    return context


def _load_identity(context: ssl.SSLContext, certificate_pem: str, key_pem: str) -> None:
    """OpenSSL takes an identity from a file only, so it gets one that exists in memory alone."""
    memory = os.memfd_create("kube-identity", os.MFD_CLOEXEC)
    try:
        os.write(memory, f"{certificate_pem}\n{key_pem}\n".encode())
        context.load_cert_chain(f"/proc/self/fd/{memory}", password=_no_password)
    except (ssl.SSLError, OSError, ValueError):
        reason = "the client certificate and its key are damaged or do not belong together"
        raise KubeconfigUnusable(field="client-certificate-data", reason=reason) from None
    finally:
        os.close(memory)


def _no_password() -> str:
    """Without it OpenSSL would ask at the terminal for the passphrase of a locked key."""
    raise ValueError("the key is locked")


def certificates_in(pem: str) -> list[str]:
    return _CERTIFICATE.findall(pem)


def fingerprint(pem: str) -> str:
    """SHA-256 of the certificate's DER bytes, in hex. rke's CAs have serial number 0, so nothing is parsed."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def is_other_ca(error: BaseException | None) -> bool:
    """Whether a failed handshake, anywhere in the chain of causes, was about who issued the certificate."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_code in _NOT_OF_THIS_CA
        error = error.__cause__ or error.__context__
    return False
