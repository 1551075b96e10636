"""The lab is what it claims to be: machines behind pinned keys, a cluster laid out as rke does, and free machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.lab.conftest import CONTROL_PLANE_CONTAINERS, WORKER_CONTAINERS, RunningLab

NAMES = ["m1", "m2", "m3", "m4"]
KUBERNETES_PATHS = ["/etc/kubernetes", "/etc/cni/net.d", "/opt/cni/bin", "/var/lib/kubelet", "/var/lib/etcd"]


@pytest.mark.parametrize("name", NAMES)
def test_every_machine_answers_ssh_under_its_pinned_host_key(lab: RunningLab, name: str) -> None:
    assert lab.ssh(name, "hostname").stdout.strip() == name


def test_another_machines_host_key_is_refused(lab: RunningLab, tmp_path: Path) -> None:
    pins = tmp_path / "known_hosts"
    pins.write_text(f"{lab.machines['m3'].address} {lab.machines['m4'].host_key}\n")
    answer = lab.ssh("m3", "hostname", known_hosts=pins)
    assert answer.returncode == 255
    assert "Host key verification failed" in answer.stderr


@pytest.mark.parametrize("name", NAMES)
def test_every_machine_has_a_docker_engine_of_its_own_over_ssh(lab: RunningLab, name: str) -> None:
    facts = json.loads(lab.ssh(name, "docker info --format '{{json .}}'").stdout)
    assert facts["Name"] == name
    assert facts["ServerVersion"].startswith("20.10.")
    assert facts["OSType"] == "linux"


@pytest.mark.parametrize("name", NAMES)
def test_ansible_finds_python_and_root_on_every_machine(lab: RunningLab, name: str) -> None:
    answer = lab.ssh(name, "sudo -n python3 -c 'import os, apt; print(os.geteuid())'")
    assert answer.stdout.strip() == "0", answer.stderr


def test_the_cluster_has_its_nodes_ready_with_their_roles(lab: RunningLab) -> None:
    nodes = {name: lab.ready_node(name) for name in ("m1", "m2")}
    for name in nodes:
        roles = {label.rpartition("/")[2] for label in nodes[name]["metadata"]["labels"] if "node-role" in label}
        assert roles == set(lab.machines[name].roles)
    taints = {(taint["key"], taint["effect"]) for taint in nodes["m1"]["spec"]["taints"]}
    prefix = "node-role.kubernetes.io"
    assert taints == {(f"{prefix}/controlplane", "NoSchedule"), (f"{prefix}/etcd", "NoExecute")}


@pytest.mark.parametrize(("name", "expected"), [("m1", CONTROL_PLANE_CONTAINERS), ("m2", WORKER_CONTAINERS)])
def test_cluster_machines_run_the_containers_of_rke(lab: RunningLab, name: str, expected: set[str]) -> None:
    containers = lab.ssh(name, "docker ps --all --format '{{.Names}}'").stdout.split()
    assert {container for container in containers if not container.startswith("k8s_")} >= expected


def test_free_machines_carry_nothing_of_kubernetes(untouched_lab: RunningLab) -> None:
    for name in ("m3", "m4"):
        assert untouched_lab.ssh(name, "docker ps --all --quiet").stdout == ""
        assert untouched_lab.ssh(name, f"ls --directory {' '.join(KUBERNETES_PATHS)}").stdout == ""


def test_the_three_files_and_the_copy_in_the_cluster_agree(lab: RunningLab) -> None:
    state = json.loads(lab.rkestate.read_text())
    addresses = [node["address"] for node in yaml.safe_load(lab.cluster_yml.read_text())["nodes"]]
    for part in ("desiredState", "currentState"):
        assert [node["address"] for node in state[part]["rkeConfig"]["nodes"]] == addresses
    path = "jsonpath={.data.full-cluster-state}"
    copy = lab.kubernetes("-n", "kube-system", "get", "configmap", "full-cluster-state", "-o", path)
    assert json.loads(copy) == state
    assert lab.kubeconfig.read_text() == state["currentState"]["certificatesBundle"]["kube-admin"]["config"]


def test_the_recording_shows_which_machine_was_touched(lab: RunningLab) -> None:
    lab.command("events", "start")
    lab.ssh("m3", "docker run --rm --name lab-probe autorke-lab/rke-tools:v0.1.80 true")
    lab.command("events", "stop")
    counts = json.loads(lab.command("events", "show"))
    assert {counts["m3"][f"{action} lab-probe"] for action in ("create", "start", "die", "destroy")} == {1}
    assert [counts[name] for name in ("m1", "m2", "m4")] == [{}, {}, {}]


def test_pods_of_the_cluster_run_and_can_be_entered(lab: RunningLab) -> None:
    pods = json.loads(lab.kubernetes("-n", "kube-system", "get", "pods", "-o", "json"))["items"]
    pod = next(pod["metadata"]["name"] for pod in pods if pod["spec"].get("nodeName") == "m2")
    lab.kubernetes("-n", "kube-system", "wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=180s")
    assert lab.kubernetes("-n", "kube-system", "exec", pod, "--", "hostname").strip() == "m2"
