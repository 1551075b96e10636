"""Names, addresses and places of the lab. Everything else in this package takes them from here."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
BRIDGE = "arklab0"
SUBNET = "10.213.77.0/24"
GATEWAY = "10.213.77.1"
SSH_USER = "ops"

KUBERNETES_BUILD = "v1.20.2"
"""What Debian's source package holds; the plan is that of RKE_KUBERNETES_VERSION (rke.md §11.4)."""
RKE_KUBERNETES_VERSION = "v1.20.15-rancher2-1"

HYPERKUBE = f"autorke-lab/hyperkube:{KUBERNETES_BUILD}"
RKE_TOOLS = "autorke-lab/rke-tools:v0.1.80"
ETCD = "autorke-lab/etcd:v3.4.23"
PAUSE = "autorke-lab/pause:3.6"
CNI = "autorke-lab/cni:v1.1.1"
MACHINE = "autorke-lab/machine:bookworm"
CLUSTER_IMAGES = (HYPERKUBE, RKE_TOOLS, ETCD, PAUSE, CNI)


class LabError(Exception):
    """The lab cannot go on; the text says what happened and what to do."""


@dataclass(frozen=True)
class Machine:
    """One machine: `roles` are its rke roles, empty for a free machine; `sn` its serial number in the CMDB."""

    name: str
    address: str
    roles: tuple[str, ...]
    sn: str


MACHINES = (
    Machine("m1", "10.213.77.11", ("controlplane", "etcd"), "LAB0001"),
    Machine("m2", "10.213.77.12", ("worker",), "LAB0002"),
    Machine("m3", "10.213.77.13", (), "LAB0003"),
    Machine("m4", "10.213.77.14", (), "LAB0004"),
)
CONTROL_PLANE = MACHINES[0]
MEMBERS = tuple(machine for machine in MACHINES if machine.roles)
FREE = tuple(machine for machine in MACHINES if not machine.roles)


@dataclass(frozen=True)
class Lab:
    """Where the lab keeps things: `state` goes with `down`, `cache` stays."""

    state: Path
    cache: Path

    @property
    def socket(self) -> str:
        """Docker socket of the engine that runs the machines."""
        return f"unix://{self.state}/engine/docker.sock"

    @property
    def ssh_key(self) -> Path:
        """Private key of the user of all machines."""
        return self.state / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The pinned host keys of all machines."""
        return self.state / "known_hosts"

    @property
    def cluster(self) -> Path:
        """Directory of cluster.yml, cluster.rkestate and kube_config_cluster.yml."""
        return self.state / "cluster"

    @property
    def kubeconfig(self) -> Path:
        """Administrator's kubeconfig, beside cluster.yml as rke writes it."""
        return self.cluster / "kube_config_cluster.yml"

    @property
    def binaries(self) -> Path:
        """The built Kubernetes binaries, kubectl among them."""
        return self.cache / "kubernetes" / KUBERNETES_BUILD


def from_environment() -> Lab:
    """The lab of this computer: AUTORKE_LAB_DIR and AUTORKE_CACHE_DIR, or their defaults."""
    state = Path(os.environ.get("AUTORKE_LAB_DIR", "/var/tmp/autorke-lab"))  # noqa: S108 - survives a reboot's /tmp
    cache = Path(os.environ.get("AUTORKE_CACHE_DIR", Path.home() / ".cache" / "autorke"))
    return Lab(state.resolve(), cache.resolve())


def rke_binary() -> str | None:
    """The user's stock rke: AUTORKE_RKE_BINARY, else the one on PATH, else None.

    Raises LabError if AUTORKE_RKE_BINARY names something that cannot be run.
    """
    named = os.environ.get("AUTORKE_RKE_BINARY")
    found = shutil.which(named or "rke")
    if named and not found:
        raise LabError(f"AUTORKE_RKE_BINARY={named} is not an executable file")
    return found
