"""A request against the simulator's cluster, built from what its index, files and Kubernetes API say."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kubernetes import client, config

from autorke.checks.context import ClusterContext, ControlHost, Endpoint, KnownNode, NewWorker, live_node
from autorke.checks.settings import settings_of, supported_docker_versions
from autorke.drivers.base import SshTarget
from autorke.drivers.rkefiles.rkestate import read_state
from autorke.sim.process import SimHandle


def target(sim: SimHandle, name: str) -> SshTarget:
    entry = sim.machine(name)
    return SshTarget(
        name=name,
        address=entry["address"],
        user=entry["user"],
        port=entry["port"],
        host_key=entry["host_key"],
        private_key=sim.private_key,
    )


def worker(sim: SimHandle, name: str, **changes: Any) -> NewWorker:
    reached = target(sim, name)
    return NewWorker(**{"node": name, "target": reached, "address": reached.address, "hostname": name} | changes)


def cluster_context(sim: SimHandle, name: str, **changes: Any) -> ClusterContext:
    entry = sim.cluster(name)
    text = Path(entry["state"]).read_text()
    state = read_state(text)
    settings = settings_of(state.current_config)
    api = client.CoreV1Api(config.new_client_from_config(entry["kubeconfig"]))
    nodes = api.api_client.sanitize_for_serialization(api.list_node(_request_timeout=60))["items"]
    copy = hashlib.sha256(_copy(api).encode()).hexdigest()
    members = [it for it in sim.index["machines"] if it["cluster"] == name]
    control = [it for it in members if {"controlplane", "etcd"} & set(it["roles"])]
    values: dict[str, Any] = {
        "id": name,
        "name": name,
        "cluster_yml": Path(entry["config"]).read_text(),
        "rkestate": text,
        "settings": settings,
        "now": datetime.now(UTC),
        "expected_ca": state.ca_fingerprint,
        "members": tuple(KnownNode(name, it["name"], it["address"], hostname=it["name"]) for it in members),
        "live": tuple(live_node(node) for node in nodes),
        "state_copy_sha256": copy,
        "recorded_copy_sha256": copy,
        "supported_docker": supported_docker_versions(settings),
        "docker_root": "/var/lib/docker",
        "controlplane": tuple(Endpoint(it["address"], 6443) for it in control),
        "control_hosts": tuple(ControlHost(target(sim, it["name"]), tuple(it["roles"])) for it in control),
    }
    return ClusterContext(**{**values, **changes})


def _copy(api: Any) -> str:
    try:
        return str(api.read_namespaced_config_map("full-cluster-state", "kube-system").data["full-cluster-state"])
    except client.ApiException:
        return str(api.read_namespaced_secret("full-cluster-state", "kube-system").data["full-cluster-state"])
