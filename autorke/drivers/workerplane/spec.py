"""The containers of one worker, computed from rkeConfig: what stock rke would create (rke.md §4.2-4.4).

rke compares image, entrypoint, cmd, env, binds and security options as sets; equal sets mean that a later `rke up`
leaves the container alone. Everything else is reproduced too, field by field.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autorke.drivers.rkefiles.nodes import RkeNode
from autorke.drivers.workerplane.config import ClusterConfig, HostInfo, Service, join_path
from autorke.drivers.workerplane.facts import (
    CLOUD_CONFIG_PATH,
    CONTAINER_LABEL,
    CONTROLPLANE_TAINT,
    KUBE_PROXY_OPTIONS,
    MCS_LABEL,
    REGISTRY_CONFIG_PATH,
    SSL_DIR,
    TYPE_LABEL,
    entrypoint_of,
    kubelet_options,
)
from autorke.drivers.workerplane.registries import docker_config
from autorke.drivers.workerplane.release import (
    SELINUX_BY_LONG_NAME,
    TELLS_CRI_DOCKERD_OF_DUAL_STACK,
    TRIMS_LISTS,
)

Strings = tuple[str, ...]


@dataclass(frozen=True)
class ContainerSpec:
    """One container as it is sent to Docker. `None` and an empty tuple are kept apart, as rke sends them."""

    name: str
    image: str
    entrypoint: Strings | None = None
    cmd: Strings | None = None
    env: Strings | None = field(default=None, repr=False)
    binds: Strings | None = None
    volumes_from: Strings | None = None
    network: str = ""
    pid: str = ""
    privileged: bool = False
    restart: str = ""
    security_opt: Strings | None = None
    labels: Mapping[str, str] | None = None
    tty: bool = False

    def create_body(self) -> dict[str, Any]:
        """The body of `POST /containers/create`."""
        body: dict[str, Any] = {
            "Image": self.image,
            "Entrypoint": _listed(self.entrypoint),
            "Cmd": _listed(self.cmd),
            "Env": _listed(self.env),
            "User": "",
            "Labels": None if self.labels is None else dict(self.labels),
            "HostConfig": {
                "Binds": _listed(self.binds),
                "VolumesFrom": _listed(self.volumes_from),
                "NetworkMode": self.network,
                "PidMode": self.pid,
                "Privileged": self.privileged,
                "RestartPolicy": {"Name": self.restart, "MaximumRetryCount": 0},
                "SecurityOpt": _listed(self.security_opt),
            },
        }
        return {**body, "Tty": True} if self.tty else body

    def recorded(self) -> dict[str, Any]:
        """The body in the form of a recording: further fields with a value under `Other`."""
        body = self.create_body()
        extra = {key: body.pop(key) for key in ("Tty",) if key in body}
        return {**body, "Other": extra}


def recorded_containers(containers: Iterable[ContainerSpec]) -> list[dict[str, Any]]:
    """`[{name, order, create}]` as in the recordings of stock rke."""
    return [
        {"name": container.name, "order": order, "create": container.recorded()}
        for order, container in enumerate(containers, start=1)
    ]


def _listed(values: Strings | None) -> list[str] | None:
    return None if values is None else list(values)


def worker_containers(config: ClusterConfig, node: RkeNode, host: HostInfo) -> tuple[ContainerSpec, ...]:
    """The long-lived worker components of a node, in the order of their creation.

    A node with the controlplane role reaches the API server directly and has no nginx-proxy.
    """
    components = [sidekick(config, host), kubelet(config, node, host), kube_proxy(config, node, host)]
    if not node.is_controlplane:
        components.insert(0, nginx_proxy(config, host))
    return tuple(components)


def nginx_proxy(config: ClusterConfig, host: HostInfo) -> ContainerSpec:
    """Listens on 127.0.0.1:6443 and forwards to the control plane; the addresses sit in Cmd to force a difference."""
    upstreams = f"CP_HOSTS={','.join(config.controlplane_addresses)}"
    return ContainerSpec(
        name="nginx-proxy",
        image=config.nginx_image,
        entrypoint=("nginx-proxy",),
        cmd=(upstreams,),
        env=(upstreams,),
        binds=(),
        volumes_from=(),
        network="host",
        restart="always",
        security_opt=_security_opt(config, host, shares_tools=False),
        labels={CONTAINER_LABEL: "nginx-proxy"},
    )


def sidekick(config: ClusterConfig, host: HostInfo) -> ContainerSpec:
    """Never started: it only carries the volume /opt/rke-tools for the others."""
    return ContainerSpec(
        name="service-sidekick",
        image=config.sidekick_image,
        entrypoint=("/bin/bash",),
        env=(),
        binds=(),
        network="none",
        security_opt=_security_opt(config, host, shares_tools=True),
        labels={CONTAINER_LABEL: "service-sidekick"},
    )


def kubelet(config: ClusterConfig, node: RkeNode, host: HostInfo) -> ContainerSpec:
    prefix = config.prefix_on(host)
    args = _kubelet_args(config, node, prefix)
    env = [*config.kubelet.extra_env, *_kubelet_env(config, prefix)]
    binds = _kubelet_binds(config, host, prefix)
    return _component(config, config.kubelet, "kubelet", args, env, binds)


def kube_proxy(config: ClusterConfig, node: RkeNode, host: HostInfo) -> ContainerSpec:
    prefix = config.prefix_on(host)
    args = {
        "cluster-cidr": config.cluster_cidr,
        "hostname-override": node.hostname,
        "kubeconfig": f"{SSL_DIR}/kubecfg-kube-proxy.yaml",
        **KUBE_PROXY_OPTIONS,
    }
    if config.cloud.name:
        args["bind-address"] = node.internal_address
        if config.cloud.name in ("aws", "external-aws") and config.cloud.hostname_from_metadata:
            del args["hostname-override"]
    args.update(config.kube_proxy.extra_args)
    binds = [f"{join_path(prefix, '/etc/kubernetes')}:/etc/kubernetes:z", "/run:/run", "/lib/modules:/lib/modules:ro"]
    return _component(config, config.kube_proxy, "kube-proxy", args, config.kube_proxy.extra_env, binds)


def _component(
    config: ClusterConfig,
    service: Service,
    name: str,
    args: Mapping[str, str],
    env: Iterable[str],
    binds: Sequence[str],
) -> ContainerSpec:
    own = _without_relabel(binds) if config.strips_selinux_relabel else binds
    flags = [f"--{flag}={value}" for flag, value in args.items()]
    flags += [f"--{flag}={value}" for flag, values in service.extra_args_array.items() for value in values]
    return ContainerSpec(
        name=name,
        image=service.image,
        entrypoint=(entrypoint_of(config.sidekick_image), name, *sorted(flags)),
        env=_unique(config, env),
        binds=_unique(config, [*own, *service.extra_binds]),
        volumes_from=("service-sidekick",),
        network="host",
        pid="host",
        privileged=True,
        restart="always",
        labels={CONTAINER_LABEL: name},
    )


def _kubelet_args(config: ClusterConfig, node: RkeNode, prefix: str) -> dict[str, str]:
    """Later entries win: base, version data, the user's extra_args, and node-local DNS over all (rke.md §4.4)."""
    args = {
        "client-ca-file": f"{SSL_DIR}/kube-ca.pem",
        "cloud-provider": "external" if config.cloud.name == "external-aws" else config.cloud.name,
        "cluster-dns": config.cluster_dns,
        "cluster-domain": config.cluster_domain,
        "fail-swap-on": str(config.fail_swap_on).lower(),
        "hostname-override": node.hostname,
        "kubeconfig": f"{SSL_DIR}/kubecfg-kube-node.yaml",
        "pod-infra-container-image": config.pause_image,
        "root-dir": join_path(prefix, "/var/lib/kubelet"),
    }
    if node.is_controlplane and not node.is_worker:
        args["register-with-taints"] = CONTROLPLANE_TAINT
    if node.internal_address != node.address:
        args["node-ip"] = node.internal_address
    if config.cloud.name:
        args["cloud-config"] = CLOUD_CONFIG_PATH
    if config.cloud.name == "external-aws" and config.cloud.hostname_from_metadata:
        del args["hostname-override"]
    if config.serving_certificates:
        stem = f"{SSL_DIR}/{serving_certificate_name(node)}"
        args["tls-cert-file"], args["tls-private-key-file"] = f"{stem}.pem", f"{stem}-key.pem"
    args.update(_runtime_args(config))
    args.update(kubelet_options(config.option_line))
    args.update(config.kubelet.extra_args)
    if config.node_local_dns:
        args["cluster-dns"] = config.node_local_dns
    return args


def serving_certificate_name(node: RkeNode) -> str:
    """By internal address (rke.md §13), dots as dashes."""
    return f"kube-kubelet-{node.internal_address.replace('.', '-').lower()}"


def _runtime_args(config: ClusterConfig) -> dict[str, str]:
    if not config.cri_dockerd.enabled:
        return {}
    endpoint = "unix:///var/run/cri-dockerd.sock" if config.line >= 24 else "/var/run/dockershim.sock"
    runtime = {"container-runtime": "remote"} if config.line < 27 else {}
    return {"container-runtime-endpoint": endpoint, **runtime}


def _kubelet_env(config: ClusterConfig, prefix: str) -> list[str]:
    env: list[str] = []
    if config.cri_dockerd.enabled:
        env.append("RKE_KUBELET_CRIDOCKERD=true")
        if config.cri_dockerd.stream_address:
            env.append(f"CRIDOCKERD_STREAM_SERVER_ADDRESS={config.cri_dockerd.stream_address}")
        if config.cri_dockerd.stream_port:
            env.append(f"CRIDOCKERD_STREAM_SERVER_PORT={config.cri_dockerd.stream_port}")
        if config.dual_stack and config.release >= TELLS_CRI_DOCKERD_OF_DUAL_STACK:
            env.append("RKE_KUBELET_CRIDOCKERD_DUALSTACK=true")
    if config.cloud.name:
        digest = hashlib.md5(config.cloud.config.encode(), usedforsecurity=False).hexdigest()
        env.append(f"RKE_CLOUD_CONFIG_CHECKSUM={digest}")
    if config.registries:
        encoded = base64.b64encode(docker_config(config.registries).encode()).decode()
        env.append(f"RKE_KUBELET_DOCKER_CONFIG={encoded}")
        env.append(f"RKE_KUBELET_DOCKER_FILE={join_path(prefix, REGISTRY_CONFIG_PATH)}")
    return env


def _kubelet_binds(config: ClusterConfig, host: HostInfo, prefix: str) -> list[str]:
    kubelet_dir = join_path(prefix, "/var/lib/kubelet")
    binds = [
        f"{join_path(prefix, '/etc/kubernetes')}:/etc/kubernetes:z",
        "/etc/cni:/etc/cni:rw,z",
        "/opt/cni:/opt/cni:rw,z",
        f"{join_path(prefix, '/var/lib/cni')}:/var/lib/cni:z",
        "/var/lib/calico:/var/lib/calico:z",
        "/etc/resolv.conf:/etc/resolv.conf",
        "/sys:/sys:rprivate",
        f"{host.docker_root}:{host.docker_root}:rw,rslave,z",
        f"{kubelet_dir}:{kubelet_dir}:shared,z",
        "/var/lib/rancher:/var/lib/rancher:shared,z",
        "/var/run:/var/run:rw,rprivate",
        "/run:/run:rprivate",
        f"{join_path(prefix, '/etc/ceph')}:/etc/ceph",
        "/dev:/host/dev:rprivate",
        "/var/log/containers:/var/log/containers:z",
        "/var/log/pods:/var/log/pods:z",
        "/usr:/host/usr:ro",
        "/etc:/host/etc:ro",
    ]
    if config.cri_dockerd.enabled and config.line >= 24:
        binds.insert(0, f"{join_path(prefix, '/var/lib/cri-dockerd')}:/var/lib/cri-dockerd:z")
    if kubelet_dir != "/var/lib/kubelet":
        binds.append("/var/lib/kubelet/volumeplugins:/var/lib/kubelet/volumeplugins:shared,z")
    return binds


def _without_relabel(binds: Iterable[str]) -> list[str]:
    """`a:b:z` becomes `a:b`, `a:b:rw,z` becomes `a:b:rw`."""
    stripped = []
    for bind in binds:
        path, _, options = bind.rpartition(":")
        kept = ",".join(option for option in options.split(",") if option.lower() != "z")
        stripped.append(f"{path}:{kept}" if kept else path)
    return stripped


def _unique(config: ClusterConfig, values: Iterable[str]) -> Strings:
    """First occurrence of each, as rke treats env and binds; later releases also trim them and drop empty ones."""
    if config.release >= TRIMS_LISTS:
        values = filter(None, (value.strip() for value in values))
    return tuple(dict.fromkeys(values))


def _security_opt(config: ClusterConfig, host: HostInfo, *, shares_tools: bool) -> Strings | None:
    """SELinux labels of an unprivileged container, None without SELinux.

    Up to rke 1.2 only the short name `selinux` was recognised, which is what Docker API 1.24 reports (rke.md §13).
    """
    if not host.selinux:
        return None
    recognised = host.selinux_by_short_name or config.release >= SELINUX_BY_LONG_NAME
    labels = (MCS_LABEL,) if shares_tools and recognised else ()
    if config.strips_selinux_relabel:
        labels = (*labels, TYPE_LABEL)
    return labels or None
