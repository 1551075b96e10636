"""Reading cluster.yml: what rke would ignore or find late is refused at once, with field and reason."""

from __future__ import annotations

import json

import pytest

from autorke.drivers.rkefiles.cluster_yml import read_cluster_yml
from autorke.drivers.rkefiles.errors import (
    AliasRefused,
    DuplicateKey,
    DuplicateNode,
    FileTooLarge,
    InvalidNode,
    NotYaml,
    RkeFileError,
    UnknownKey,
    WrongType,
)
from autorke.drivers.rkefiles.nodes import Taint
from autorke.drivers.rkefiles.yamltree import SIZE_LIMIT
from tests.drivers.rkefiles.examples import COMMENTED, text
from tests.drivers.workerplane.recordings import SCENARIOS, scenario

NODE = "nodes:\n- {address: 10.0.0.1, user: root, role: [worker]}\n"


def test_defaults_of_rke_are_filled_in() -> None:
    cluster = read_cluster_yml("nodes:\n- {address: 10.0.0.1, user: root, role: [worker], hostname_override: W1.Lan}\n")
    (node,) = cluster.nodes
    assert (node.hostname, node.internal_address, node.port) == ("w1.lan", "10.0.0.1", "22")


def test_scalars_are_read_as_rke_reads_them() -> None:
    cluster = read_cluster_yml(
        "nodes:\n- address: 10.0.0.1\n  port: 2222\n  user: root\n  role: [worker]\n  labels: {a: true, b: 1}\n"
        "  taints:\n  - {key: dedicated, value: 010, effect: NoSchedule}\n"
        "services: {kubelet: {extra_args: {max-pods: 250, v: 010}, fail_swap_on: yes}}\n"
    )
    assert cluster.nodes[0].port == "2222"
    assert cluster.nodes[0].labels == {"a": "true", "b": "1"}
    assert cluster.nodes[0].taints == (Taint("dedicated", "010", "NoSchedule"),)
    assert cluster.document["services"]["kubelet"] == {
        "extra_args": {"max-pods": "250", "v": "010"},
        "fail_swap_on": True,
    }


@pytest.mark.parametrize("name", SCENARIOS)
def test_recorded_files_are_accepted(name: str) -> None:
    assert len(read_cluster_yml(scenario(name)["cluster_yml"]).nodes) == 3


def test_what_rke_config_writes_is_accepted() -> None:
    """`rke config` writes every section, most of them empty."""
    cluster = read_cluster_yml(
        NODE + "services:\n  etcd: {external_urls: [], uid: 0, gid: 0, snapshot: null, retention: ''}\n"
        "  kube-api: {pod_security_policy: false, always_pull_images: false}\n"
        "network: {plugin: canal, options: {}, mtu: 0, node_selector: {}, update_strategy: null, tolerations: []}\n"
        "authentication: {strategy: x509, sans: [], webhook: null}\naddons: ''\naddons_include: []\n"
        "restore: {restore: false, snapshot_name: ''}\nrotate_encryption_key: false\ndns: null\n"
        "bastion_host: {address: '', port: '', ssh_agent_auth: false, ignore_proxy_env_vars: false}\n"
        "monitoring: {provider: '', replicas: null, options: {}}\nwin_prefix_path: ''\ncloud_provider: {name: ''}\n"
        "upgrade_strategy: {max_unavailable_worker: 10%, drain: null, node_drain_input: null}\n"
    )
    assert cluster.document["network"]["mtu"] == 0


@pytest.mark.parametrize(
    ("extra", "path", "near"),
    [
        ("service: {}\n", "service", "services"),
        ("services: {kubelet: {extra_arg: {}}}\n", "services.kubelet.extra_arg", "extra_args"),
        ("services: {kube-proxy: {}}\n", "services.kube-proxy", "kubeproxy"),
        ("network: {calico_network_provider: {cloud_provider: x}}\n", None, "cloudprovider"),
        ("upgrade_strategy: {node_drain_input: {grace-period: 1}}\n", None, "grace_period"),
    ],
)
def test_unknown_key_is_named_with_a_suggestion(extra: str, path: str | None, near: str) -> None:
    with pytest.raises(UnknownKey) as caught:
        read_cluster_yml(NODE + extra)
    assert near in caught.value.message.en
    assert near in caught.value.message.zh
    if path:
        assert caught.value.field == path


def test_unknown_key_of_a_node_names_the_node() -> None:
    with pytest.raises(UnknownKey) as caught:
        read_cluster_yml(NODE + "- {address: 10.0.0.2, user: root, roles: [worker]}\n")
    assert caught.value.field == "nodes[1].roles"


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ("nodes: {}\n", "nodes"),
        ("nodes: [1]\n", "nodes[0]"),
        (NODE + "services: []\n", "services"),
        (NODE + "addon_job_timeout: soon\n", "addon_job_timeout"),
        (NODE + "ssh_agent_auth: 'true'\n", "ssh_agent_auth"),
        (NODE + "ssh_agent_auth: 2\n", "ssh_agent_auth"),
        (NODE + "cluster_name: [a]\n", "cluster_name"),
        (NODE + "services: {kubelet: {extra_args: {a: {}}}}\n", "services.kubelet.extra_args.a"),
    ],
)
def test_wrong_types_are_named(content: str, field: str) -> None:
    with pytest.raises(WrongType) as caught:
        read_cluster_yml(content)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("nodes: [\n", NotYaml),
        ("- a\n", NotYaml),
        ("", NotYaml),
        ("a: b\n---\nc: d\n", NotYaml),
        ("nodes: \x00\n", NotYaml),
        ("a: &x [b]\nc: *x\n", AliasRefused),
        ("nodes: &n []\n", AliasRefused),
        ("network: {plugin: canal, plugin: calico}\n" + NODE, DuplicateKey),
        ("a: " + "[" * 5000 + "]" * 5000, NotYaml),
        ("x" * (SIZE_LIMIT + 1), FileTooLarge),
        ("nodes: [{address: 1, user: !!python/object:os.system x, role: []}]", RkeFileError),
    ],
)
def test_bombs_and_broken_yaml_are_refused(content: str, error: type[RkeFileError]) -> None:
    with pytest.raises(error) as caught:
        read_cluster_yml(content)
    assert json.dumps(caught.value.as_json())


@pytest.mark.parametrize(
    "hostname",
    ["$(reboot)", "a b", "a'b", 'a"b', "w1\nrole", "-w1", "w_1", "wörker", "机器", "a" * 64, "w1.", "`id`", "w1;x"],
)
def test_hostile_hostnames_are_refused(hostname: str) -> None:
    entry = json.dumps({"address": "10.0.0.1", "user": "root", "role": ["worker"], "hostname_override": hostname})
    with pytest.raises(InvalidNode) as caught:
        read_cluster_yml(f"nodes: [{entry}]\n")
    assert caught.value.field == "nodes.hostname_override"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"address": ""}, "nodes.address"),
        ({"address": "10.0.0.300"}, "nodes.address"),
        ({"address": "$(x)"}, "nodes.address"),
        ({"internal_address": "10.0.0.1/24"}, "nodes.internal_address"),
        ({"user": "root; rm"}, "nodes.user"),
        ({"user": ""}, "nodes.user"),
        ({"port": "0"}, "nodes.port"),
        ({"port": "²"}, "nodes.port"),
        ({"role": ["master"]}, "nodes.role"),
        ({"role": []}, "nodes.role"),
        ({"docker_socket": "../x"}, "nodes.docker_socket"),
        ({"labels": {"a b": "c"}}, "nodes.labels.a b"),
        ({"taints": [{"key": "a", "value": "b", "effect": "Never"}]}, "nodes.taints.a.effect"),
    ],
)
def test_unusable_nodes_are_refused(changes: dict[str, object], field: str) -> None:
    entry = {"address": "10.0.0.1", "user": "root", "role": ["worker"], **changes}
    with pytest.raises(InvalidNode) as caught:
        read_cluster_yml(f"nodes: [{json.dumps(entry)}]\n")
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("second", "field"),
    [
        ({"address": "10.0.0.1", "hostname_override": "b"}, "nodes.address"),
        ({"address": "10.0.0.2", "hostname_override": "A"}, "nodes.hostname_override"),
        ({"address": "10.0.0.2", "internal_address": "10.0.0.1"}, "nodes.internal_address"),
    ],
)
def test_duplicate_nodes_are_refused(second: dict[str, object], field: str) -> None:
    first = {"address": "10.0.0.1", "hostname_override": "a", "user": "root", "role": ["worker"]}
    with pytest.raises(DuplicateNode) as caught:
        read_cluster_yml(f"nodes: {json.dumps([first, {'user': 'root', 'role': ['worker'], **second}])}\n")
    assert caught.value.field == field


def test_secrets_are_not_in_repr() -> None:
    cluster = read_cluster_yml(NODE + "private_registries: [{url: r, user: u, password: hunter22}]\n")
    assert "hunter22" not in repr(cluster)


def test_chinese_comments_are_fine() -> None:
    assert read_cluster_yml(COMMENTED).kubernetes_version == "v1.20.15-rancher2-1"
    assert read_cluster_yml(text("cluster.yml")).ssh_key_path == "/lab/id_rsa"
