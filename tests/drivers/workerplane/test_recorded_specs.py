"""Golden tests: our computed containers against what stock rke was recorded to send, field by field."""

from __future__ import annotations

from typing import Any

import pytest

from autorke.drivers.workerplane.config import ClusterConfig, HostInfo, read_config, read_host_info
from autorke.drivers.workerplane.oneshots import cert_deployer, log_linker, worker_certificates
from autorke.drivers.workerplane.spec import recorded_containers, worker_containers
from tests.drivers.workerplane.recordings import SCENARIOS, RecordedWorker, recorded_workers, scenario, state


def inputs(name: str) -> tuple[ClusterConfig, HostInfo]:
    return read_config(state(name)["desiredState"]["rkeConfig"]), read_host_info(scenario(name)["docker_info"])


def test_recordings_are_there() -> None:
    assert len(SCENARIOS) >= 6
    assert len(recorded_workers()) == 3 * len(SCENARIOS)


@pytest.mark.parametrize("worker", recorded_workers(), ids=str)
def test_containers_of_a_worker_equal_the_recording(worker: RecordedWorker) -> None:
    config, host = inputs(worker.scenario)
    node = next(node for node in config.nodes if node.address == worker.address)

    computed = recorded_containers(worker_containers(config, node, host))

    assert computed == worker.record["containers"]


@pytest.mark.parametrize("name", SCENARIOS)
def test_worker_components_of_the_other_roles_equal_the_recording(name: str) -> None:
    config, host = inputs(name)
    for record in scenario(name)["other_nodes"]:
        node = next(node for node in config.nodes if node.address == record["address"])
        assert recorded_containers(worker_containers(config, node, host)) == record["containers"]


def certificate_entry(name: str, record_env: list[str]) -> dict[str, Any]:
    """A bundle entry that holds the recording's placeholders, as the state holds PEM text."""
    env_name = name.upper().replace("-", "_")
    config_env = env_name.replace("KUBE_", "KUBECFG_KUBE_", 1)
    values = dict(line.split("=", 1) for line in record_env)
    return {
        "certificatePEM": f"<PEM:{name}>",
        "keyPEM": f"<PEM:{name}-key>",
        "config": values.get(config_env, ""),
        "envName": env_name,
        "keyEnvName": f"{env_name}_KEY",
        "configEnvName": config_env,
    }


@pytest.mark.parametrize("worker", recorded_workers(), ids=str)
def test_one_shot_containers_equal_the_recording(worker: RecordedWorker) -> None:
    config, host = inputs(worker.scenario)
    nodes_then = config.nodes if worker.run == "add" else config.nodes[:-1]
    names = worker_certificates(config, nodes_then)
    recorded = {record["name"]: record for record in worker.record["oneshot_containers"]}
    bundle = {name: certificate_entry(name, recorded["cert-deployer"]["Env"]) for name in names}

    assert one_shot(cert_deployer(config, host, bundle, names).recorded()) == comparable(recorded["cert-deployer"])
    linker = log_linker(
        config,
        "kube-proxy",
        "<ID:kube-proxy>",
        "/var/lib/docker/containers/<ID:kube-proxy>/<ID:kube-proxy>-json.log",
    )
    assert one_shot(linker.recorded()) == comparable(recorded["rke-log-linker"])


def comparable(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "name"}


def one_shot(body: dict[str, Any]) -> dict[str, Any]:
    """The recording's flat form of a one-shot container."""
    host = body["HostConfig"]
    assert body["Entrypoint"] is None
    return {
        **{key: body[key] for key in ("Image", "Cmd", "Env", "Labels", "Other")},
        **{key: host[key] for key in ("Binds", "NetworkMode", "Privileged", "SecurityOpt")},
    }
