"""`autorke rke worker add` on the real cluster: machines join, nothing else is touched, a broken join is resumed."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import Any

import pytest
from lablib import adding, settings

from autorke.drivers.rkefiles.rkestate import check_settled, read_state
from tests.lab.conftest import WORKER_CONTAINERS, RunningLab

LAB = settings.from_environment()
M3, M4 = settings.FREE


def assert_joined(lab: RunningLab, machine: settings.Machine) -> None:
    """Ready, worker, its labels and taint, the four containers of rke."""
    node = lab.ready_node(machine.name)
    labels = node["metadata"]["labels"]
    assert labels["node-role.kubernetes.io/worker"] == "true"
    assert {name: labels.get(name) for name in adding.LABELS} == adding.LABELS
    assert adding.TAINT in node["spec"]["taints"]
    assert set(lab.containers(machine.name)) == WORKER_CONTAINERS


def assert_recorded(lab: RunningLab, names: list[str]) -> None:
    """cluster.yml, both halves of rkestate and the copy in the cluster name exactly these nodes."""
    state = json.loads(lab.rkestate.read_text())
    check_settled(read_state(lab.rkestate.read_text()))
    for part in ("desiredState", "currentState"):
        assert [node["hostnameOverride"] for node in state[part]["rkeConfig"]["nodes"]] == names
    path = "jsonpath={.data.full-cluster-state}"
    assert (
        json.loads(lab.kubernetes("-n", "kube-system", "get", "configmap", "full-cluster-state", "-o", path)) == state
    )


def files(lab: RunningLab) -> list[bytes]:
    return [path.read_bytes() for path in (lab.cluster_yml, lab.rkestate, lab.kubeconfig)]


def test_two_workers_join_one_after_the_other_and_touch_nobody_else(fresh_lab: RunningLab) -> None:
    before = {name: fresh_lab.containers(name) for name in ("m1", "m2")}
    for machine in (M3, M4):
        added = adding.by_product(LAB, machine)
        assert added.on_others(machine) == 0, added.events
        assert added.events[machine.name]["start kubelet"] == 1
        assert_joined(fresh_lab, machine)
    assert_recorded(fresh_lab, ["m1", "m2", "m3", "m4"])
    assert {name: fresh_lab.containers(name) for name in ("m1", "m2")} == before


def test_a_join_that_is_killed_after_kubelet_came_up_is_resumed(fresh_lab: RunningLab) -> None:
    untouched = files(fresh_lab)
    with subprocess.Popen(adding.product_argv(LAB, M3), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line.decode()
            if "kubelet is healthy" in said:
                break
        process.send_signal(signal.SIGKILL)
    assert "kubelet is healthy" in said, said
    half = fresh_lab.containers("m3")
    assert {"nginx-proxy", "service-sidekick", "kubelet"} <= set(half)  # the next one may just have been made
    assert files(fresh_lab) == untouched

    resumed = adding.by_product(LAB, M3)
    assert "keep kubelet: as planned and running" in resumed.output
    assert resumed.on_others(M3) == 0, resumed.events
    assert_joined(fresh_lab, M3)
    assert_recorded(fresh_lab, ["m1", "m2", "m3"])
    kept = fresh_lab.containers("m3")
    assert {name: kept[name] for name in half} == half


def test_an_image_that_is_nowhere_stops_the_join_before_it_changes_anything(fresh_lab: RunningLab) -> None:
    untouched = files(fresh_lab)
    aside = "autorke-lab/aside:1"
    image = settings.HYPERKUBE
    fresh_lab.ssh("m3", f"docker tag {image} {aside} && docker rmi --no-prune {image}")
    with pytest.raises(settings.LabError, match="exit 1"):
        adding.by_product(LAB, M3)
    assert fresh_lab.containers("m3") == {}
    assert fresh_lab.ssh("m3", "ls --directory /etc/kubernetes/ssl").returncode != 0
    assert files(fresh_lab) == untouched

    fresh_lab.ssh("m3", f"docker tag {aside} {image}")
    assert adding.by_product(LAB, M3).on_others(M3) == 0
    assert_joined(fresh_lab, M3)


def test_a_machine_that_serves_is_refused_by_the_command_line(untouched_lab: RunningLab) -> None:
    """The outage: a serving node set up again because a stale list named it."""
    before: dict[str, Any] = {name: untouched_lab.containers(name) for name in ("m1", "m2")}
    for machine in settings.MEMBERS:
        with pytest.raises(settings.LabError, match="exit 2"):
            adding.by_product(LAB, machine)
    assert {name: untouched_lab.containers(name) for name in ("m1", "m2")} == before
