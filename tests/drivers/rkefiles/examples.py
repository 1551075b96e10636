"""The recorded state files and small cluster.yml texts, for the tests of this package."""

from __future__ import annotations

from pathlib import Path

from autorke.drivers.rkefiles.nodes import RkeNode

DIRECTORY = Path(__file__).parents[2] / "fixtures" / "rke" / "rkestate"


def text(name: str) -> str:
    return (DIRECTORY / name).read_text()


def worker(address: str = "127.0.0.24", hostname: str = "w4", **more: object) -> RkeNode:
    values: dict[str, object] = {"roles": ("worker",), "user": "root", "internal_address": address, **more}
    return RkeNode(address=address, hostname=hostname, **values)  # type: ignore[arg-type]


COMMENTED = """\
# 生产集群 A，勿动  # keep
kubernetes_version: "v1.20.15-rancher2-1"   # pinned
nodes:
    # control plane
    - address: 10.0.0.1
      user: root
      role: [controlplane, etcd]
      hostname_override: 'cp1'
    - address: 10.0.0.2     # first worker
      user: root
      role: [worker]
      hostname_override: w2
      labels: {zone: z1}
      # end of w2

# services
services:
  kubelet:
    extra_args:
      max-pods: 250
ssh_key_path: ~/.ssh/id_rsa
"""
