"""The certificate bundle of a new cluster, as rke makes and stores it (rke.md §2.1, §6).

RSA 2048, ten years, CA certificates with serial number 0 (rke.md §13). Keys are shared as rke shares them: the
node's is kube-proxy's, the service account token's is the API server's.
"""

import base64
import datetime
import ipaddress
import secrets
import subprocess
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lablib.settings import HERE, LabError, Machine

SSL = "/etc/kubernetes/ssl"
LOCAL_API = "https://127.0.0.1:6443"
YEARS_10 = datetime.timedelta(days=3650)
CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
CLIENT_AND_SERVER = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)


@dataclass(frozen=True)
class Authority:
    """A CA that signs the others."""

    name: str
    key: rsa.RSAPrivateKey
    pem: str
    since: datetime.datetime


@dataclass(frozen=True)
class Leaf:
    """Who a certificate is for. `entry` is its name in the bundle, `shares` the entry whose key it uses."""

    entry: str
    subject: str
    group: str = ""
    usage: tuple[x509.ObjectIdentifier, ...] = CLIENT
    shares: str = ""
    kubeconfig: bool = True
    common_name: str = ""


def bundle(control_plane: Machine, service_ip: str, domain: str) -> dict[str, dict[str, Any]]:
    """All entries of `certificatesBundle` for one controlplane+etcd machine, by name."""
    ca = _authority("kube-ca")
    front_ca = _authority("kube-apiserver-requestheader-ca")
    etcd = f"kube-etcd-{control_plane.address.replace('.', '-')}"
    names = [control_plane.name, "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    names.append(f"kubernetes.default.svc.{domain}")
    sans = x509.SubjectAlternativeName(
        [x509.DNSName(name) for name in names]
        + [x509.IPAddress(ipaddress.ip_address(ip)) for ip in (control_plane.address, "127.0.0.1", service_ip)]
    )
    keys: dict[str, rsa.RSAPrivateKey] = {}
    pems: dict[str, str] = {}
    found: dict[str, dict[str, Any]] = {
        ca.name: _entry(ca.name, ca.pem, ca.key, kubeconfig=""),
        front_ca.name: _entry(front_ca.name, front_ca.pem, front_ca.key, kubeconfig=_kubeconfig(front_ca.name)),
    }
    for leaf in (
        Leaf("kube-apiserver", "kube-apiserver", usage=CLIENT_AND_SERVER, kubeconfig=False),
        Leaf("kube-controller-manager", "system:kube-controller-manager"),
        Leaf("kube-scheduler", "system:kube-scheduler"),
        Leaf("kube-proxy", "system:kube-proxy"),
        Leaf("kube-node", "system:node", group="system:nodes", shares="kube-proxy", common_name="system:node"),
        Leaf("kube-admin", "kube-admin", group="system:masters", common_name="kube-admin"),
        Leaf("kube-apiserver-proxy-client", "kube-apiserver-proxy-client", usage=CLIENT_AND_SERVER),
        Leaf(etcd, "kube-etcd", usage=CLIENT_AND_SERVER, kubeconfig=False),
    ):
        key = keys[leaf.shares] if leaf.shares else rsa.generate_private_key(65537, 2048)
        issuer = front_ca if leaf.entry == "kube-apiserver-proxy-client" else ca
        with_sans = sans if leaf.entry in ("kube-apiserver", etcd) else None
        keys[leaf.entry], pems[leaf.entry] = key, _sign(issuer, leaf, key, with_sans)
        kubeconfig = _kubeconfig(leaf.entry) if leaf.kubeconfig else ""
        if leaf.entry == "kube-admin":
            kubeconfig = _admin_kubeconfig(control_plane.address, ca.pem, pems[leaf.entry], _key_pem(key))
        found[leaf.entry] = _entry(leaf.entry, pems[leaf.entry], key, kubeconfig, leaf.common_name, leaf.group)
    account = "kube-service-account-token"
    found[account] = _entry(account, pems["kube-apiserver"], keys["kube-apiserver"], "", common_name=account)
    return dict(sorted(found.items()))


def _authority(name: str) -> Authority:
    """A self-signed CA. openssl makes it: the Python library refuses serial number 0."""
    key = rsa.generate_private_key(65537, 2048)
    since = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    argv = ["openssl", "req", "-x509", "-new", "-sha256", "-set_serial", "0", "-days", str(YEARS_10.days)]
    argv += ["-config", str(HERE / "ca.cnf"), "-subj", f"/CN={name}", "-key", "/dev/stdin"]
    done = subprocess.run(argv, input=_key_pem(key).encode(), capture_output=True, timeout=30)
    if done.returncode:
        raise LabError(f"openssl req: {done.stderr.decode()}")
    return Authority(name, key, done.stdout.decode(), since)


def _sign(issuer: Authority, leaf: Leaf, key: rsa.RSAPrivateKey, sans: x509.SubjectAlternativeName | None) -> str:
    """The PEM of a leaf, valid from its CA's first moment."""
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, leaf.subject)]
    if leaf.group:
        subject.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, leaf.group))
    usage = dict.fromkeys(
        ("content_commitment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign", "encipher_only"),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer.name)]))
        .public_key(key.public_key())
        .serial_number(secrets.randbits(63) | 1)
        .not_valid_before(issuer.since)
        .not_valid_after(datetime.datetime.now(datetime.UTC) + YEARS_10)
        .add_extension(
            x509.KeyUsage(digital_signature=True, key_encipherment=True, decipher_only=False, **usage), critical=True
        )
        .add_extension(x509.ExtendedKeyUsage(leaf.usage), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )
    if sans is not None:
        builder = builder.add_extension(sans, critical=False)
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


def _entry(
    name: str, pem: str, key: rsa.RSAPrivateKey, kubeconfig: str, common_name: str = "", group: str = ""
) -> dict[str, Any]:
    """One entry of the bundle, with the names under which `cert-deployer` gets and writes it."""
    env = name.upper().replace("-", "_")
    place = "./kube_config_cluster.yml" if name == "kube-admin" else f"{SSL}/kubecfg-{name}.yaml"
    return {
        "certificatePEM": pem,
        "keyPEM": _key_pem(key),
        "config": kubeconfig,
        "name": name,
        "commonName": common_name or f"system:{name}",
        "ouName": group,
        "envName": env,
        "path": f"{SSL}/{name}.pem",
        "keyEnvName": f"{env}_KEY",
        "keyPath": f"{SSL}/{name}-key.pem",
        "configEnvName": f"KUBECFG_{env}" if kubeconfig else "",
        "configPath": place if kubeconfig else "",
    }


def _kubeconfig(name: str) -> str:
    """The kubeconfig of a component, by file paths, without a newline at its end."""
    return f"""apiVersion: v1
kind: Config
clusters:
- cluster:
    api-version: v1
    certificate-authority: {SSL}/kube-ca.pem
    server: "{LOCAL_API}"
  name: "local"
contexts:
- context:
    cluster: "local"
    user: "{name}-local"
  name: "local"
current-context: "local"
users:
- name: "{name}-local"
  user:
    client-certificate: {SSL}/{name}.pem
    client-key: {SSL}/{name}-key.pem"""


def _admin_kubeconfig(address: str, ca: str, pem: str, key: str) -> str:
    """The administrator's kubeconfig, with certificates and key inside."""
    ca64, pem64, key64 = (base64.b64encode(text.encode()).decode() for text in (ca, pem, key))
    return f"""apiVersion: v1
kind: Config
clusters:
- cluster:
    api-version: v1
    certificate-authority-data: {ca64}
    server: "https://{address}:6443"
  name: "local"
contexts:
- context:
    cluster: "local"
    user: "kube-admin-local"
  name: "local"
current-context: "local"
users:
- name: "kube-admin-local"
  user:
    client-certificate-data: {pem64}
    client-key-data: {key64}"""
