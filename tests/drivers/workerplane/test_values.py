"""Registries, cloud configs, serving certificates, Node marks and masking: pure values."""

from __future__ import annotations

import hashlib
import json
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from autorke.drivers.rkefiles.nodes import RkeNode, Taint, node_from_state
from autorke.drivers.workerplane.certificates import issued_by, read_authority, serving_certificate
from autorke.drivers.workerplane.cloudconfig import cloud_config, provider_name
from autorke.drivers.workerplane.errors import CertificateMissing
from autorke.drivers.workerplane.masking import mask_text
from autorke.drivers.workerplane.nodeobject import find_node, marked, marks_patch, node_marks
from autorke.drivers.workerplane.registries import credentials_for, docker_config, read_registries
from tests.drivers.workerplane.certificates import bundle
from tests.drivers.workerplane.recordings import DIRECTORY, SCENARIOS, scenario, state

REGISTRIES = read_registries(
    [
        {"url": "reg.example.com", "user": "u", "password": "old"},
        {"user": "hub", "password": "hubpw"},
        {"url": "reg.example.com/team/x", "user": "t", "password": "t2"},
        {"url": "reg.example.com", "user": "u<", "password": "new"},
        {"url": "ecr.example.com", "ecrCredentialPlugin": {}},
    ]
)


@pytest.mark.parametrize(
    ("image", "user"),
    [
        ("reg.example.com/rancher/hyperkube:v1.20.1", "u<"),
        ("reg.example.com/team/x/rancher/hyperkube:v1.20.1", "t"),
        ("reg.example.com/hyperkube", "u<"),
        ("rancher/hyperkube:v1.20.1", "hub"),
        ("docker.io/rancher/hyperkube:v1.20.1", "hub"),
        ("nginx", "hub"),
        ("localhost:5000/rancher/hyperkube:v1", None),
        ("ecr.example.com/rancher/hyperkube:v1", None),
        ("other.example.com/rancher/hyperkube@sha256:00", None),
    ],
)
def test_registry_of_an_image(image: str, user: str | None) -> None:
    found = credentials_for(image, REGISTRIES)
    assert (found or {}).get("username") == user


def test_docker_config_of_the_kubelet() -> None:
    text = docker_config(read_registries([{"url": "b<c"}, {"url": "a", "user": "x", "password": "y"}]))
    assert text == '{"auths":{"a":{"auth":"eDp5"},"b\\u003cc":{"auth":"Og=="}}}'
    assert json.loads(docker_config(REGISTRIES))["credHelpers"] == {"ecr.example.com": "ecr-login"}
    assert "new" not in repr(REGISTRIES)


OPENSTACK: dict[str, Any] = {
    "name": "openstack",
    "openstackCloudProvider": {
        "global": {"auth-url": "http://k/v3", "username": "u", "user-id": "", "password": "a`b#"},
        "loadBalancer": {"use-octavia": True, "monitor-max-retries": 0},
        "blockStorage": {"bs-version": ""},
        "route": {"router-id": ""},
        "metadata": {"request-timeout": 5},
    },
}


def test_cloud_config_of_openstack() -> None:
    assert cloud_config(OPENSTACK) == (
        '[Global]\nauth-url = http://k/v3\nusername = u\npassword = """a`b#"""\n\n'
        "[LoadBalancer]\nuse-octavia = true\n\n[BlockStorage]\n\n[Route]\n\n[Metadata]\nrequest-timeout = 5\n\n"
    )


@pytest.mark.parametrize(
    ("cloud", "name", "digest"),
    [
        ({"name": "aws"}, "aws", hashlib.md5(b"", usedforsecurity=False).hexdigest()),
        ({"name": "external"}, "external", "d41d8cd98f00b204e9800998ecf8427e"),
        ({"awsCloudProvider": {"global": {"zone": "z", "disable-strict-zone-check": True}}}, "aws", None),
        ({"azureCloudProvider": {"cloud": "", "tenantId": "t<", "cloudProviderBackoff": False}}, "azure", None),
        ({"name": "mine", "customCloudProvider": "[x]\n"}, "mine", None),
        ({"harvesterCloudProvider": {"cloudConfig": "kind: Config"}}, "external", None),
        ({}, "", "d41d8cd98f00b204e9800998ecf8427e"),
    ],
)
def test_names_and_texts_of_cloud_providers(cloud: dict[str, Any], name: str, digest: str | None) -> None:
    assert provider_name(cloud) == name
    text = cloud_config(cloud)
    if digest:
        assert hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() == digest
    else:
        assert text


def test_cloud_config_of_azure_is_indented_by_empty_lines() -> None:
    text = cloud_config({"azureCloudProvider": {"cloud": "", "tenantId": "t<", "backoff": False, "n": 3}})
    assert text == '{\n\n"cloud": "",\n\n"tenantId": "t\\u003c",\n\n"backoff": false,\n\n"n": 3\n}'


VSPHERE = [
    "",
    "[Global]",
    'user = "u"',
    'password = ""',
    'insecure-flag = "true"',
    'datacenters = "dc"',
    'soap-roundtrip-count = "3"',
    "",
    "",
    '[VirtualCenter "vc1"]',
    '        user = "u"',
    '        password = "p"',
    '        datacenters = "dc1"',
    '        soap-roundtrip-count = "0"',
    '[VirtualCenter "vc2"]',
    '        user = "a\\b"',
    '        password = "p"q"',
    '        port = "443"',
    '        soap-roundtrip-count = "0"',
    "",
    "[Workspace]",
    '        server = "vc1"',
    '        datacenter = ""',
    '        folder = "f"',
    '        default-datastore = ""',
    '        resourcepool-path = ""',
    "",
    "[Disk]",
    "        scsicontrollertype = pvscsi",
    "",
    "[Network]",
    '        public-network = "VM Network"',
]


def test_cloud_config_of_vsphere() -> None:
    settings = {
        "global": {"user": "u", "insecure-flag": True, "soap-roundtrip-count": 3, "datacenters": "dc"},
        "virtualCenter": {
            "vc2": {"user": "a\\b", "password": 'p"q', "port": "443"},
            "vc1": {"user": "u", "password": "p", "datacenters": "dc1"},
        },
        "workspace": {"server": "vc1", "folder": "f"},
        "disk": {"scsicontrollertype": "pvscsi"},
        "network": {"public-network": "VM Network"},
    }
    assert cloud_config({"name": "vsphere", "vsphereCloudProvider": settings}).splitlines() == VSPHERE


def test_cloud_config_of_aws() -> None:
    text = cloud_config({"awsCloudProvider": {"global": {"zone": "z", "disable-strict-zone-check": True}}})
    assert text == "[Global]\nZone                   = z\nDisableStrictZoneCheck = true\n\n"


NODE = RkeNode(
    address="10.0.0.9", roles=("worker",), user="root", hostname="w9", internal_address="10.1.0.9", port="22"
)


def test_serving_certificate_is_one_that_the_cluster_trusts(tmp_path: Path) -> None:
    authority = bundle()["kube-ca"]
    entry = serving_certificate(NODE, authority)
    certificate = x509.load_pem_x509_certificate(entry["certificatePEM"].encode())

    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["w9"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.9", "10.1.0.9"]
    assert certificate.not_valid_before_utc == read_authority(authority["certificatePEM"]).not_valid_before_utc
    assert (entry["envName"], entry["path"]) == (
        "KUBE_KUBELET_10_1_0_9",
        "/etc/kubernetes/ssl/kube-kubelet-10-1-0-9.pem",
    )
    assert issued_by(entry["certificatePEM"], authority["certificatePEM"])
    assert not issued_by(entry["certificatePEM"], bundle("another cluster")["kube-ca"]["certificatePEM"])
    assert not issued_by("nonsense", authority["certificatePEM"])


def test_serving_certificate_has_the_form_that_stock_rke_gives_it() -> None:
    """The recorded cert-deployer names the environment; the keys of the entry are those of a recorded bundle entry."""
    recorded = json.loads((DIRECTORY / "rkestate" / "cluster.rkestate").read_text())
    theirs = recorded["currentState"]["certificatesBundle"]["kube-apiserver"]
    node = node_from_state(state("06-serving-cert")["currentState"]["rkeConfig"]["nodes"][-1])
    entry = serving_certificate(node, bundle()["kube-ca"])
    worker = scenario("06-serving-cert")["add_worker"]["workers"][0]
    deployer = next(record for record in worker["oneshot_containers"] if record["name"] == "cert-deployer")
    assert list(entry) == list(theirs)
    assert f"{entry['envName']}=<PEM:{entry['name']}>" in deployer["Env"]
    assert f"{entry['keyEnvName']}=<PEM:{entry['name']}-key>" in deployer["Env"]


def test_recorded_ca_with_serial_number_zero_is_readable() -> None:
    recorded = json.loads((DIRECTORY / "rkestate" / "cluster.rkestate").read_text())
    authority = read_authority(recorded["currentState"]["certificatesBundle"]["kube-ca"]["certificatePEM"])
    assert authority.subject.rfc4514_string() == "CN=kube-ca"
    node_certificate = recorded["currentState"]["certificatesBundle"]["kube-node"]["certificatePEM"]
    assert issued_by(node_certificate, recorded["currentState"]["certificatesBundle"]["kube-ca"]["certificatePEM"])


def test_openssl_accepts_the_serving_certificate(tmp_path: Path) -> None:
    """An independent judge, with the CA as rke writes it (serial number 0)."""
    authority = bundle()["kube-ca"]
    entry = serving_certificate(NODE, authority)
    (tmp_path / "ca.pem").write_text(authority["certificatePEM"])
    (tmp_path / "leaf.pem").write_text(entry["certificatePEM"])
    command = [
        "openssl",
        "verify",
        "-CAfile",
        str(tmp_path / "ca.pem"),
        "-verify_ip",
        "10.1.0.9",
        str(tmp_path / "leaf.pem"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "changes",
    [
        {"keyPEM": "<REMOVED>"},
        {"keyPEM": ""},
        {"certificatePEM": "x"},
        {"keyPEM": bundle("another cluster")["kube-ca"]["keyPEM"]},
    ],
)
def test_serving_certificate_needs_the_right_ca_key(changes: dict[str, str]) -> None:
    with pytest.raises(CertificateMissing):
        serving_certificate(NODE, {**bundle()["kube-ca"], **changes})


@pytest.mark.parametrize("name", SCENARIOS)
def test_node_marks_equal_what_stock_rke_wrote(name: str) -> None:
    """Take the marks off each recorded Node and put them on again: the recorded body comes out."""
    document = scenario(name)
    nodes = {node.hostname: node for node in map(node_from_state, state(name)["currentState"]["rkeConfig"]["nodes"])}
    updates = [*document["node_updates"], *document["add_worker"]["node_updates"]]
    assert updates
    for update in updates:
        body = update["body"]
        marks = node_marks(nodes[update["node"]])
        bare = deepcopy(body)
        for key in marks.labels:
            bare["metadata"]["labels"].pop(key)
        for key in marks.annotations:
            bare["metadata"]["annotations"].pop(key)
        bare["spec"].pop("taints", None)
        taints = body["spec"].get("taints", [])
        ours = marked(bare, marks)
        assert ours["metadata"] == body["metadata"]
        assert sorted(map(str, ours["spec"].get("taints", []))) == sorted(map(str, taints))
        assert marks_patch(body, marks) is None


def test_marks_leave_what_others_wrote() -> None:
    node = RkeNode(
        **{
            **NODE.__dict__,
            "taints": (Taint("a", "1", "NoSchedule"), Taint("node-role.kubernetes.io/etcd", "x", "NoExecute")),
        }
    )
    body = {
        "metadata": {"name": "w9", "resourceVersion": "7", "labels": {"by": "hand"}},
        "spec": {"taints": [{"key": "a", "value": "0", "effect": "NoSchedule"}, {"key": "b", "effect": "NoExecute"}]},
    }
    patch = marks_patch(body, node_marks(node))
    assert patch is not None
    assert patch["metadata"]["resourceVersion"] == "7"
    assert patch["spec"]["taints"] == [
        {"key": "b", "effect": "NoExecute"},
        {"key": "a", "value": "1", "effect": "NoSchedule"},
    ]
    assert marked(body, node_marks(node))["metadata"]["labels"] == {
        "by": "hand",
        "node-role.kubernetes.io/worker": "true",
    }


def test_node_is_found_by_hostname_label() -> None:
    listed = [{"metadata": {"name": "x", "labels": {"kubernetes.io/hostname": "W9"}}}, {"metadata": {"name": "w9"}}]
    assert find_node(listed, "w9") is listed[0]
    assert find_node(listed[1:], "w9") is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("RKE_KUBELET_DOCKER_CONFIG=abc", "RKE_KUBELET_DOCKER_CONFIG=••••••"),
        ("KUBE_NODE_KEY=abc", "KUBE_NODE_KEY=••••••"),
        ("--authentication-token-webhook=true", "--authentication-token-webhook=true"),
        ("--bootstrap-token=abc", "--bootstrap-token=••••••"),
        ("HTTP_PROXY=http://me:pw@proxy:3128", "HTTP_PROXY=http://••••••@proxy:3128"),
        ("--kubeconfig=/etc/x", "--kubeconfig=/etc/x"),
        ("it said hunter22!", "it said ••••••!"),
        ("x -----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY----- y", "x •••••• y"),
    ],
)
def test_masking(text: str, shown: str) -> None:
    assert mask_text(text, ["hunter22"]) == shown
