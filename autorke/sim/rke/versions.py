"""What a simulated cluster of a Kubernetes line runs: image names as rke's version data has them, and the kubelet's
version.

1.18 and 1.20 carry the names recorded from stock rke; for the later lines names follow `rke.md` §5.4 and are
plausible, not recorded.
"""

from __future__ import annotations

import re

from autorke.sim.kube.cluster import Versions

_TOOLS = {18: "v0.1.75", 20: "v0.1.80", 22: "v0.1.87", 24: "v0.1.90", 26: "v0.1.96", 28: "v0.1.100", 30: "v0.1.103"}
_ETCD = {
    18: "v3.4.15-rancher1",
    20: "v3.4.15-rancher1",
    22: "v3.5.0",
    24: "v3.5.4",
    26: "v3.5.6",
    28: "v3.5.9",
    30: "v3.5.12",
}
_CALICO = {18: "v3.13.4", 20: "v3.17.2", 22: "v3.21.1", 24: "v3.22.5", 26: "v3.25.0", 28: "v3.26.3", 30: "v3.28.1"}
_PAUSE = {18: "3.1", 20: "3.6", 22: "3.6", 24: "3.6", 26: "3.7", 28: "3.7", 30: "3.7"}


def line_of(version: str) -> int:
    """Minor number of `v1.20.15-rancher2-1`. Raises ValueError."""
    found = re.fullmatch(r"v1\.(\d+)\.\d+-rancher\d+-\d+", version)
    if found is None or int(found[1]) not in _TOOLS:
        raise ValueError(f"no simulated Kubernetes version {version!r}; lines known: {sorted(_TOOLS)}")
    return int(found[1])


def versions_of(version: str) -> Versions:
    """Everything that follows from a cluster.yml's `kubernetes_version`. Raises ValueError for a line that is not
    simulated.
    """
    line = line_of(version)
    calico = _CALICO[line]
    major, minor = calico.removeprefix("v").split(".")[:2]
    image = version.rpartition("-")[0]
    return Versions(version, image.partition("-")[0], (int(major), int(minor)), system_images(line, image))


def system_images(line: int, tag: str) -> dict[str, str]:
    """`systemImages` of rkeConfig, reduced to what a Calico cluster uses."""
    mirrored = "" if line < 20 else "mirrored-"
    tools = f"rancher/rke-tools:{_TOOLS[line]}"
    calico = _CALICO[line]
    pause = f"rancher/{mirrored}pause:{_PAUSE[line]}"
    return {
        "etcd": f"rancher/{mirrored}coreos-etcd:{_ETCD[line]}",
        "alpine": tools,
        "nginxProxy": tools,
        "certDownloader": tools,
        "kubernetesServicesSidecar": tools,
        "coredns": f"rancher/{mirrored}coredns-coredns:1.8.0",
        "corednsAutoscaler": f"rancher/{mirrored}cluster-proportional-autoscaler:1.8.1",
        "kubernetes": f"rancher/hyperkube:{tag}",
        "calicoNode": f"rancher/{mirrored}calico-node:{calico}",
        "calicoCni": f"rancher/{mirrored}calico-cni:{calico}",
        "calicoControllers": f"rancher/{mirrored}calico-kube-controllers:{calico}",
        "calicoCtl": f"rancher/{mirrored}calico-ctl:{calico}",
        "calicoFlexVol": f"rancher/{mirrored}calico-pod2daemon-flexvol:{calico}",
        "podInfraContainer": pause,
        "ingress": "rancher/nginx-ingress-controller:nginx-1.2.1-rancher1",
        "ingressBackend": f"rancher/{mirrored}nginx-ingress-controller-defaultbackend:1.5-rancher1",
        "metricsServer": f"rancher/{mirrored}metrics-server:v0.5.0",
    }
