"""What an rkeConfig means for a new worker: ranges, ports, images, and the Docker versions rke accepts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from autorke.checks.context import ClusterSettings, Port
from autorke.drivers.rkefiles.errors import RkeFileError
from autorke.drivers.rkefiles.rkestate import RkeState, read_state

COMPONENT_PORTS = (
    Port(10250, "tcp", "kubelet"),
    Port(10248, "tcp", "kubelet healthz"),
    Port(10249, "tcp", "kube-proxy metrics"),
    Port(10256, "tcp", "kube-proxy healthz"),
    Port(6443, "tcp", "nginx-proxy"),
)
FELIX = Port(9099, "tcp", "calico felix")
BGP = Port(179, "tcp", "calico BGP")
FLANNEL_VXLAN = Port(8472, "udp", "flannel vxlan")
CALICO_VXLAN = Port(4789, "udp", "calico vxlan", blocking=False)
CRI_DOCKERD = 10010

OLD_DOCKER = ("1.13", "17.03", "17.06", "17.09", "18.06", "18.09", "19.03")
DOCKER_BY_LINE = (
    ((1, 27), (*OLD_DOCKER, "20.10", "23.0", "24.0", "25.0", "26.0", "26.1", "27.0", "27.1", "27.2")),
    ((1, 25), (*OLD_DOCKER, "20.10", "23.0", "24.0", "25.0")),
    ((1, 18), (*OLD_DOCKER, "20.10")),
)
"""Newest line first. rke compares major.minor with a list per Kubernetes version and refuses the rest (rke.md §8)."""
NEWEST_LINE = (1, 30)

WORKER_IMAGES = (
    "kubernetes",
    "nginxProxy",
    "kubernetesServicesSidecar",
    "certDownloader",
    "alpine",
    "podInfraContainer",
)


def supported_docker_versions(settings: ClusterSettings) -> tuple[str, ...]:
    """Docker versions (major.minor) that rke accepts for this cluster; empty when its Kubernetes line is not known."""
    if settings.minor > NEWEST_LINE:
        return ()
    return next((versions for line, versions in DOCKER_BY_LINE if settings.minor >= line), ())


def settings_of(rke_config: Mapping[str, Any]) -> ClusterSettings:
    """The settings in a fully defaulted `rkeConfig` of the state (camelCase keys). Missing keys get rke's defaults."""
    services, network = _map(rke_config, "services"), _map(rke_config, "network")
    kubelet, controller = _map(services, "kubelet"), _map(services, "kubeController")
    plugin = str(network.get("plugin") or "canal")
    version = str(rke_config.get("kubernetesVersion") or "")
    api, images = _map(services, "kubeApi"), _map(rke_config, "systemImages")
    proxy_args = _map(_map(services, "kubeproxy"), "extraArgs")
    ingress = _map(rke_config, "ingress")
    settings = ClusterSettings(
        kubernetes_version=version,
        plugin=plugin,
        pod_cidrs=_parts(controller.get("clusterCidr") or "10.42.0.0/16"),
        service_cidrs=_parts(api.get("serviceClusterIpRange") or "10.43.0.0/16"),
        cluster_dns=str(kubelet.get("clusterDnsServer") or "10.43.0.10"),
        mtu=_whole(network.get("mtu"), 0),
        prefix_path=str(rke_config.get("prefixPath") or "/"),
        fail_swap_on=bool(kubelet.get("failSwapOn")),
        proxy_mode=str(proxy_args.get("proxy-mode") or "iptables"),
        images=tuple(dict.fromkeys(str(images[key]) for key in WORKER_IMAGES if images.get(key))),
        node_port_range=_range(str(api.get("serviceNodePortRange") or "30000-32767")),
        ports=worker_ports(plugin, ingress),
    )
    return _with_cri_dockerd(settings, rke_config)


def settings_in(rkestate: str, *, read: Callable[[str], RkeState] = read_state) -> ClusterSettings:
    """The settings of the current state in the text of a rkestate. A state that cannot be read gives empty settings:
    the check `rkestate` then says so, and speaks for the checks that would need them."""
    try:
        return settings_of(read(rkestate).current_config)
    except RkeFileError:
        return ClusterSettings(kubernetes_version="", ports=worker_ports("", {}))


def worker_ports(plugin: str, ingress: Mapping[str, Any]) -> tuple[Port, ...]:
    """What rke's components and the network plugin open on every worker."""
    ports = list(COMPONENT_PORTS)
    if plugin in ("calico", "canal"):
        ports.append(FELIX)
    if plugin == "calico":
        ports += [BGP, CALICO_VXLAN]
    if plugin in ("canal", "flannel"):
        ports.append(FLANNEL_VXLAN)
    if ingress.get("provider") == "nginx" and ingress.get("networkMode") != "none":
        ports.append(Port(_whole(ingress.get("httpPort"), 80), "tcp", "ingress http", blocking=False))
        ports.append(Port(_whole(ingress.get("httpsPort"), 443), "tcp", "ingress https", blocking=False))
    return tuple(ports)


def _with_cri_dockerd(settings: ClusterSettings, rke_config: Mapping[str, Any]) -> ClusterSettings:
    enabled = rke_config.get("enableCriDockerd")
    if not (enabled or (enabled is None and settings.minor >= (1, 24))):
        return settings
    port = Port(_whole(rke_config.get("criDockerdStreamServerPort"), CRI_DOCKERD), "tcp", "cri-dockerd streaming")
    return replace(settings, ports=(*settings.ports, port))


def _map(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def _parts(text: object) -> tuple[str, ...]:
    return tuple(part.strip() for part in str(text).split(",") if part.strip())


def _whole(value: object, default: int) -> int:
    """rke writes some numbers as text."""
    return int(str(value)) if value and re.fullmatch(r"[0-9]{1,5}", str(value)) else default


def _range(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", text)
    return (int(found[1]), int(found[2])) if found else (30000, 32767)
