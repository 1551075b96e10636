"""Certificates as rke makes them: a CA per cluster, RSA 2048, ten years, leaves named as in a state file's
`certificatesBundle`.

Key generation is the slow part of starting a simulation, so leaves of one cluster share one key (rke itself lets
kube-node and kube-proxy share theirs). The CA key is always the cluster's own.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SSL = "/etc/kubernetes/ssl"
Bundle = dict[str, dict[str, str]]
"""Entry name to its fields, as in a state file."""
TEN_YEARS = timedelta(days=3650)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key as PEM text."""

    certificate: str
    key: str


class Authority:
    """A certificate authority, able to issue leaves; made anew, or again from its certificate and key."""

    def __init__(self, name: str, pair: Pair | None = None) -> None:
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._since = datetime.now(UTC) - timedelta(hours=1)
        self._key = _private_key(pair.key) if pair else rsa.generate_private_key(65537, 2048)
        self.pair = pair or self._self_signed()

    def _self_signed(self) -> Pair:
        usage = _usage(sign=True)
        built = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return Pair(_pem(built), _key_pem(self._key))

    def issue(
        self, key: rsa.RSAPrivateKey, name: str, organisation: str = "", sans: Sequence[str] | None = None
    ) -> Pair:
        """A client certificate; with `sans` (names and addresses) one for servers too."""
        parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)] if organisation else []
        subject = x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, name)])
        purposes = [ExtendedKeyUsageOID.CLIENT_AUTH] + ([ExtendedKeyUsageOID.SERVER_AUTH] if sans else [])
        builder = (
            self._builder(subject, key.public_key())
            .add_extension(_usage(sign=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if sans:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general(san) for san in sans]), critical=False
            )
        return Pair(_pem(builder.sign(self._key, hashes.SHA256())), _key_pem(key))

    def _builder(self, subject: x509.Name, key: rsa.RSAPublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._since)
            .not_valid_after(self._since + TEN_YEARS)
        )


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=True,
        key_cert_sign=sign,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general(san: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(san))
    except ValueError:
        return x509.DNSName(san)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _private_key(pem: str) -> rsa.RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("not an RSA key")
    return key


def _key_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


class ClusterPki:
    """All certificates of one cluster. `masters` and `etcd` are (host name, address) pairs; with the `known` bundle of
    an earlier run they are the same ones again.
    """

    def __init__(
        self,
        masters: Sequence[tuple[str, str]],
        etcd: Sequence[tuple[str, str]],
        service_address: str,
        known: Bundle | None = None,
    ) -> None:
        self._known = known
        self.ca = Authority("kube-ca", _known_pair(known, "kube-ca"))
        front = "kube-apiserver-requestheader-ca"
        self._front = Authority(front, _known_pair(known, front))
        leaf = _known_pair(known, "kube-apiserver")
        self._key = _private_key(leaf.key) if leaf else rsa.generate_private_key(65537, 2048)
        self._first = masters[0][1]
        names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        names += ["kubernetes.default.svc.cluster.local", "127.0.0.1", service_address]
        api_names = names + [word for pair in masters for word in pair]
        self._etcd_sans = names + [word for pair in etcd for word in pair]
        self._etcd = list(etcd)
        self.api = leaf or self.ca.issue(self._key, "kube-apiserver", sans=api_names)
        admin = _known_pair(known, "kube-admin")
        self.admin = admin or self.ca.issue(self._key, "kube-admin", "system:masters")

    def etcd_pair(self) -> Pair:
        return self.ca.issue(self._key, "kube-etcd", sans=self._etcd_sans)

    def bundle(self) -> Bundle:
        """`certificatesBundle` of a state file."""
        if self._known is not None:
            return self._known
        clients = {
            "kube-controller-manager": ("system:kube-controller-manager", ""),
            "kube-node": ("system:node", "system:nodes"),
            "kube-proxy": ("system:kube-proxy", ""),
            "kube-scheduler": ("system:kube-scheduler", ""),
        }
        out = {
            "kube-ca": _entry("kube-ca", self.ca.pair, "system:kube-ca"),
            "kube-apiserver-requestheader-ca": _entry(
                "kube-apiserver-requestheader-ca",
                self._front.pair,
                "system:kube-apiserver-requestheader-ca",
                client=True,
            ),
            "kube-apiserver": _entry("kube-apiserver", self.api, "system:kube-apiserver"),
            "kube-service-account-token": _entry("kube-service-account-token", self.api, "kube-service-account-token"),
            "kube-apiserver-proxy-client": _entry(
                "kube-apiserver-proxy-client",
                self._front.issue(self._key, "kube-apiserver-proxy-client"),
                "system:kube-apiserver-proxy-client",
                client=True,
            ),
            "kube-admin": self._admin_entry(),
        }
        for name, (common, organisation) in clients.items():
            pair = self.ca.issue(self._key, common, organisation)
            out[name] = _entry(name, pair, common, organisation, client=True)
        for _host, address in self._etcd:
            name = "kube-etcd-" + address.replace(".", "-")
            out[name] = _entry(name, self.etcd_pair(), f"system:{name}")
        return dict(sorted(out.items()))

    def _admin_entry(self) -> dict[str, str]:
        entry = _entry("kube-admin", self.admin, "kube-admin", "system:masters")
        return entry | {
            "config": self.kubeconfig(),
            "configEnvName": "KUBECFG_KUBE_ADMIN",
            "configPath": "./kube_config_cluster.yml",
        }

    def kubeconfig(self, address: str = "", port: int = 6443) -> str:
        """The administrator's kubeconfig, as rke writes it beside cluster.yml."""
        ca, certificate, key = (
            base64.b64encode(text.encode()).decode()
            for text in (self.ca.pair.certificate, self.admin.certificate, self.admin.key)
        )
        return "\n".join([
            "apiVersion: v1",
            "kind: Config",
            "clusters:",
            "- cluster:",
            "    api-version: v1",
            f"    certificate-authority-data: {ca}",
            f'    server: "https://{address or self._first}:{port}"',
            '  name: "local"',
            "contexts:",
            "- context:",
            '    cluster: "local"',
            '    user: "kube-admin-local"',
            '  name: "local"',
            'current-context: "local"',
            "users:",
            '- name: "kube-admin-local"',
            "  user:",
            f"    client-certificate-data: {certificate}",
            f"    client-key-data: {key}",
        ])  # fmt: skip


def _known_pair(known: Bundle | None, name: str) -> Pair | None:
    return Pair(known[name]["certificatePEM"], known[name]["keyPEM"]) if known else None


def _entry(name: str, pair: Pair, common: str, organisation: str = "", *, client: bool = False) -> dict[str, str]:
    variable = name.upper().replace("-", "_")
    return {
        "certificatePEM": pair.certificate,
        "keyPEM": pair.key,
        "config": _component_config(name) if client else "",
        "name": name,
        "commonName": common,
        "ouName": organisation,
        "envName": variable,
        "path": f"{SSL}/{name}.pem",
        "keyEnvName": f"{variable}_KEY",
        "keyPath": f"{SSL}/{name}-key.pem",
        "configEnvName": f"KUBECFG_{variable}" if client else "",
        "configPath": f"{SSL}/kubecfg-{name}.yaml" if client else "",
    }


def _component_config(name: str) -> str:
    """The kubeconfig of a component on a node: through 127.0.0.1:6443."""
    return "\n".join([
        "apiVersion: v1",
        "kind: Config",
        "clusters:",
        "- cluster:",
        "    api-version: v1",
        f"    certificate-authority: {SSL}/kube-ca.pem",
        '    server: "https://127.0.0.1:6443"',
        '  name: "local"',
        "contexts:",
        "- context:",
        '    cluster: "local"',
        f'    user: "{name}-local"',
        '  name: "local"',
        'current-context: "local"',
        "users:",
        f'- name: "{name}-local"',
        "  user:",
        f"    client-certificate: {SSL}/{name}.pem",
        f"    client-key: {SSL}/{name}-key.pem",
    ])  # fmt: skip
