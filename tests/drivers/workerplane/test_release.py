"""What differs between releases of rke at the same Kubernetes version, and how a state gives its release away."""

from __future__ import annotations

from typing import Any

import pytest

from autorke.drivers.workerplane.config import read_config
from autorke.drivers.workerplane.facts import entrypoint_of
from tests.drivers.workerplane.lines import DOCKER_INFO, containers, rke_config

BLANKS = {
    "services.kubelet.extraEnv": [" A=1 ", "", "A=1", " A=1 "],
    "services.kubelet.extraBinds": ["/a:/a", "", "/a:/a"],
}
DUAL_STACK = {"enableCriDockerd": True, "services.kubeController.clusterCidr": "10.42.0.0/16,fd00::/48"}
STREAM_SERVER = {"criDockerdStreamServerPort": "10010"}


def kubelet(line: int, version: str, changes: dict[str, Any]) -> dict[str, Any]:
    config = rke_config(line, {"kubernetesVersion": version, **changes})
    listed = containers(config, DOCKER_INFO)
    created: dict[str, Any] = next(container["create"] for container in listed if container["name"] == "kubelet")
    return created


@pytest.mark.parametrize(
    ("line", "version", "changes", "release"),
    [
        (20, "v1.20.15-rancher2-1", {}, (2, 0)),
        (20, "v1.20.15-rancher2-2", {"ingress.defaultIngressClass": True}, (3, 0)),
        (20, "v1.20.15-rancher2-2", {"ingress.defaultIngressClass": False}, (3, 0)),
        (22, "v1.22.17-rancher1-2", {}, (3, 0)),
        (23, "v1.23.16-rancher2-3", {}, (3, 0)),
        (23, "v1.23.16-rancher2-3", {"services.kubeApi.podSecurityConfiguration": "privileged"}, (4, 0)),
        (24, "v1.24.17-rancher1-1", {"cloudProvider": {"name": "external-aws"}}, (5, 0)),
        (26, "v1.26.15-rancher1-1", {}, (5, 0)),
        (27, "v1.27.14-rancher1-1", {}, (5, 0)),
        (27, "v1.27.15-rancher1-1", {}, (5, 11)),
        (28, "v1.28.10-rancher1-1", {}, (5, 0)),
        (28, "v1.28.11-rancher1-1", {}, (5, 11)),
        (28, "v1.28.10-rancher1-1", STREAM_SERVER, (6, 0)),
        (29, "v1.29.6-rancher1-1", {}, (6, 0)),
        (30, "v1.30.2-rancher1-1", {}, (6, 0)),
        (30, "v1.30", {}, (6, 0)),
    ],
)
def test_release_is_the_oldest_that_can_have_written_the_state(
    line: int, version: str, changes: dict[str, Any], release: tuple[int, int]
) -> None:
    assert read_config(rke_config(line, {"kubernetesVersion": version, **changes})).release == release


@pytest.mark.parametrize(
    ("line", "version", "env", "binds"),
    [
        (20, "v1.20.15-rancher2-1", [" A=1 ", "", "A=1"], ["/a:/a", ""]),
        (28, "v1.28.10-rancher1-1", [" A=1 ", "", "A=1"], ["/a:/a", ""]),
        (28, "v1.28.11-rancher1-1", ["A=1"], ["/a:/a"]),
        (30, "v1.30.4-rancher1-1", ["A=1"], ["/a:/a"]),
    ],
)
def test_blanks_in_lists_stay_before_rke_1_5_11(line: int, version: str, env: list[str], binds: list[str]) -> None:
    body = kubelet(line, version, {**BLANKS, "enableCriDockerd": False})
    assert body["Env"] == env
    assert body["HostConfig"]["Binds"][-len(binds) :] == binds
    assert body["HostConfig"]["Binds"].count("/a:/a") == 1


@pytest.mark.parametrize(("line", "told"), [(21, False), (24, False), (25, True), (28, True), (30, True)])
def test_cri_dockerd_is_told_of_dual_stack_from_rke_1_5_on(line: int, told: bool) -> None:
    version = f"v1.{line}.4-rancher1-1"
    assert ("RKE_KUBELET_CRIDOCKERD_DUALSTACK=true" in kubelet(line, version, DUAL_STACK)["Env"]) == told


@pytest.mark.parametrize(
    ("image", "old"),
    [
        ("rancher/rke-tools:v0.1.80", False),
        ("rancher/rke-tools:v0.1.13", False),
        ("rancher/rke-tools:v0.1.13-rc1", True),
        ("rancher/rke-tools:v0.1.12", True),
        ("reg.example:5000/rke-tools:0.1.9-fork", True),
        ("reg.example:5000/rke-tools:v1.0.0", False),
        ("reg.example:5000/rke-tools", False),
        ("rancher/rke-tools", False),
        ("rancher/rke-tools:latest", False),
        ("rancher/rke-tools:v0.1", False),
        ("rancher/rke-tools:v0.1.10@sha256:aa", False),
    ],
)
def test_entrypoint_lies_elsewhere_in_rke_tools_before_0_1_13(image: str, old: bool) -> None:
    assert entrypoint_of(image) == ("/opt/rke/entrypoint.sh" if old else "/opt/rke-tools/entrypoint.sh")


def test_sidekick_image_decides_about_the_entrypoint() -> None:
    config = rke_config(20, {"systemImages.kubernetesServicesSidecar": "own/tools:v0.1.10"})
    listed = containers(config, DOCKER_INFO)
    assert [container["create"]["Entrypoint"][0] for container in listed] == [
        "nginx-proxy",
        "/bin/bash",
        "/opt/rke/entrypoint.sh",
        "/opt/rke/entrypoint.sh",
    ]
