"""Stock rke agrees: after our join its `rke up` replaces no container, and what it adds is what we would add."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lablib import adding, settings, stock

from tests.lab.conftest import RunningLab

LAB = settings.from_environment()
M3, M4 = settings.FREE
MEMBERS = ("m1", "m2", "m3")


@pytest.fixture
def rke(lab: RunningLab) -> str:
    if lab.rke_binary is None:
        pytest.skip("NO STOCK RKE: parity with rke was not proved; set AUTORKE_RKE_BINARY or put rke on PATH")
    if lab.created_by != "rke":
        pytest.skip("NO STOCK RKE when the lab came up: 'lab.sh down' and 'up' make the cluster with rke")
    return lab.rke_binary


def long_lived(lab: RunningLab) -> dict[str, dict[str, str]]:
    """Container ids by machine, without the one that rke makes anew in every run, whatever changed (rke.md §7.1)."""
    found = {name: lab.containers(name) for name in MEMBERS}
    found["m1"].pop("etcd-rolling-snapshots")
    return found


def settings_in_state(lab: RunningLab) -> dict[str, Any]:
    """Both rkeConfigs and all certificates, without what rke itself changes in every run: it renews the
    administrator's certificate, and adds the checksum of the audit policy to the API server's environment once more."""
    state: dict[str, Any] = json.loads(lab.rkestate.read_text())
    for part in state.values():
        part["certificatesBundle"].pop("kube-admin")
        api = part["rkeConfig"]["services"]["kubeApi"]
        api["extraEnv"] = sorted(set(api.get("extraEnv", [])))
    return state


def test_rke_up_replaces_no_container_after_our_join(rke: str, fresh_lab: RunningLab) -> None:
    assert adding.by_product(LAB, M3).on_others(M3) == 0
    before, state = long_lived(fresh_lab), settings_in_state(fresh_lab)
    taints, labels = fresh_lab.node("m3")["spec"]["taints"], fresh_lab.node("m3")["metadata"]["labels"]

    log = stock.up(LAB, rke)

    assert "Finished building Kubernetes cluster successfully" in log
    assert "Upgrade not required for worker components of host m3" in log
    assert long_lived(fresh_lab) == before
    assert settings_in_state(fresh_lab) == state
    node = fresh_lab.node("m3")
    assert (node["spec"]["taints"], node["metadata"]["labels"]) == (taints, labels)


def test_our_worker_is_the_worker_that_rke_makes(rke: str, fresh_lab: RunningLab) -> None:
    """Ours on m3, theirs on m4, in one cluster: the containers differ in nothing but name and address."""
    assert adding.by_product(LAB, M3).on_others(M3) == 0
    theirs = adding.by_rke(LAB, rke, M4)
    assert theirs.on_others(M4) > 0, "stock rke touched nobody else: the events were not recorded"
    for container in ("nginx-proxy", "service-sidekick", "kubelet", "kube-proxy"):
        assert definition(fresh_lab, M3, container) == definition(fresh_lab, M4, container), container


def definition(lab: RunningLab, machine: settings.Machine, container: str) -> dict[str, Any]:
    """Config and HostConfig of a container, the machine's own name and ids replaced; arguments as a set (§4.6)."""
    text = lab.ssh(machine.name, f"docker inspect {container}").stdout
    sidekick = lab.containers(machine.name)["service-sidekick"]
    found = json.loads(text.replace(machine.address, "ADDRESS").replace(sidekick, "SIDEKICK"))[0]
    config, host = found["Config"], found["HostConfig"]
    config["Entrypoint"] = sorted(word.replace(machine.name, "NAME") for word in config["Entrypoint"] or [])
    config["Hostname"] = config["Hostname"].replace(machine.name, "NAME")
    host["PortBindings"] = host["PortBindings"] or {}  # null or empty, by the version of rke
    if host["NetworkMode"] != "host":
        config.pop("Hostname")  # Docker's own invention
    return {"Config": config, "HostConfig": host}
