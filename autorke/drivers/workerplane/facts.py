"""What stock rke knows by heart about worker components, per Kubernetes line (rke.md §4.3, §4.4, §13).

Values were compared with what stock rke sends for every line from 1.15 to 1.30.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from autorke.drivers.workerplane.errors import UnknownKubernetesVersion

FIRST_LINE, LAST_LINE = 15, 30

CONTAINER_LABEL = "io.rancher.rke.container.name"
SSL_DIR = "/etc/kubernetes/ssl"
CLOUD_CONFIG_PATH = "/etc/kubernetes/cloud-config"
WEBHOOK_PATH = "/etc/kubernetes/kube-api-authn-webhook.yaml"
REGISTRY_CONFIG_PATH = "/var/lib/kubelet/config.json"
LOG_DIR = "/var/lib/rancher/rke/log"

KUBELET_HEALTH_PORT = 10248
KUBE_PROXY_HEALTH_PORT = 10256

MCS_LABEL = "label=level:s0:c1000,c1001"
TYPE_LABEL = "label=type:rke_container_t"

CONTROLPLANE_TAINT = "node-role.kubernetes.io/controlplane=true:NoSchedule"

# Hosts of these systems keep rke's files elsewhere, whatever cluster.yml says about "/" (rke.md §1.1, prefix_path).
FORCED_PREFIXES = (
    ("Boot2Docker", "/mnt/sda1/rke"),
    ("RancherOS", "/opt/rke"),
    ("CoreOS", "/opt/rke"),
    ("Flatcar", "/opt/rke"),
)

LONG_LIVED = ("nginx-proxy", "service-sidekick", "kubelet", "kube-proxy")

_CIPHERS = ",".join(
    f"TLS_ECDHE_{key}_WITH_{cipher}"
    for key in ("ECDSA", "RSA")
    for cipher in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305")
)

_KUBELET = {
    "address": "0.0.0.0",  # noqa: S104 - the kubelet's own flag value, not a socket of ours
    "anonymous-auth": "false",
    "authentication-token-webhook": "true",
    "authorization-mode": "Webhook",
    "cgroups-per-qos": "True",
    "event-qps": "0",
    "make-iptables-util-chains": "true",
    "read-only-port": "0",
    "resolv-conf": "/etc/resolv.conf",
    "streaming-connection-idle-timeout": "30m",
    "tls-cipher-suites": _CIPHERS,
    "v": "2",
    "volume-plugin-dir": "/var/lib/kubelet/volumeplugins",
}
_KUBELET_CNI = {"cni-bin-dir": "/opt/cni/bin", "cni-conf-dir": "/etc/cni/net.d", "network-plugin": "cni"}

KUBE_PROXY_OPTIONS: Mapping[str, str] = MappingProxyType({"healthz-bind-address": "127.0.0.1", "v": "2"})

_VERSION = re.compile(r"v?1\.(\d{1,3})(?:\.(\d{1,6}))?(?:[-+].*)?\Z")
_TAG = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?\Z")
_ENTRYPOINT = "/opt/rke-tools/entrypoint.sh"
_OLD_ENTRYPOINT, _ENTRYPOINT_MOVED = "/opt/rke/entrypoint.sh", (0, 1, 13)


def kubelet_options(line: int) -> dict[str, str]:
    """Flags that rke's version data adds to the kubelet of Kubernetes 1.`line`; dockershim left with 1.24."""
    return dict(_KUBELET) if line >= 24 else {**_KUBELET, **_KUBELET_CNI}


def line_of(version: str) -> int:
    """The minor number of `v1.20.15-rancher2-1`. Raises UnknownKubernetesVersion outside 1.15 to 1.30."""
    match = _VERSION.match(version)
    if match is None or not FIRST_LINE <= int(match[1]) <= LAST_LINE:
        raise UnknownKubernetesVersion(field="kubernetesVersion", version=version[:60])
    return int(match[1])


def option_line_of(version: str, kubernetes_image: str) -> int:
    """The line whose options rke takes: the tag of the kubernetes image wins over the version (rke.md §4.1)."""
    tag = kubernetes_image.rpartition("/")[2].partition(":")[2].partition("@")[0]
    return line_of(tag) if _VERSION.match(tag) else line_of(version)


def patch_of(version: str) -> int:
    """The patch number of a version that `line_of` accepts; 0 where it names none."""
    match = _VERSION.match(version)
    return int(match[2] or 0) if match else 0


def entrypoint_of(tools_image: str) -> str:
    """Where the rke-tools image of this tag keeps its entrypoint; a tag that is no version is taken for a new one."""
    match = _TAG.match(tools_image.rpartition(":")[2])
    if match is None:
        return _ENTRYPOINT
    number = (int(match[1]), int(match[2]), int(match[3]))
    older = number < _ENTRYPOINT_MOVED or (number == _ENTRYPOINT_MOVED and match[4] is not None)
    return _OLD_ENTRYPOINT if older else _ENTRYPOINT
