"""A worker of each Kubernetes line: recordings of stock rke (tests/fixtures/rke/lines), and inputs for single rules."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from autorke.drivers.workerplane.config import read_config, read_host_info
from autorke.drivers.workerplane.spec import recorded_containers, worker_containers
from tests.drivers.workerplane.recordings import DIRECTORY, scenario, state

VERSIONS = {
    18: "v1.18.20-rancher1-3",
    19: "v1.19.16-rancher2-1",
    20: "v1.20.15-rancher2-2",
    21: "v1.21.14-rancher1-1",
    22: "v1.22.17-rancher1-2",
    23: "v1.23.16-rancher2-3",
    24: "v1.24.17-rancher1-1",
    25: "v1.25.16-rancher2-3",
    26: "v1.26.15-rancher1-1",
    27: "v1.27.16-rancher1-1",
    28: "v1.28.12-rancher1-1",
    29: "v1.29.9-rancher1-1",
    30: "v1.30.5-rancher1-1",
}
KINDS = ("defaults", "everything")
GOLDEN_DIRECTORY = DIRECTORY / "lines"

DOCKER_INFO: dict[str, Any] = scenario("01-defaults")["docker_info"]
SELINUX = {**DOCKER_INFO, "SecurityOptions": ["name=seccomp,profile=default", "name=selinux"]}


def rke_config(line: int, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """The recorded default cluster, moved to another line; `changes` maps dotted paths to values."""
    config: dict[str, Any] = deepcopy(state("01-defaults")["desiredState"]["rkeConfig"])
    image = f"rancher/hyperkube:{VERSIONS[line].rpartition('-')[0]}"
    config["kubernetesVersion"] = VERSIONS[line]
    config["systemImages"]["kubernetes"] = image
    for service in ("kubelet", "kubeproxy"):
        config["services"][service]["image"] = image
    if line >= 24:
        config["enableCriDockerd"] = True
    for path, value in (changes or {}).items():
        *parents, last = path.split(".")
        place = config
        for part in parents:
            place = place[part]
        place[last] = value
    return config


def containers(config: dict[str, Any], info: dict[str, Any], address: str = "127.0.0.21") -> list[dict[str, Any]]:
    read = read_config(config)
    node = next(node for node in read.nodes if node.address == address)
    return recorded_containers(worker_containers(read, node, read_host_info(info)))


def recorded(line: int, kind: str) -> dict[str, Any]:
    """`cluster_yml`, `docker_info`, `rkeConfig`, `address` and `containers` of one recorded worker."""
    document = json.loads((GOLDEN_DIRECTORY / f"1.{line}.json").read_text())
    recording: dict[str, Any] = document["recordings"][kind]
    return recording
