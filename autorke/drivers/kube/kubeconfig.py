"""A kubeconfig, read strictly: everything inline, TLS verified, no program to run.

A kubeconfig is input from people. One that names files or programs could read and run things on our own hosts, so the
client library's loader, which would do both, is not used.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from autorke.core import plainyaml
from autorke.drivers.kube.errors import KubeconfigUnusable

_LIMIT = 1024 * 1024
_REFUSED = {
    "cluster": ("certificate-authority", "insecure-skip-tls-verify", "proxy-url"),
    "user": ("client-certificate", "client-key", "tokenFile", "exec", "auth-provider", "username", "password"),
}


@dataclass(frozen=True)
class Access:
    """Where a cluster's API is, who it must be and who we are. Secrets are left out of repr()."""

    server: str
    host: str
    port: int
    ca_pem: str
    server_name: str
    certificate_pem: str | None = field(default=None, repr=False)
    key_pem: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


def read_kubeconfig(text: str) -> Access:
    """The current context, or the only one. Raises KubeconfigUnusable; its text never quotes a value."""
    document = _document(text)
    context = _chosen_context(document)
    cluster = _section(document, "clusters", "cluster", context.get("cluster"))
    user = _section(document, "users", "user", context.get("user"))
    server = cluster.get("server")
    parts = urlsplit(server) if isinstance(server, str) else urlsplit("")
    host, port = _address(parts.scheme, parts.hostname, parts)
    certificate, key = _pem(user, "client-certificate-data"), _pem(user, "client-key-data")
    token = user.get("token")
    if (certificate is None) != (key is None):
        raise KubeconfigUnusable(field="users", reason="client-certificate-data and client-key-data go together")
    if certificate is None and not token:
        raise KubeconfigUnusable(field="users", reason="neither a client certificate nor a token")
    ca_pem = _pem(cluster, "certificate-authority-data")
    if ca_pem is None:
        raise KubeconfigUnusable(field="clusters", reason="certificate-authority-data is missing")
    return Access(
        server=f"https://{_bracketed(host)}:{port}{parts.path.rstrip('/')}",
        host=host,
        port=port,
        ca_pem=ca_pem,
        server_name=str(cluster.get("tls-server-name") or host),
        certificate_pem=certificate,
        key_pem=key,
        token=str(token) if token else None,
    )


def _document(text: str) -> Mapping[str, Any]:
    try:
        document = plainyaml.load(text, limit=_LIMIT)
    except plainyaml.NotPlain as error:
        raise KubeconfigUnusable(reason=f"it is {error}") from None
    if not isinstance(document, dict):
        raise KubeconfigUnusable(reason="it is not a mapping")
    return document


def _chosen_context(document: Mapping[str, Any]) -> Mapping[str, Any]:
    name = document.get("current-context")
    contexts = document.get("contexts")
    if not name and isinstance(contexts, list) and len(contexts) == 1 and isinstance(contexts[0], dict):
        name = contexts[0].get("name")
    return _section(document, "contexts", "context", name)


def _section(document: Mapping[str, Any], plural: str, singular: str, name: object) -> Mapping[str, Any]:
    entries = document.get(plural)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(singular), dict):
            section: Mapping[str, Any] = entry[singular]
            for key in _REFUSED.get(singular, ()):
                if section.get(key):
                    raise KubeconfigUnusable(field=f"{plural}.{key}", reason=f"{key} is not supported")
            return section
    raise KubeconfigUnusable(field=plural, reason=f"no {singular} of the name that is referred to")


def _address(scheme: str, host: str | None, parts: Any) -> tuple[str, int]:
    try:
        port = parts.port or 443
    except ValueError:
        port = 0
    if scheme != "https" or not host or not port or parts.username or parts.query:
        raise KubeconfigUnusable(field="clusters.server", reason="server must be https://HOST:PORT")
    return host, port


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _pem(section: Mapping[str, Any], key: str) -> str | None:
    value = section.get(key)
    if not value:
        return None
    try:
        return base64.b64decode(str(value), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise KubeconfigUnusable(field=key, reason=f"{key} is not base64 of PEM") from None
