"""Images as a simulated engine knows them: a name, an id derived from it, and the part of the image config that
containers inherit.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Image:
    """`name` always carries a tag. `env`, `cmd`, `entrypoint` and `volumes` are what a container inherits."""

    name: str
    env: tuple[str, ...] = (PATH,)
    cmd: tuple[str, ...] = ("/bin/sh",)
    entrypoint: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    size: int = 100_000_000

    @property
    def id(self) -> str:
        return "sha256:" + hashlib.sha256(self.name.encode()).hexdigest()

    def inspect(self) -> dict[str, Any]:
        repository = self.name.rpartition(":")[0]
        config: dict[str, Any] = {
            "Env": list(self.env),
            "Cmd": list(self.cmd) or None,
            "Entrypoint": list(self.entrypoint) or None,
            "Volumes": {volume: {} for volume in self.volumes} or None,
            "Labels": None,
            "WorkingDir": "",
            "User": "",
        }
        return {
            "Id": self.id,
            "RepoTags": [self.name],
            "RepoDigests": [f"{repository}@{self.id}"],
            "Created": "2022-01-01T00:00:00Z",
            "Architecture": "amd64",
            "Os": "linux",
            "Size": self.size,
            "VirtualSize": self.size,
            "Config": config,
            "RootFS": {"Type": "layers", "Layers": [self.id]},
        }

    def summary(self) -> dict[str, Any]:
        full = self.inspect()
        keys = ("Id", "RepoTags", "RepoDigests", "Size", "VirtualSize")
        return {key: full[key] for key in keys} | {
            "Containers": -1,
            "Created": 1640995200,
            "Labels": None,
            "ParentId": "",
            "SharedSize": -1,
        }


def tagged(name: str) -> str:
    """A reference with its tag, in the short form that Docker shows (`docker.io/x` is `x`)."""
    name = name.removeprefix("docker.io/").removeprefix("library/")
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"


@cache
def image(name: str) -> Image:
    """The image that a registry delivers under a name."""
    name = tagged(name)
    short = name.rpartition("/")[2].partition(":")[0]
    if short == "rke-tools":
        return Image(
            name,
            (PATH, "NGINX_VERSION=1.21.4"),
            ("nginx", "-g", "daemon off;"),
            ("/docker-entrypoint.sh",),
            ("/opt/rke-tools",),
        )
    if short == "hyperkube":
        return Image(name, (PATH,), ("/bin/bash",), size=2_000_000_000)
    if short.endswith("pause"):
        return Image(name, (PATH,), (), ("/pause",), size=700_000)
    return Image(name)
