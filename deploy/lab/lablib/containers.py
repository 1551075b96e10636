"""The containers of an rke cluster as Docker create bodies (rke.md §4.2-§4.5, §7.1), for Kubernetes 1.20.

Computed here from `rkeConfig` and components.yml, apart from the product: what the product reads from such containers
and what it computes itself can then be compared honestly.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from lablib.certificates import SSL
from lablib.settings import CONTROL_PLANE, HERE, Machine

Body = dict[str, Any]
Config = Mapping[str, Any]
ENTRYPOINT = "/opt/rke-tools/entrypoint.sh"
CIPHERS = ",".join(
    f"TLS_ECDHE_{kind}_WITH_{cipher}"
    for kind in ("ECDSA", "RSA")
    for cipher in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305")
)
COMPONENTS: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "components.yml").read_text())
HOST = {"NetworkMode": "host", "RestartPolicy": {"Name": "always"}}
WITH_TOOLS = HOST | {"VolumesFrom": ["service-sidekick"]}
ON_THE_MACHINE = WITH_TOOLS | {"PidMode": "host", "Privileged": True}
TAINT_ARGUMENT = {"register-with-taints": "node-role.kubernetes.io/controlplane=true:NoSchedule"}


def sidekick(config: Config) -> Body:
    """service-sidekick: never started, it lends its /opt/rke-tools to the others."""
    body = _body("service-sidekick", config["systemImages"]["kubernetesServicesSidecar"], {"NetworkMode": "none"})
    return body | {"Entrypoint": ["/bin/bash"]}


def nginx_proxy(config: Config) -> Body:
    """nginx-proxy of a node without control plane."""
    hosts = [f"CP_HOSTS={CONTROL_PLANE.address}"]
    body = _body("nginx-proxy", config["systemImages"]["nginxProxy"], HOST, env=hosts)
    return body | {"Entrypoint": ["nginx-proxy"], "Cmd": hosts}


def kubelet(config: Config, machine: Machine, docker_root: str) -> Body:
    """kubelet, for any role."""
    extra = {} if "worker" in machine.roles else TAINT_ARGUMENT
    return _component("kubelet", config, machine, ON_THE_MACHINE, extra, docker_root=docker_root)


def kube_proxy(config: Config, machine: Machine) -> Body:
    """kube-proxy, for any role."""
    return _component("kube-proxy", config, machine, ON_THE_MACHINE)


def etcd(config: Config, machine: Machine) -> Body:
    """etcd of a cluster with one member; its flags are the command, since the image has no entrypoint."""
    service = config["services"]["etcd"]
    values = _values(config, machine)
    env = [text.format(**values) for text in COMPONENTS["etcd"]["env"]]
    flags = _flags("etcd", values, service["extraArgs"])
    body = _body("etcd", service["image"], HOST, binds=COMPONENTS["etcd"]["binds"], env=env)
    return body | {"Cmd": ["/usr/local/bin/etcd", *flags]}


def etcd_rolling_snapshots(config: Config, machine: Machine) -> Body:
    """The recurring snapshots of an etcd machine."""
    name = "etcd-rolling-snapshots"
    flags = _flags(name, _values(config, machine), {})
    body = _body(name, config["systemImages"]["alpine"], HOST, binds=COMPONENTS[name]["binds"])
    return body | {"Cmd": ["/opt/rke-tools/rke-etcd-backup", "etcd-backup", "save", *flags]}


def control_plane(config: Config, machine: Machine) -> dict[str, Body]:
    """The three control plane containers by name, in the order in which they are started."""
    names = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    return {name: _component(name, config, machine, WITH_TOOLS) for name in names}


def cert_deployer(config: Config, env: Mapping[str, str]) -> Body:
    """The one-shot container that writes certificates to /etc/kubernetes/ssl (rke.md §4.7)."""
    return {
        "Image": config["systemImages"]["certDownloader"],
        "Cmd": ["cert-deployer"],
        "Env": [f"{name}={value}" for name, value in env.items()],
        "HostConfig": {"Binds": ["/etc/kubernetes:/etc/kubernetes:z"], "Privileged": True},
    }


def shell(config: Config, command: str, binds: Sequence[str], env: Sequence[str] = ()) -> Body:
    """A one-shot container of the helper image that runs a fixed shell command, privileged as rke's are."""
    return {
        "Image": config["systemImages"]["alpine"],
        "Cmd": ["sh", "-c", command],
        "Env": list(env),
        "HostConfig": {"Binds": list(binds), "Privileged": True},
    }


def _values(config: Config, machine: Machine, docker_root: str = "") -> dict[str, str]:
    """What the words in braces of components.yml stand for."""
    services = config["services"]
    return {
        "ssl": SSL,
        "hostname": machine.name,
        "address": machine.address,
        "etcd_pem": f"{SSL}/kube-etcd-{machine.address.replace('.', '-')}",
        "docker_root": docker_root,
        "ciphers": CIPHERS,
        "pause": services["kubelet"]["infraContainerImage"],
        "cluster_dns": services["kubelet"]["clusterDnsServer"],
        "cluster_domain": services["kubelet"]["clusterDomain"],
        "cluster_cidr": services["kubeController"]["clusterCidr"],
        "service_range": services["kubeApi"]["serviceClusterIpRange"],
        "node_ports": services["kubeApi"]["serviceNodePortRange"],
        "retention": services["etcd"]["retention"],
        "creation": services["etcd"]["creation"],
    }


SERVICES = {
    "kubelet": "kubelet",
    "kube-proxy": "kubeproxy",
    "kube-apiserver": "kubeApi",
    "kube-controller-manager": "kubeController",
    "kube-scheduler": "scheduler",
}
"""Container name -> its key in `rkeConfig.services`."""


def _component(
    name: str,
    config: Config,
    machine: Machine,
    host: Mapping[str, Any],
    extra: Mapping[str, str] | None = None,
    docker_root: str = "",
) -> Body:
    """A Kubernetes component: started through the helper image's entrypoint, on the machine's network."""
    service = config["services"][SERVICES[name]]
    values = _values(config, machine, docker_root)
    flags = _flags(name, values, dict(extra or {}) | service.get("extraArgs", {}))
    binds = [bind.format(**values) for bind in COMPONENTS[name]["binds"]]
    env = sorted(set(service.get("extraEnv", [])))
    return _body(name, service["image"], host, binds=binds, env=env) | {"Entrypoint": [ENTRYPOINT, name, *flags]}


def _flags(name: str, values: Mapping[str, str], extra: Mapping[str, str]) -> list[str]:
    args = {key: value.format(**values) for key, value in COMPONENTS[name]["args"].items()} | dict(extra)
    return [f"--{key}={value}" for key, value in args.items()]


def _body(
    name: str, image: str, host: Mapping[str, Any], *, binds: Sequence[str] = (), env: Sequence[str] = ()
) -> Body:
    labels = {"io.rancher.rke.container.name": name}
    return {"Image": image, "Labels": labels, "Env": list(env), "HostConfig": {"Binds": list(binds)} | dict(host)}
