"""The difference of two cluster.yml files, as people see it."""

from __future__ import annotations

import pytest

from autorke.drivers.rkefiles.cluster_yml import read_cluster_yml
from autorke.drivers.rkefiles.diff import MASK, diff_clusters
from autorke.drivers.rkefiles.edit import add_workers
from tests.drivers.rkefiles.examples import COMMENTED, worker

BEFORE = read_cluster_yml(COMMENTED)


def test_added_worker_is_the_only_difference_and_not_dangerous() -> None:
    diff = diff_clusters(BEFORE, add_workers(BEFORE, [worker("10.0.0.3", "w3")]))
    assert [node.address for node in diff.added] == ["10.0.0.3"]
    assert (diff.removed, diff.changed, diff.settings, diff.dangerous) == ((), (), (), ())


def test_changed_address_is_a_removal_and_an_addition() -> None:
    diff = diff_clusters(BEFORE, read_cluster_yml(COMMENTED.replace("10.0.0.2 ", "10.0.0.7 ")))
    assert [node.address for node in diff.removed] == ["10.0.0.2"]
    assert [node.address for node in diff.added] == ["10.0.0.7"]


def test_comments_and_layout_are_no_difference() -> None:
    diff = diff_clusters(BEFORE, read_cluster_yml(COMMENTED.replace("  # keep", "").replace("[worker]", "['worker']")))
    assert (diff.settings, diff.changed) == ((), ())


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("hostname_override: w2", "hostname_override: w9", "nodes[10.0.0.2].hostname"),
        ("max-pods: 250", "max-pods: 110", "services.kubelet.extra_args.max-pods"),
        ("v1.20.15", "v1.21.1", "kubernetes_version"),
        ("services:", "network: {plugin: calico}\nservices:", "network.plugin"),
        ("services:", "prefix_path: /opt\nservices:", "prefix_path"),
        ("services:", "authentication: {sans: [a]}\nservices:", "authentication.sans"),
        (
            "services:",
            "services:\n  kube-controller: {cluster_cidr: 10.9.0.0/16}",
            "services.kube-controller.cluster_cidr",
        ),
    ],
)
def test_dangerous_settings_carry_a_warning(old: str, new: str, path: str) -> None:
    diff = diff_clusters(BEFORE, read_cluster_yml(COMMENTED.replace(old, new)))
    (change,) = diff.dangerous
    assert change.path == path
    assert change.danger is not None


def test_harmless_setting_carries_none() -> None:
    diff = diff_clusters(BEFORE, read_cluster_yml(COMMENTED + "cluster_name: a\n"))
    assert [change.path for change in diff.settings] == ["cluster_name"]
    assert diff.dangerous == ()


def test_order_of_controlplane_nodes_matters() -> None:
    two = COMMENTED.replace("role: [worker]", "role: [controlplane]")
    first, second = read_cluster_yml(two), read_cluster_yml(
        two.replace("10.0.0.1", "10.0.0.X").replace("10.0.0.2 ", "10.0.0.1 ").replace("10.0.0.X", "10.0.0.2")
        .replace("'cp1'", "tmp").replace("override: w2", "override: cp1").replace("tmp", "w2")
    )  # fmt: skip
    assert "nodes[].role=controlplane" in [change.path for change in diff_clusters(first, second).dangerous]


def test_secrets_are_masked() -> None:
    registry = "private_registries: [{url: r, user: u, password: hunter22}]\n"
    diff = diff_clusters(BEFORE, read_cluster_yml(COMMENTED + registry))
    assert "hunter22" not in repr(diff)
    assert MASK in [change.after for change in diff.settings]
