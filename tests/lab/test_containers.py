"""Where no stock rke is at hand the lab makes its cluster itself: with the containers that rke was recorded to send."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lablib import containers
from lablib.settings import Machine

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "rke"
SCENARIOS = ["01-defaults", "12-labels-taints", "13-calico"]


def _recorded(scenario: str) -> list[tuple[Machine, dict[str, dict[str, Any]]]]:
    document = json.loads((FIXTURES / f"{scenario}.json").read_text())
    nodes = [*document["other_nodes"], *document["workers"]]
    return [
        (
            Machine(node["hostname"], node["address"], tuple(node["role"]), ""),
            {entry["name"]: entry["create"] for entry in node["containers"]},
        )
        for node in nodes
    ]


def _config(scenario: str) -> dict[str, Any]:
    document = json.loads((FIXTURES / f"{scenario}.rkeconfig.json").read_text())
    config: dict[str, Any] = document["currentState"]["rkeConfig"]
    return config


def _comparable(body: dict[str, Any]) -> dict[str, Any]:
    """What rke compares, with arguments as a set: it sends them in random order (rke.md §4.6)."""
    host = body["HostConfig"]
    return {
        "image": body["Image"],
        "entrypoint": sorted(body.get("Entrypoint") or []),
        "cmd": sorted(body.get("Cmd") or []),
        "env": sorted(body.get("Env") or []),
        "labels": body["Labels"],
        "binds": host.get("Binds") or [],
        "volumes_from": host.get("VolumesFrom") or [],
        "network": host.get("NetworkMode", ""),
        "pid": host.get("PidMode", ""),
        "privileged": host.get("Privileged", False),
        "restart": host.get("RestartPolicy", {}).get("Name", ""),
    }


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_labs_worker_plane_is_what_stock_rke_sends(scenario: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = _config(scenario)
    for machine, recorded in _recorded(scenario):
        if "controlplane" in machine.roles:
            monkeypatch.setattr(containers, "CONTROL_PLANE", machine)
        computed = {
            "nginx-proxy": containers.nginx_proxy(config),
            "service-sidekick": containers.sidekick(config),
            "kubelet": containers.kubelet(config, machine, "/var/lib/docker"),
            "kube-proxy": containers.kube_proxy(config, machine),
        }
        assert recorded
        for name, body in recorded.items():
            assert _comparable(computed[name]) == _comparable(body), f"{name} on {machine.name}"
