"""State files: recorded good and bad ones; adding a worker changes exactly what it must."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autorke.drivers.rkefiles.cluster_yml import read_cluster_yml
from autorke.drivers.rkefiles.edit import add_workers
from autorke.drivers.rkefiles.errors import (
    ChangePending,
    DuplicateNode,
    MergeBroken,
    NotAWorker,
    PhantomNode,
    StateIncomplete,
    StateLacksNode,
    StateNotJson,
    StateOfOtherCluster,
)
from autorke.drivers.rkefiles.merge import check_merge, compact_text, read_back, state_text, with_workers_added
from autorke.drivers.rkefiles.nodes import Taint
from autorke.drivers.rkefiles.rkestate import RkeState, check_belongs, check_settled, read_rke_config, read_state
from tests.drivers.rkefiles.examples import text, worker
from tests.drivers.workerplane.recordings import SCENARIOS, state

INDEX = json.loads(text("index.json"))


@pytest.fixture(scope="module")
def good() -> RkeState:
    return read_state(text("cluster.rkestate"))


def changed(path: str, value: Any = None) -> str:
    """The good state with one place replaced, or removed without a value."""
    document = json.loads(text("cluster.rkestate"))
    *parents, last = path.split("/")
    place = document
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place[part]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return json.dumps(document)


@pytest.mark.parametrize("name", ["cluster.rkestate", "other-ca.rkestate", "phantom-node.rkestate"])
def test_fingerprint_of_a_ca_with_serial_number_zero(name: str) -> None:
    assert read_state(text(name)).ca_fingerprint == INDEX[name]["ca_sha256"]


def test_truncated_state_is_refused_with_its_place() -> None:
    with pytest.raises(StateNotJson) as caught:
        read_state(text("truncated.rkestate"))
    assert caught.value.values["line"] > 100


@pytest.mark.parametrize("content", ["", "null", "[]", "{}", "[" * 100_000, '{"desiredState": NaN}', "\x00", '"x"'])
def test_anything_that_is_no_state_is_refused(content: str) -> None:
    with pytest.raises((StateNotJson, StateIncomplete)):
        read_state(content)


@pytest.mark.parametrize(
    "path",
    [
        "currentState",
        "currentState/rkeConfig",
        "currentState/rkeConfig/nodes",
        "currentState/certificatesBundle",
        "currentState/certificatesBundle/kube-ca",
        "currentState/certificatesBundle/kube-node",
        "currentState/certificatesBundle/kube-ca/certificatePEM",
        "desiredState/rkeConfig/services",
        "desiredState/rkeConfig/kubernetesVersion",
    ],
)
def test_missing_parts_are_named(path: str) -> None:
    with pytest.raises(StateIncomplete) as caught:
        read_state(changed(path))
    assert path.split("/")[1 if path.count("/") else 0] in caught.value.message.en


@pytest.mark.parametrize("nodes", [[], [1], [{}], [{"address": "a"}], [{"address": "a", "role": "worker"}], {}])
def test_unusable_node_lists_are_refused(nodes: object) -> None:
    with pytest.raises(StateIncomplete):
        read_state(changed("currentState/rkeConfig/nodes", nodes))


@pytest.mark.parametrize("pem", ["", "x", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----"])
def test_broken_ca_is_refused(pem: str) -> None:
    with pytest.raises(StateIncomplete):
        read_state(changed("currentState/certificatesBundle/kube-ca/certificatePEM", pem or "-"))


def test_desired_and_current_state_must_share_the_ca() -> None:
    document = json.loads(text("cluster.rkestate"))
    document["desiredState"]["certificatesBundle"] = json.loads(text("other-ca.rkestate"))["desiredState"][
        "certificatesBundle"
    ]
    with pytest.raises(StateOfOtherCluster):
        read_state(json.dumps(document))


@pytest.mark.parametrize("name", SCENARIOS)
def test_rkeconfig_alone_is_enough_for_reading_the_configuration(name: str) -> None:
    assert read_rke_config(json.dumps(state(name)))["nodes"]
    with pytest.raises(StateIncomplete):
        read_state(json.dumps(state(name)))


def test_state_and_cluster_yml_belong_together(good: RkeState) -> None:
    cluster = read_cluster_yml(text("cluster.yml"))
    check_belongs(good, cluster, ca_fingerprint=INDEX["cluster.rkestate"]["ca_sha256"])
    check_settled(good)


def test_state_of_another_cluster_is_refused_by_its_ca() -> None:
    with pytest.raises(StateOfOtherCluster):
        check_belongs(
            read_state(text("other-ca.rkestate")),
            read_cluster_yml(text("cluster.yml")),
            ca_fingerprint=INDEX["cluster.rkestate"]["ca_sha256"],
        )


def test_phantom_node_is_named() -> None:
    with pytest.raises(PhantomNode) as caught:
        check_belongs(read_state(text("phantom-node.rkestate")), read_cluster_yml(text("cluster.yml")))
    assert "127.0.0.29" in caught.value.message.en


def test_state_of_other_machines_is_refused(good: RkeState) -> None:
    cluster = read_cluster_yml("nodes:\n- {address: 10.0.0.1, user: root, role: [worker]}\n")
    with pytest.raises(StateOfOtherCluster):
        check_belongs(good, cluster)


def test_node_that_was_never_deployed_is_named(good: RkeState) -> None:
    cluster = add_workers(read_cluster_yml(text("cluster.yml")), [worker()])
    with pytest.raises(StateLacksNode) as caught:
        check_belongs(good, cluster)
    assert "127.0.0.24" in caught.value.message.en


def test_changed_hostname_or_role_is_noticed(good: RkeState) -> None:
    for old, new in (
        ("hostname_override: w1", "hostname_override: x1"),
        ("  - worker\n  hostname_override: w2", "  - etcd\n  hostname_override: w2"),
    ):
        with pytest.raises(StateOfOtherCluster):
            check_belongs(good, read_cluster_yml(text("cluster.yml").replace(old, new)))


@pytest.mark.parametrize("name", ["cluster.rkestate", "other-ca.rkestate"])
def test_recorded_states_of_finished_runs_are_settled(name: str) -> None:
    """Stock rke adds `nodeDrainInput` and a checksum to the current state only; neither is a pending change."""
    finished = read_state(text(name))
    desired, current = finished.desired_config, finished.current_config
    assert "nodeDrainInput" not in desired["upgradeStrategy"]
    assert "nodeDrainInput" in current["upgradeStrategy"]
    check_settled(finished)


def test_recorded_state_of_a_broken_run_is_pending_in_its_nodes_alone() -> None:
    with pytest.raises(ChangePending) as caught:
        check_settled(read_state(text("phantom-node.rkestate")))
    assert caught.value.values["fields"] == "nodes"


def test_unfinished_earlier_run_is_noticed(good: RkeState) -> None:
    document = deepcopy(dict(good.document))
    document["desiredState"]["rkeConfig"]["services"]["kubelet"]["extraArgs"] = {"max-pods": "9"}
    with pytest.raises(ChangePending) as caught:
        check_settled(RkeState(document))
    assert "services" in caught.value.message.en


@pytest.mark.parametrize("name", ["cluster.rkestate", "other-ca.rkestate", "phantom-node.rkestate"])
def test_unchanged_state_is_written_byte_for_byte(name: str) -> None:
    original = text(name)
    assert state_text(read_state(original), like=original) == original


def test_go_escapes_are_kept() -> None:
    original = '{\n  "a": "\\u003cb\\u003e \\u0026 ü"\n}\n'
    assert state_text(RkeState(json.loads(original)), like=original) == original
    assert compact_text(RkeState({"a": "<"})) == '{"a":"\\u003c"}'


def test_added_worker_is_in_both_states_and_nothing_else_changed(good: RkeState) -> None:
    new = worker(labels={"zone": "z1", "disk": "ssd"}, taints=(Taint("dedicated", "", "NoSchedule"),))
    merged = with_workers_added(good, [new])

    for name in ("desiredState", "currentState"):
        before, after = good.document[name], merged.document[name]
        assert after["rkeConfig"]["nodes"][:-1] == before["rkeConfig"]["nodes"]
        assert list(after["rkeConfig"]["nodes"][-1].items()) == [
            ("address", "127.0.0.24"),
            ("port", "22"),
            ("internalAddress", "127.0.0.24"),
            ("role", ["worker"]),
            ("hostnameOverride", "w4"),
            ("user", "root"),
            ("sshKeyPath", before["rkeConfig"]["nodes"][1]["sshKeyPath"]),
            ("labels", {"disk": "ssd", "zone": "z1"}),
            ("taints", [{"key": "dedicated", "effect": "NoSchedule"}]),
        ]
        assert after["certificatesBundle"] == before["certificatesBundle"]
    written = state_text(merged, like=text("cluster.rkestate"))
    assert len(written.splitlines()) > len(text("cluster.rkestate").splitlines())
    read_back(written, good, [new])


def test_shape_of_the_entry_is_the_one_that_stock_rke_wrote() -> None:
    """The recording's state holds w3, which rke added: our entry for it equals rke's."""
    document = state("01-defaults")
    theirs = document["currentState"]["rkeConfig"]["nodes"][-1]
    merged = with_workers_added(read_state(text("cluster.rkestate")), [worker("127.0.0.23", "w3")])
    ours = merged.current_config["nodes"][-1]
    assert {**ours, "sshKeyPath": theirs["sshKeyPath"]} == theirs
    assert list(ours) == list(theirs)


def test_serving_certificate_is_added_in_order(good: RkeState) -> None:
    entry = {"certificatePEM": "x", "keyPEM": "y"}
    merged = with_workers_added(good, [worker()], {"kube-kubelet-127-0-0-24": entry})
    names = list(merged.certificates)
    assert names == sorted(names)
    assert merged.certificates["kube-kubelet-127-0-0-24"] == entry
    assert "kube-kubelet-127-0-0-24" not in good.certificates


def test_taken_addresses_and_other_roles_are_refused(good: RkeState) -> None:
    with pytest.raises(DuplicateNode):
        with_workers_added(good, [worker("127.0.0.21", "x")])
    with pytest.raises(NotAWorker):
        with_workers_added(good, [worker(roles=("worker", "etcd"))])


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d["currentState"]["rkeConfig"]["nodes"].pop(0),
        lambda d: d["currentState"]["rkeConfig"]["nodes"].append(d["currentState"]["rkeConfig"]["nodes"][0]),
        lambda d: d["desiredState"]["rkeConfig"].update(prefixPath="/x"),
        lambda d: d["currentState"]["certificatesBundle"]["kube-node"].update(keyPEM="z"),
        lambda d: d["currentState"]["certificatesBundle"].pop("kube-scheduler"),
        lambda d: d["currentState"]["certificatesBundle"].update(
            json.loads(text("other-ca.rkestate"))["currentState"]["certificatesBundle"]
        ),
        lambda d: d.update(more=1),
    ],
)
def test_a_damaged_merge_never_passes(good: RkeState, damage: Any) -> None:
    merged = with_workers_added(good, [worker()])
    document = deepcopy(dict(merged.document))
    damage(document)
    with pytest.raises(MergeBroken):
        check_merge(good, RkeState(document), [worker()])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_survives_both_layouts(value: Any) -> None:
    for like in ("{}", "{\n}\n"):
        assert json.loads(state_text(RkeState({"x": value}), like=like)) == {"x": value}
