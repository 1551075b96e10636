"""What a kubeconfig says, read strictly: it is input from people, and a kubeconfig can name commands and files."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import ssl
from typing import Any
from urllib.parse import urlsplit

from autorke.core import outside, plainyaml
from autorke.credentials.errors import KubeconfigRefused

# These would make this host run a command, or read one of its files, whenever somebody uses the cluster.
COMMANDS = ("exec", "auth-provider")
LIMIT = 500_000
PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
# Only the armour is read: rke's CA has the serial number 0, which X.509 libraries refuse (rke.md §13).
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def _refuse(zh: str, en: str) -> KubeconfigRefused:
    return KubeconfigRefused(field="secret.kubeconfig", zh=zh, en=en)


def _entries(document: dict[str, Any], section: str, body: str) -> dict[str, dict[str, Any]]:
    """`clusters: [{name, cluster: {…}}]` as name → body."""
    found: dict[str, dict[str, Any]] = {}
    listed = document.get(section)
    for item in listed if isinstance(listed, list) else []:
        if not isinstance(item, dict) or not isinstance(item.get(body), dict):
            raise _refuse(f"{section} 中有一项没有 {body}", f"an item of {section} has no {body}")
        found[str(item.get("name"))] = item[body]
    if not found:
        raise _refuse(f"没有 {section}", f"it has no {section}")
    return found


def _self_contained(entry: dict[str, Any]) -> None:
    for name in COMMANDS:
        if name in entry:
            raise _refuse(f"不接受 {name}：它会在平台主机上执行命令", f"{name} would run a command on this host")
    for name in PATHS:
        if name in entry:
            raise _refuse(f"{name} 指向文件，请改用 {name}-data", f"{name} is a path; put the data inside")
    if entry.get("insecure-skip-tls-verify"):
        raise _refuse("不接受 insecure-skip-tls-verify", "insecure-skip-tls-verify is not accepted")


def _pem(entry: dict[str, Any], name: str) -> bytes | None:
    if name not in entry:
        return None
    try:
        return base64.b64decode(str(entry[name]), validate=True)
    except binascii.Error as error:
        raise _refuse(f"{name} 不是 base64", f"{name} is not base64") from error


def _ca_digest(cluster: dict[str, Any]) -> str | None:
    pem = _pem(cluster, "certificate-authority-data")
    if pem is None:
        return None
    found = _CERTIFICATE.search(pem)
    try:
        der = ssl.PEM_cert_to_DER_cert(found[0].decode()) if found else b""
    except ValueError:
        der = b""
    if not der.startswith(b"\x30"):
        raise _refuse("certificate-authority-data 不是证书", "certificate-authority-data is no certificate")
    return hashlib.sha256(der).hexdigest()


def _is_denied(host: str) -> bool:
    """Metadata services and the like; loopback may be a cluster on this machine."""
    try:
        return outside.denied(host, allow_loopback=True)
    except ValueError:  # a name
        return False


def inspect(text: str) -> dict[str, Any]:
    """What may be shown: context, server, user, SHA-256 of the first CA certificate. Raises KubeconfigRefused."""
    try:
        document = plainyaml.load(text, limit=LIMIT)
    except plainyaml.NotPlain as error:
        raise _refuse(f"不是合法的 YAML（{error}）", f"it is not valid YAML ({error})") from error
    if not isinstance(document, dict):
        raise _refuse("不是一个对象", "it is not a mapping")
    clusters = _entries(document, "clusters", "cluster")
    users = _entries(document, "users", "user")
    contexts = _entries(document, "contexts", "context")
    for entry in (*clusters.values(), *users.values()):
        _self_contained(entry)
    name = str(document.get("current-context"))
    if name not in contexts:
        raise _refuse("current-context 不存在", "its current-context is not there")
    context = contexts[name]
    cluster, user = clusters.get(str(context.get("cluster"))), users.get(str(context.get("user")))
    if cluster is None or user is None:
        raise _refuse("当前 context 指向不存在的集群或用户", "its context names a cluster or user that is not there")
    server = str(cluster.get("server", ""))
    if urlsplit(server).scheme != "https" or not urlsplit(server).hostname:
        raise _refuse("server 不是 https 地址", "its server is not an https address")
    if _is_denied(str(urlsplit(server).hostname)):
        raise _refuse("server 不是集群可能有的地址", "its server is at an address that no cluster has")
    for field in ("client-certificate-data", "client-key-data"):
        _pem(user, field)
    return {"context": name, "server": server, "user": str(context["user"]), "ca_sha256": _ca_digest(cluster)}
