"""Create bodies of the containers that stock rke has left on the nodes of a cluster.

Written from the recordings and `rke.md` §4, on purpose apart from the product's own computation: where the two
differ, a test fails. Covers clusters without extra arguments, prefix path, registries or cloud provider, on machines
without SELinux.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from autorke.sim.kube.cluster import Versions
from autorke.sim.rke.versions import line_of

SSL = "/etc/kubernetes/ssl"
ENTRYPOINT = "/opt/rke-tools/entrypoint.sh"
SUITES = (
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,"
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,"
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"
)
Body = dict[str, Any]


def _body(name: str, image: str, entrypoint: list[str] | None, host: Body, **given: Any) -> Body:
    base = {
        "Binds": [],
        "VolumesFrom": [],
        "NetworkMode": "host",
        "PidMode": "",
        "Privileged": False,
        "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
        "SecurityOpt": None,
    }
    return {
        "Image": image,
        "Entrypoint": entrypoint,
        "Cmd": None,
        "Env": [],
        "User": "",
        "Labels": {"io.rancher.rke.container.name": name},
        "HostConfig": base | host,
    } | given


def worker(
    versions: Versions, hostname: str, masters: Sequence[str], docker_root: str, *, proxy: bool = True
) -> dict[str, Body]:
    """Name to create body, in order of creation. `masters` are addresses; a controlplane node has no nginx-proxy."""
    images = versions.images
    out: dict[str, Body] = {}
    if proxy:
        upstream = f"CP_HOSTS={','.join(masters)}"
        out["nginx-proxy"] = _body(
            "nginx-proxy", images["nginxProxy"], ["nginx-proxy"], {}, Cmd=[upstream], Env=[upstream]
        )
    never = {"VolumesFrom": None, "NetworkMode": "none", "RestartPolicy": {"Name": "", "MaximumRetryCount": 0}}
    out["service-sidekick"] = _body("service-sidekick", images["kubernetesServicesSidecar"], ["/bin/bash"], never)
    line = line_of(versions.rke)
    cri = line >= 24
    out["kubelet"] = _component(
        versions, "kubelet", hostname, _kubelet_args(versions, hostname), _kubelet_binds(docker_root, line)
    )
    if cri:
        out["kubelet"]["Env"] = ["RKE_KUBELET_CRIDOCKERD=true"]
    proxy_binds = ["/etc/kubernetes:/etc/kubernetes:z", "/run:/run", "/lib/modules:/lib/modules:ro"]
    out["kube-proxy"] = _component(versions, "kube-proxy", hostname, _proxy_args(hostname), proxy_binds)
    return out


def _component(versions: Versions, name: str, hostname: str, args: dict[str, str], binds: list[str]) -> Body:
    """rke sends the arguments in the random order of a Go map; here the order is random but the same in every run."""
    words = [f"--{key}={value}" for key, value in args.items()]
    random.Random(f"{name}/{hostname}").shuffle(words)  # noqa: S311 - an order, not a secret
    if line_of(versions.rke) >= 22:
        binds = [bind.removesuffix(":z").removesuffix(",z") for bind in binds]
    host = {"Binds": binds, "VolumesFrom": ["service-sidekick"], "PidMode": "host", "Privileged": True}
    return _body(name, versions.images["kubernetes"], [ENTRYPOINT, name, *words], host)


def _kubelet_args(versions: Versions, hostname: str) -> dict[str, str]:
    line = line_of(versions.rke)
    args = {
        "address": "0.0.0.0",  # noqa: S104 - an argument of the kubelet
        "anonymous-auth": "false",
        "authentication-token-webhook": "true",
        "authorization-mode": "Webhook",
        "cgroups-per-qos": "True",
        "client-ca-file": f"{SSL}/kube-ca.pem",
        "cloud-provider": "",
        "cluster-dns": "10.43.0.10",
        "cluster-domain": "cluster.local",
        "event-qps": "0",
        "fail-swap-on": "false",
        "hostname-override": hostname,
        "kubeconfig": f"{SSL}/kubecfg-kube-node.yaml",
        "make-iptables-util-chains": "true",
        "pod-infra-container-image": versions.images["podInfraContainer"],
        "read-only-port": "0",
        "resolv-conf": "/etc/resolv.conf",
        "root-dir": "/var/lib/kubelet",
        "streaming-connection-idle-timeout": "30m",
        "tls-cipher-suites": SUITES,
        "v": "2",
        "volume-plugin-dir": "/var/lib/kubelet/volumeplugins",
    }
    if line < 24:
        return args | {"cni-bin-dir": "/opt/cni/bin", "cni-conf-dir": "/etc/cni/net.d", "network-plugin": "cni"}
    args["container-runtime-endpoint"] = "unix:///var/run/cri-dockerd.sock"
    return args | ({"container-runtime": "remote"} if line < 27 else {})


def _proxy_args(hostname: str) -> dict[str, str]:
    return {
        "cluster-cidr": "10.42.0.0/16",
        "healthz-bind-address": "127.0.0.1",
        "hostname-override": hostname,
        "kubeconfig": f"{SSL}/kubecfg-kube-proxy.yaml",
        "v": "2",
    }


def _kubelet_binds(docker_root: str, line: int) -> list[str]:
    binds = [
        "/etc/kubernetes:/etc/kubernetes:z",
        "/etc/cni:/etc/cni:rw,z",
        "/opt/cni:/opt/cni:rw,z",
        "/var/lib/cni:/var/lib/cni:z",
        "/var/lib/calico:/var/lib/calico:z",
        "/etc/resolv.conf:/etc/resolv.conf",
        "/sys:/sys:rprivate",
        f"{docker_root}:{docker_root}:rw,rslave,z",
        "/var/lib/kubelet:/var/lib/kubelet:shared,z",
        "/var/lib/rancher:/var/lib/rancher:shared,z",
        "/var/run:/var/run:rw,rprivate",
        "/run:/run:rprivate",
        "/etc/ceph:/etc/ceph",
        "/dev:/host/dev:rprivate",
        "/var/log/containers:/var/log/containers:z",
        "/var/log/pods:/var/log/pods:z",
        "/usr:/host/usr:ro",
        "/etc:/host/etc:ro",
    ]
    return (["/var/lib/cri-dockerd:/var/lib/cri-dockerd:z"] if line >= 24 else []) + binds


def control_plane(versions: Versions, address: str) -> dict[str, Body]:
    """The controlplane and etcd containers: enough for others to see that they run; their arguments are shortened."""
    images = versions.images
    tools = {"VolumesFrom": ["service-sidekick"], "Binds": ["/etc/kubernetes:/etc/kubernetes:z"]}
    out = {
        "etcd": _body(
            "etcd",
            images["etcd"],
            None,
            {"Binds": ["/var/lib/etcd:/var/lib/rancher/etcd/:z", "/etc/kubernetes:/etc/kubernetes:z"]},
            Cmd=[
                "/usr/local/bin/etcd",
                f"--listen-client-urls=https://{address}:2379",
                "--data-dir=/var/lib/rancher/etcd/",
            ],
        )
    }
    for name, extra in {
        "kube-apiserver": ["--secure-port=6443", "--service-cluster-ip-range=10.43.0.0/16"],
        "kube-controller-manager": ["--cluster-cidr=10.42.0.0/16"],
        "kube-scheduler": ["--leader-elect=true"],
    }.items():
        out[name] = _body(name, images["kubernetes"], [ENTRYPOINT, name, *extra], tools)
    return out
