"""How the command line reaches the machines of a cluster that is known by its files only: keys, host keys, bastion.

rke verifies no host key. We do: the key comes from a known_hosts file or from the command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko

from autorke.drivers.base import HostKeyMissing, SshTarget
from autorke.drivers.rkefiles.cluster_yml import ClusterYml
from autorke.drivers.rkefiles.nodes import RkeNode
from autorke.drivers.rkefiles.storage import read_text

_PREFERRED = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


@dataclass(frozen=True)
class Access:
    """What the operator gave: a known_hosts file, and host keys by address that go before it."""

    known_hosts: Path
    host_keys: Mapping[str, str]


def target_of(node: RkeNode, cluster: ClusterYml, access: Access) -> SshTarget:
    """The node as SSH sees it, with the key that rke would take: the node's own, its path, the cluster's path.

    Raises HostKeyMissing and FileUnreadable.
    """
    entries = {str(entry.get("address")): entry for entry in cluster.document.get("nodes") or ()}
    entry = entries.get(node.address, {})
    return SshTarget(
        name=node.hostname,
        address=node.address,
        user=node.user,
        port=int(node.port),
        host_key=_host_key(node.address, int(node.port), access),
        private_key=node.ssh_key or _private_key(entry, node.ssh_key_path or cluster.ssh_key_path),
        bastion=_bastion(cluster, access),
        docker_socket=node.docker_socket or "/var/run/docker.sock",
    )


def _bastion(cluster: ClusterYml, access: Access) -> SshTarget | None:
    bastion = cluster.document.get("bastion_host") or {}
    address = bastion.get("address")
    if not address:
        return None
    port = int(bastion.get("port") or 22)
    return SshTarget(
        name=f"bastion {address}",
        address=address,
        user=bastion.get("user") or "",
        port=port,
        host_key=_host_key(address, port, access),
        private_key=_private_key(bastion, bastion.get("ssh_key_path") or cluster.ssh_key_path),
    )


def _private_key(entry: Mapping[str, Any], key_path: str) -> str:
    inline = entry.get("ssh_key")
    return str(inline) if inline else read_text(Path(key_path or "~/.ssh/id_rsa").expanduser())


def _host_key(address: str, port: int, access: Access) -> str:
    given = access.host_keys.get(address)
    if given:
        return given
    name = address if port == 22 else f"[{address}]:{port}"
    known = paramiko.HostKeys()
    if access.known_hosts.exists():
        known.load(str(access.known_hosts))
    found = known.lookup(name)
    for kind in _PREFERRED if found else ():
        if found and kind in found:
            return f"{kind} {found[kind].get_base64()}"
    raise HostKeyMissing(field=str(access.known_hosts), name=name)
