"""Clusters of each Kubernetes line for the golden specs in tests/fixtures/rke/lines.

The golden files were compared, field by field, with what stock rke v1.5.12 computes from the same cluster.yml (lines
1.18 to 1.27; 1.30 has the options of 1.24). They are equal but for the sidekick's SELinux label at 1.18 and 1.20: these
states are of rke 1.2, which does not set it. `python -m tests.drivers.workerplane.lines` writes the files anew.
"""

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
GOLDEN_LINES = (18, 20, 21, 22, 24, 27, 30)
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


LOADED: dict[str, Any] = {
    "prefixPath": "/opt/rke",
    "enableCriDockerd": True,
    "services.kubelet.generateServingCertificate": True,
    "services.kubelet.extraArgs": {"max-pods": "250"},
    "services.kubelet.extraArgsArray": {"feature-gates": ["A=true", "B=false"]},
    "services.kubelet.extraBinds": ["/data:/data:z", "/dev:/host/dev:rprivate"],
    "services.kubeController.clusterCidr": "10.42.0.0/16,fd00::/48",
    "privateRegistries": [{"url": "reg.example.com", "user": "u", "password": "p", "isDefault": True}],
    "cloudProvider": {"name": "external"},
    "dns.nodelocal": {"ipAddress": "169.254.20.10"},
}


def containers(config: dict[str, Any], info: dict[str, Any], address: str = "127.0.0.21") -> list[dict[str, Any]]:
    read = read_config(config)
    node = next(node for node in read.nodes if node.address == address)
    return recorded_containers(worker_containers(read, node, read_host_info(info)))


def golden(line: int) -> dict[str, Any]:
    loaded = LOADED if line >= 21 else {key: value for key, value in LOADED.items() if key != "enableCriDockerd"}
    return {
        "defaults": containers(rke_config(line), DOCKER_INFO),
        "everything": containers(rke_config(line, loaded), SELINUX),
    }


def main() -> None:
    GOLDEN_DIRECTORY.mkdir(exist_ok=True)
    for line in GOLDEN_LINES:
        text = json.dumps(golden(line), indent=1)
        (GOLDEN_DIRECTORY / f"1.{line}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
