"""How a new node is reached by SSH is part of both files: a later `rke up` must find it as the first one did."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autorke.drivers.rkefiles.cluster_yml import read_cluster_yml, read_node_entry
from autorke.drivers.rkefiles.diff import MASK, diff_clusters
from autorke.drivers.rkefiles.edit import add_workers
from autorke.drivers.rkefiles.merge import with_workers_added
from autorke.drivers.rkefiles.nodes import RkeNode, state_entry, with_usual_access
from autorke.drivers.rkefiles.rkestate import read_state
from tests.drivers.rkefiles.examples import text, worker

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nbm90IGEga2V5 'x' \"y\"\n-----END OPENSSH PRIVATE KEY-----\n"


def cluster(*nodes: str, top: str = "") -> str:
    return f"{top}nodes:\n" + "".join(
        f"- {{address: 10.0.0.{i}, user: root, {rest}}}\n" for i, rest in enumerate(nodes)
    )


OWN_PATHS = cluster("role: [controlplane, etcd], ssh_key_path: /k/a", "role: [worker], ssh_key_path: /k/a")
SAME_AS_GLOBAL = cluster("role: [controlplane, etcd]", "role: [worker]", top="ssh_key_path: /k/g\n")
DIFFERENT_PATHS = cluster("role: [controlplane, etcd], ssh_key_path: /k/a", "role: [worker], ssh_key_path: /k/b")


@pytest.mark.parametrize(
    ("before", "line"),
    [
        (OWN_PATHS, "ssh_key_path: /k/a"),
        (SAME_AS_GLOBAL, None),
        (DIFFERENT_PATHS, None),
    ],
)
def test_new_node_gets_the_key_path_that_all_nodes_name(before: str, line: str | None) -> None:
    added = add_workers(read_cluster_yml(before), [worker()]).text.removeprefix(before)
    assert (line in added) if line else ("ssh_key" not in added)


def test_own_settings_of_the_new_node_stay() -> None:
    others = read_cluster_yml(OWN_PATHS).nodes
    own = worker(ssh_key_path="/k/own")
    assert with_usual_access(own, others) == own
    assert with_usual_access(worker(ssh_key="inline"), others).ssh_key_path == ""


def test_inline_key_common_to_all_nodes_is_given_to_the_new_one() -> None:
    before = cluster(f"role: [controlplane, etcd, worker], ssh_key: {json.dumps(KEY)}")
    after = add_workers(read_cluster_yml(before), [worker()])
    assert after.nodes[1].ssh_key == KEY
    assert KEY not in repr(after.nodes[1])


def test_every_key_of_a_node_reaches_cluster_yml() -> None:
    entry = {
        "nodeName": "m-1",
        "address": "10.0.0.9",
        "port": "2222",
        "internal_address": "192.168.0.9",
        "user": "ops",
        "hostname_override": "w9",
        "docker_socket": "/run/docker.sock",
        "ssh_key": KEY,
        "ssh_cert": "ssh-ed25519-cert-v01@openssh.com AAAA",
        "ssh_cert_path": "/c/id-cert.pub",
        "labels": {"zone": "z1"},
        "taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}],
    }
    node = read_node_entry(json.dumps(entry))
    added = add_workers(read_cluster_yml(DIFFERENT_PATHS), [node]).document["nodes"][-1]
    assert {**added, "role": None} == {**entry, "role": None}


@pytest.mark.parametrize(
    ("config", "recorded"),
    [
        (
            {"sshKeyPath": "~/.ssh/id_rsa", "sshAgentAuth": False},
            {"sshKeyPath": "~/.ssh/id_rsa"},
        ),
        (
            {"sshKeyPath": "/k/g", "sshAgentAuth": True},
            {"sshAgentAuth": True, "sshKeyPath": "/k/g"},
        ),
    ],
)
def test_defaults_of_a_state_entry_come_from_the_cluster(config: dict[str, Any], recorded: dict[str, Any]) -> None:
    """As stock rke writes them: the agent setting of the cluster overrides that of the node."""
    entry = state_entry(worker(), config)
    common = {"address", "port", "internalAddress", "role", "hostnameOverride", "user"}
    assert {key: value for key, value in entry.items() if key not in common} == recorded


def test_state_entry_with_everything_is_in_the_order_of_rke() -> None:
    node = RkeNode(
        address="10.0.0.9",
        roles=("worker",),
        user="ops",
        hostname="w9",
        internal_address="192.168.0.9",
        docker_socket="/run/docker.sock",
        ssh_key="KEY",
        ssh_cert="CERT",
        ssh_cert_path="/c",
        node_name="m-1",
        labels={"z": "1", "a": "2"},
    )
    entry = state_entry(node, {"sshAgentAuth": True, "sshKeyPath": "/k/g"})
    assert list(entry) == [
        "nodeName",
        "address",
        "port",
        "internalAddress",
        "role",
        "hostnameOverride",
        "user",
        "dockerSocket",
        "sshAgentAuth",
        "sshKey",
        "sshKeyPath",
        "sshCert",
        "sshCertPath",
        "labels",
    ]
    assert list(entry["labels"]) == ["a", "z"]


def test_merged_state_takes_the_access_of_its_nodes() -> None:
    state = read_state(text("cluster.rkestate"))
    merged = with_workers_added(state, [worker()])
    entries = merged.current_config["nodes"]
    assert entries[-1]["sshKeyPath"] == entries[0]["sshKeyPath"] != ""


def test_keys_are_masked_in_a_difference() -> None:
    before = read_cluster_yml(cluster("role: [worker], ssh_key: old-key"))
    after = read_cluster_yml(cluster("role: [worker], ssh_key: new-key, ssh_cert: new-cert"))
    ((node),) = diff_clusters(before, after).changed
    shown = {change.path.rpartition(".")[2]: (change.before, change.after) for change in node.changes}
    assert shown == {"ssh_key": (MASK, MASK), "ssh_cert": (None, MASK)}
