"""Private registries of rkeConfig: which credentials an image needs, and the docker config that the kubelet gets."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_HUB = "docker.io"


@dataclass(frozen=True)
class Registry:
    url: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    ecr: bool = False

    @property
    def has_credentials(self) -> bool:
        return bool(self.user or self.password)


def read_registries(entries: Iterable[Mapping[str, Any]]) -> tuple[Registry, ...]:
    """One registry per URL, the later entry of the same URL winning, in rke's order of keys (sorted)."""
    by_url: dict[str, Registry] = {}
    for entry in entries:
        url = entry.get("url") or _HUB
        by_url[url] = Registry(
            url=url,
            user=entry.get("user") or "",
            password=entry.get("password") or "",
            ecr=entry.get("ecrCredentialPlugin") is not None,
        )
    return tuple(by_url[url] for url in sorted(by_url))


def docker_config(registries: Iterable[Registry]) -> str:
    """The docker config.json that rke hands to the kubelet, byte for byte (Go's JSON escapes <, > and &).

    A registry without credentials still gets the auth of an empty user and password, `Og==` (rke.md §13).
    """
    auths: dict[str, dict[str, str]] = {}
    helpers: dict[str, str] = {}
    for registry in registries:
        if registry.ecr:
            helpers[registry.url] = "ecr-login"
        else:
            pair = f"{registry.user}:{registry.password}".encode()
            auths[registry.url] = {"auth": base64.b64encode(pair).decode()}
    document: dict[str, Any] = {}
    if auths:
        document["auths"] = auths
    if helpers:
        document["credHelpers"] = helpers
    return go_json(document)


def go_json(value: Any) -> str:
    """Compact JSON as Go writes it: HTML characters and line separators escaped."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return escape_as_go(text)


def escape_as_go(text: str) -> str:
    """JSON text with the five characters escaped that Go escapes; they occur inside strings only."""
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def credentials_for(image: str, registries: Iterable[Registry]) -> dict[str, str] | None:
    """User and password for pulling an image, or None. The registry is matched as rke does: host, or host/path
    without the last two parts of the image name."""
    host, path = _split(image)
    parts = path.split("/")
    url = "/".join([host, *parts[:-2]]) if len(parts) > 2 else host
    for registry in registries:
        if registry.url == url and registry.has_credentials:
            return {"username": registry.user, "password": registry.password}
    return None


def _split(image: str) -> tuple[str, str]:
    """Host and repository path of an image reference, Docker Hub's short names written out."""
    name = image.partition("@")[0]
    head, slash, rest = name.partition("/")
    has_host = bool(slash) and ("." in head or ":" in head or head == "localhost" or head != head.lower())
    host, path = (head, rest) if has_host else (_HUB, name)
    if host == "index.docker.io":
        host = _HUB
    base, colon, tag = path.rpartition(":")
    if colon and "/" not in tag:
        path = base
    if host == _HUB and "/" not in path:
        path = f"library/{path}"
    return host, path
