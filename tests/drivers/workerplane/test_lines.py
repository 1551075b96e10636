"""Golden specs per Kubernetes line, and the rules behind them one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autorke.cli.rke import worker_spec
from autorke.drivers.workerplane.config import read_config, read_host_info
from autorke.drivers.workerplane.errors import ConfigIncomplete, UnknownKubernetesVersion, UnsupportedHost
from autorke.drivers.workerplane.facts import MCS_LABEL, TYPE_LABEL, line_of, option_line_of
from tests.drivers.workerplane.lines import (
    DOCKER_INFO,
    KINDS,
    SELINUX,
    VERSIONS,
    containers,
    recorded,
    rke_config,
)


def created(line: int, name: str, changes: dict[str, Any] | None = None, info: dict[str, Any] = DOCKER_INFO) -> Any:
    listed = containers(rke_config(line, changes), info)
    return next(container["create"] for container in listed if container["name"] == name)


def flags(line: int, name: str = "kubelet", changes: dict[str, Any] | None = None) -> dict[str, str]:
    arguments = created(line, name, changes)["Entrypoint"][2:]
    return dict(argument.removeprefix("--").split("=", 1) for argument in arguments)


def binds(line: int, changes: dict[str, Any] | None = None) -> list[str]:
    listed: list[str] = created(line, "kubelet", changes)["HostConfig"]["Binds"]
    return listed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("line", VERSIONS)
def test_worker_of_the_line_is_what_stock_rke_sends(line: int, kind: str) -> None:
    recording = recorded(line, kind)
    computed = worker_spec(
        config_text=recording["cluster_yml"],
        state_text=json.dumps({"desiredState": {"rkeConfig": recording["rkeConfig"]}}),
        docker_info=recording["docker_info"],
        address=recording["address"],
    )
    assert computed == recording["containers"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("line", VERSIONS)
def test_node_that_only_cluster_yml_names_gets_the_same_containers(line: int, kind: str) -> None:
    recording = recorded(line, kind)
    config = recording["rkeConfig"]
    others = [node for node in config["nodes"] if node["address"] != recording["address"]]
    computed = worker_spec(
        config_text=recording["cluster_yml"],
        state_text=json.dumps({"desiredState": {"rkeConfig": {**config, "nodes": others}}}),
        docker_info=recording["docker_info"],
        address=recording["address"],
    )
    assert computed == recording["containers"]


@pytest.mark.parametrize("line", VERSIONS)
def test_dockershim_flags_leave_with_1_24(line: int) -> None:
    cni = {"network-plugin", "cni-bin-dir", "cni-conf-dir"}
    assert (cni <= flags(line).keys()) == (line < 24)
    assert not (line >= 24 and cni & flags(line).keys())


@pytest.mark.parametrize("line", VERSIONS)
def test_relabelling_of_binds_ends_with_1_22(line: int) -> None:
    relabelled = [bind for bind in binds(line) if bind.endswith((":z", ",z"))]
    assert bool(relabelled) == (line < 22)
    assert "/etc/resolv.conf:/etc/resolv.conf" in binds(line)
    assert ("/etc/cni:/etc/cni:rw" in binds(line)) == (line >= 22)


@pytest.mark.parametrize(
    ("line", "endpoint", "runtime"),
    [
        (21, "/var/run/dockershim.sock", "remote"),
        (23, "/var/run/dockershim.sock", "remote"),
        (24, "unix:///var/run/cri-dockerd.sock", "remote"),
        (26, "unix:///var/run/cri-dockerd.sock", "remote"),
        (27, "unix:///var/run/cri-dockerd.sock", None),
        (30, "unix:///var/run/cri-dockerd.sock", None),
    ],
)
def test_cri_dockerd(line: int, endpoint: str, runtime: str | None) -> None:
    found = flags(line, changes={"enableCriDockerd": True})
    assert (found["container-runtime-endpoint"], found.get("container-runtime")) == (endpoint, runtime)
    assert ("/var/lib/cri-dockerd:/var/lib/cri-dockerd" in binds(line, {"enableCriDockerd": True})) == (line >= 24)
    assert created(line, "kubelet", {"enableCriDockerd": True})["Env"] == ["RKE_KUBELET_CRIDOCKERD=true"]


def test_cri_dockerd_stream_server_and_dual_stack() -> None:
    changes = {
        "criDockerdStreamServerAddress": "127.0.0.1",
        "criDockerdStreamServerPort": "10010",
        "services.kubeController.clusterCidr": "10.42.0.0/16,fd00::/48",
    }
    assert created(30, "kubelet", changes)["Env"] == [
        "RKE_KUBELET_CRIDOCKERD=true",
        "CRIDOCKERD_STREAM_SERVER_ADDRESS=127.0.0.1",
        "CRIDOCKERD_STREAM_SERVER_PORT=10010",
        "RKE_KUBELET_CRIDOCKERD_DUALSTACK=true",
    ]


@pytest.mark.parametrize(
    ("line", "info", "sidekick", "proxy"),
    [
        (20, SELINUX, None, None),
        (20, {**DOCKER_INFO, "SecurityOptions": ["selinux"]}, [MCS_LABEL], None),
        (21, SELINUX, [MCS_LABEL], None),
        (22, SELINUX, [MCS_LABEL, TYPE_LABEL], [TYPE_LABEL]),
        (30, SELINUX, [MCS_LABEL, TYPE_LABEL], [TYPE_LABEL]),
        (30, DOCKER_INFO, None, None),
    ],
)
def test_selinux_labels(line: int, info: dict[str, Any], sidekick: object, proxy: object) -> None:
    assert created(line, "service-sidekick", info=info)["HostConfig"]["SecurityOpt"] == sidekick
    assert created(line, "nginx-proxy", info=info)["HostConfig"]["SecurityOpt"] == proxy
    assert created(line, "kubelet", info=info)["HostConfig"]["SecurityOpt"] is None


@pytest.mark.parametrize(
    ("system", "prefix"),
    [
        ("Flatcar Container Linux by Kinvolk", "/opt/rke"),
        ("RancherOS v1.5.5", "/opt/rke"),
        ("Ubuntu 20.04", ""),
    ],
)
def test_prefix_forced_by_the_operating_system(system: str, prefix: str) -> None:
    info = {**DOCKER_INFO, "OperatingSystem": system, "DockerRootDir": "/data/docker"}
    body = created(20, "kubelet", info=info)
    assert f"{prefix}/etc/kubernetes:/etc/kubernetes:z" in body["HostConfig"]["Binds"]
    assert "/data/docker:/data/docker:rw,rslave,z" in body["HostConfig"]["Binds"]
    assert f"--root-dir={prefix}/var/lib/kubelet" in body["Entrypoint"]


def test_precedence_of_arguments() -> None:
    user = {"services.kubelet.extraArgs": {"v": "4", "cluster-dns": "1.2.3.4", "empty": "", "quoted": "''"}}
    found = flags(20, changes=user)
    assert (found["v"], found["cluster-dns"], found["empty"], found["quoted"]) == ("4", "1.2.3.4", "", "''")
    assert (
        flags(20, changes={**user, "dns.nodelocal": {"ipAddress": "169.254.20.10"}})["cluster-dns"] == "169.254.20.10"
    )


def test_roles_decide_about_proxy_and_taint() -> None:
    config = rke_config(20)
    listed = containers(config, DOCKER_INFO, "127.0.0.11")
    assert [container["name"] for container in listed] == ["service-sidekick", "kubelet", "kube-proxy"]
    assert (
        "--register-with-taints=node-role.kubernetes.io/controlplane=true:NoSchedule"
        in listed[1]["create"]["Entrypoint"]
    )
    config["nodes"][0]["role"] = ["controlplane", "worker"]
    assert not any(
        "register-with" in flag for flag in containers(config, DOCKER_INFO, "127.0.0.11")[1]["create"]["Entrypoint"]
    )
    config["nodes"][1]["role"] = ["worker", "etcd"]
    assert containers(config, DOCKER_INFO)[0]["name"] == "nginx-proxy"


def test_hostname_and_internal_address() -> None:
    config = rke_config(20, {"services.kubelet.generateServingCertificate": True})
    config["nodes"][1].update(hostnameOverride="W1.Example", internalAddress="10.0.0.21")
    config["nodes"][0]["internalAddress"] = "10.0.0.11"
    proxy, _, kubelet, _ = (container["create"] for container in containers(config, DOCKER_INFO))
    assert proxy["Env"] == proxy["Cmd"] == ["CP_HOSTS=10.0.0.11"]
    assert {"--hostname-override=w1.example", "--node-ip=10.0.0.21"} <= set(kubelet["Entrypoint"])
    assert "--tls-cert-file=/etc/kubernetes/ssl/kube-kubelet-10-0-0-21.pem" in kubelet["Entrypoint"]


def test_hostname_defaults_to_the_address() -> None:
    config = rke_config(20)
    del config["nodes"][1]["hostnameOverride"]
    assert "--hostname-override=127.0.0.21" in containers(config, DOCKER_INFO)[2]["create"]["Entrypoint"]


@pytest.mark.parametrize(
    "version", ["v1.14.9-rancher1-1", "v1.31.1-rancher1-1", "v2.0.0", "latest", "v1.x", "v1.200.1"]
)
def test_unknown_version_is_refused(version: str) -> None:
    with pytest.raises(UnknownKubernetesVersion) as caught:
        line_of(version)
    assert version in caught.value.message.en
    config = rke_config(20)
    config["kubernetesVersion"] = version
    with pytest.raises(UnknownKubernetesVersion):
        read_config(config)


@pytest.mark.parametrize(
    ("image", "line"),
    [
        ("rancher/hyperkube:v1.24.9-x", 24),
        ("reg:5000/rancher/hyperkube:v1.18.1", 18),
        ("reg:5000/rancher/hyperkube", 20),
        ("rancher/hyperkube:custom", 20),
        ("rancher/hyperkube:v1.19.1@sha256:aa", 19),
    ],
)
def test_tag_of_the_kubernetes_image_decides_about_the_options(image: str, line: int) -> None:
    assert option_line_of("v1.20.15-rancher2-1", image) == line


def test_windows_host_is_refused() -> None:
    with pytest.raises(UnsupportedHost):
        read_host_info({**DOCKER_INFO, "OSType": "windows"})


@pytest.mark.parametrize("path", ["kubernetesVersion", "systemImages.nginxProxy", "services.kubelet.clusterDomain"])
def test_incomplete_configuration_is_named(path: str) -> None:
    with pytest.raises(ConfigIncomplete) as caught:
        read_config(rke_config(20, {path: ""}))
    assert caught.value.field == path
