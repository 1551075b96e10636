"""What is read from recorded rkeConfigs, Node objects and certificates."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from autorke.checks.cluster_facts import not_after
from autorke.checks.context import ClusterSettings, live_node
from autorke.checks.settings import settings_in, settings_of, supported_docker_versions
from tests.checks.healthy import FIXTURES, RKESTATE

RECORDED = Path(__file__).parent.parent / "fixtures" / "rke"


def recorded(name: str) -> ClusterSettings:
    document = json.loads((RECORDED / f"{name}.rkeconfig.json").read_text())
    return settings_of(document["currentState"]["rkeConfig"])


def numbers(settings: ClusterSettings) -> set[str]:
    return {f"{port.number}/{port.protocol}" for port in settings.ports}


def test_calico_cluster() -> None:
    seen = recorded("13-calico")
    assert (seen.plugin, seen.minor) == ("calico", (1, 20))
    assert seen.pod_cidrs == ("10.42.0.0/16",)
    assert {"179/tcp", "9099/tcp", "4789/udp", "80/tcp", "443/tcp", "10250/tcp", "6443/tcp"} <= numbers(seen)
    assert "8472/udp" not in numbers(seen)
    assert "rancher/hyperkube:v1.20.15-rancher2" in seen.images
    assert len(seen.images) == len(set(seen.images))


def test_canal_cluster() -> None:
    assert {"8472/udp", "9099/tcp"} <= numbers(recorded("01-defaults"))
    assert "179/tcp" not in numbers(recorded("01-defaults"))
    assert recorded("19-k118-rke11").minor == (1, 18)


def test_cri_dockerd_port_from_1_24_on() -> None:
    assert "10010/tcp" in numbers(settings_of({"kubernetesVersion": "v1.24.17-rancher1-1"}))
    assert "10010/tcp" not in numbers(
        settings_of({"kubernetesVersion": "v1.24.17-rancher1-1", "enableCriDockerd": False})
    )
    assert "10010/tcp" in numbers(settings_of({"kubernetesVersion": "v1.21.14-rancher1-1", "enableCriDockerd": True}))
    own = settings_of({"kubernetesVersion": "v1.26.8-rancher1-1", "criDockerdStreamServerPort": "10011"})
    assert "10011/tcp" in numbers(own)


def test_own_ranges_prefix_and_swap() -> None:
    seen = settings_of(
        {
            "kubernetesVersion": "v1.20.15-rancher2-1",
            "prefixPath": "/opt/rke",
            "network": {"plugin": "none", "mtu": 9000},
            "services": {
                "kubeApi": {
                    "serviceClusterIpRange": "172.20.0.0/16,fd00:43::/112",
                    "serviceNodePortRange": "20000-22767",
                },
                "kubeController": {"clusterCidr": "172.16.0.0/14,fd00:42::/48"},
                "kubelet": {"failSwapOn": True, "clusterDnsServer": "172.20.0.10"},
                "kubeproxy": {"extraArgs": {"proxy-mode": "ipvs"}},
            },
        }
    )
    assert seen.pod_cidrs == ("172.16.0.0/14", "fd00:42::/48")
    assert seen.service_cidrs == ("172.20.0.0/16", "fd00:43::/112")
    assert (seen.prefix_path, seen.mtu, seen.fail_swap_on, seen.proxy_mode) == ("/opt/rke", 9000, True, "ipvs")
    assert seen.node_port_range == (20000, 22767)
    assert numbers(seen) == {"10250/tcp", "10248/tcp", "10249/tcp", "10256/tcp", "6443/tcp"}


@pytest.mark.parametrize(
    ("version", "newest"),
    [
        ("v1.18.20-rancher1-1", "20.10"),
        ("v1.20.15-rancher2-1", "20.10"),
        ("v1.26.8-rancher1-1", "25.0"),
        ("v1.30.5-rancher1-1", "27.2"),
    ],
)
def test_docker_versions_of_each_line(version: str, newest: str) -> None:
    assert supported_docker_versions(settings_of({"kubernetesVersion": version}))[-1] == newest


@pytest.mark.parametrize("version", ["", "v1.31.0", "1.17.2", "nonsense"])
def test_docker_versions_of_an_unknown_line_are_not_guessed(version: str) -> None:
    assert supported_docker_versions(settings_of({"kubernetesVersion": version})) == ()


def test_settings_of_a_state_that_cannot_be_read_are_empty() -> None:
    assert settings_in((FIXTURES / "truncated.rkestate").read_text()).kubernetes_version == ""
    assert settings_in(RKESTATE).kubernetes_version == "v1.20.15-rancher2-1"


def test_live_node_of_a_node_object() -> None:
    body = {
        "metadata": {
            "name": "w1",
            "labels": {"kubernetes.io/hostname": "w1", "node-role.kubernetes.io/worker": "true"},
            "annotations": {"rke.cattle.io/external-ip": "203.0.113.5", "rke.cattle.io/internal-ip": "10.0.0.5"},
        },
        "status": {
            "addresses": [{"type": "InternalIP", "address": "10.0.0.5"}, {"type": "Hostname", "address": "w1"}],
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"machineID": "ab", "systemUUID": "4C4C4544-AA", "architecture": "arm64"},
        },
    }
    seen = live_node(body)
    assert (seen.name, seen.address, seen.internal_address, seen.roles) == (
        "w1",
        "203.0.113.5",
        "10.0.0.5",
        ("worker",),
    )
    assert (seen.ready, seen.machine_id, seen.product_uuid, seen.architecture) == (True, "ab", "4c4c4544-aa", "arm64")
    bare = live_node({"metadata": {"name": "w2"}, "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}})
    assert (bare.hostname, bare.ready, bare.address) == ("w2", False, "")


def test_end_of_a_certificate_with_serial_number_zero() -> None:
    """rke's CA has serial number 0; `openssl x509 -enddate` says Nov 19 16:38:12 2036 GMT."""
    bundle = json.loads(RKESTATE)["currentState"]["certificatesBundle"]
    assert not_after(bundle["kube-ca"]["certificatePEM"]) == datetime(2036, 11, 19, 16, 38, 12, tzinfo=UTC)
