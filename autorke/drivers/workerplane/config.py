"""The inputs of a worker's containers as values: rkeConfig of the state, and what `docker info` says of the host."""

from __future__ import annotations

import ipaddress
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from autorke.drivers.rkefiles.nodes import RkeNode, node_from_state
from autorke.drivers.workerplane.cloudconfig import cloud_config, provider_name
from autorke.drivers.workerplane.errors import ConfigIncomplete, UnsupportedHost
from autorke.drivers.workerplane.facts import FORCED_PREFIXES, line_of, option_line_of, patch_of
from autorke.drivers.workerplane.registries import Registry, read_registries
from autorke.drivers.workerplane.release import SELINUX_BY_LONG_NAME, Release, release_of


@dataclass(frozen=True)
class HostInfo:
    """The part of `docker info` that a container's definition depends on."""

    docker_root: str = "/var/lib/docker"
    operating_system: str = ""
    os_type: str = "linux"
    selinux: bool = False
    selinux_by_short_name: bool = False

    def as_seen_by_old_rke(self) -> HostInfo:
        """rke up to 1.2 asks with Docker API 1.24, which says `selinux` where later ones say `name=selinux`."""
        return replace(self, selinux_by_short_name=self.selinux)


def read_host_info(info: Mapping[str, Any]) -> HostInfo:
    """From the answer of `GET /info`. Raises UnsupportedHost for Windows."""
    os_type = str(info.get("OSType") or "linux")
    if os_type != "linux":
        raise UnsupportedHost(
            field="docker_info.OSType", reason_zh=f"系统类型 {os_type}", reason_en=f"OS type {os_type}"
        )
    options = info.get("SecurityOptions") or []
    return HostInfo(
        docker_root=str(info.get("DockerRootDir") or "/var/lib/docker"),
        operating_system=str(info.get("OperatingSystem") or ""),
        os_type=os_type,
        selinux="selinux" in options or "name=selinux" in options,
        selinux_by_short_name="selinux" in options,
    )


@dataclass(frozen=True)
class Service:
    """What a user may add to one component."""

    image: str
    extra_args: Mapping[str, str] = field(default_factory=dict)
    extra_args_array: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    extra_binds: tuple[str, ...] = ()
    extra_env: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Cloud:
    name: str = ""
    config: str = field(default="", repr=False)
    hostname_from_metadata: bool = False


@dataclass(frozen=True)
class CriDockerd:
    enabled: bool = False
    stream_address: str = ""
    stream_port: str = ""


@dataclass(frozen=True)
class ClusterConfig:
    """rkeConfig, reduced to what decides about a worker. `line` is the minor number of kubernetesVersion."""

    version: str
    line: int
    option_line: int
    prefix_path: str
    tools_image: str
    nginx_image: str
    certificate_image: str
    sidekick_image: str
    pause_image: str
    kubelet: Service
    kube_proxy: Service
    cluster_dns: str
    node_local_dns: str
    cluster_domain: str
    cluster_cidr: str
    fail_swap_on: bool
    serving_certificates: bool
    cri_dockerd: CriDockerd
    cloud: Cloud
    webhook_config: str | None = field(repr=False)
    registries: tuple[Registry, ...]
    nodes: tuple[RkeNode, ...]
    release: Release

    @property
    def strips_selinux_relabel(self) -> bool:
        """From 1.22 on rke writes no `z` on binds and labels containers instead (rke.md §4.3)."""
        return self.line >= 22

    @property
    def controlplane_addresses(self) -> tuple[str, ...]:
        return tuple(node.internal_address for node in self.nodes if node.is_controlplane)

    @property
    def dual_stack(self) -> bool:
        try:
            versions = {ipaddress.ip_network(part, strict=False).version for part in self.cluster_cidr.split(",")}
        except ValueError:
            return False
        return len(versions) == 2

    def prefix_on(self, host: HostInfo) -> str:
        """Where rke keeps its files on this host."""
        if self.prefix_path != "/":
            return self.prefix_path
        for name, prefix in FORCED_PREFIXES:
            if name in host.operating_system:
                return prefix
        return "/"


def read_config(rke_config: Mapping[str, Any]) -> ClusterConfig:
    """Read a (fully defaulted) `rkeConfig`. Raises ConfigIncomplete and UnknownKubernetesVersion."""
    version = _need(rke_config, "kubernetesVersion")
    line = line_of(version)
    kubelet = _service(rke_config, "kubelet")
    cloud = rke_config.get("cloudProvider") or {}
    nodelocal = ((rke_config.get("dns") or {}).get("nodelocal") or {}).get("ipAddress")
    webhook = (rke_config.get("authentication") or {}).get("webhook")
    return ClusterConfig(
        version=version,
        line=line,
        option_line=option_line_of(version, _image(rke_config, "kubernetes")),
        prefix_path=rke_config.get("prefixPath") or "/",
        tools_image=_image(rke_config, "alpine"),
        nginx_image=_image(rke_config, "nginxProxy"),
        certificate_image=_image(rke_config, "certDownloader"),
        sidekick_image=_image(rke_config, "kubernetesServicesSidecar"),
        pause_image=_need(rke_config, "services.kubelet.infraContainerImage"),
        kubelet=kubelet,
        kube_proxy=_service(rke_config, "kubeproxy"),
        cluster_dns=_need(rke_config, "services.kubelet.clusterDnsServer"),
        node_local_dns=nodelocal or "",
        cluster_domain=_need(rke_config, "services.kubelet.clusterDomain"),
        cluster_cidr=_need(rke_config, "services.kubeController.clusterCidr"),
        fail_swap_on=bool(rke_config["services"]["kubelet"].get("failSwapOn")),
        serving_certificates=bool(rke_config["services"]["kubelet"].get("generateServingCertificate")),
        cri_dockerd=_cri_dockerd(rke_config),
        cloud=Cloud(provider_name(cloud), cloud_config(cloud), bool(cloud.get("useInstanceMetadataHostname"))),
        webhook_config=None if webhook is None else str(webhook.get("configFile") or ""),
        registries=read_registries(rke_config.get("privateRegistries") or ()),
        nodes=tuple(node_from_state(entry) for entry in rke_config.get("nodes") or ()),
        release=release_of(rke_config, line, patch_of(version)),
    )


def live_host_info(config: ClusterConfig, info: Mapping[str, Any]) -> HostInfo:
    """`docker info` asked by ourselves, read as the rke that keeps this cluster would see it."""
    host = read_host_info(info)
    return host if config.release >= SELINUX_BY_LONG_NAME else host.as_seen_by_old_rke()


def _need(document: Mapping[str, Any], path: str) -> str:
    value: Any = document
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if not isinstance(value, str) or not value:
        raise ConfigIncomplete(field=path, path=path)
    return value


def _image(document: Mapping[str, Any], name: str) -> str:
    return _need(document, f"systemImages.{name}")


def _service(document: Mapping[str, Any], name: str) -> Service:
    settings = (document.get("services") or {}).get(name) or {}
    arrays = settings.get("extraArgsArray") or {}
    return Service(
        image=settings.get("image") or _image(document, "kubernetes"),
        extra_args=dict(settings.get("extraArgs") or {}),
        extra_args_array={flag: tuple(values) for flag, values in arrays.items()},
        extra_binds=tuple(settings.get("extraBinds") or ()),
        extra_env=tuple(settings.get("extraEnv") or ()),
    )


def _cri_dockerd(document: Mapping[str, Any]) -> CriDockerd:
    """The stream server settings exist in states written by rke 1.6 and later only."""
    return CriDockerd(
        enabled=bool(document.get("enableCriDockerd")),
        stream_address=str(document.get("criDockerdStreamServerAddress") or ""),
        stream_port=str(document.get("criDockerdStreamServerPort") or ""),
    )


def join_path(prefix: str, path: str) -> str:
    """`prefix` in front of an absolute path, cleaned as Go cleans paths (no double or trailing slash)."""
    return "/" + posixpath.normpath(f"{prefix}/{path.lstrip('/')}").lstrip("/")
