"""The ways in which the tests break the healthy scene, as small reusable pieces."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from autorke.checks.facts import (
    CaFile,
    Container,
    ControlHostFacts,
    Disk,
    InterfaceAddress,
    Leftover,
    Listener,
    Reach,
)
from autorke.checks.results import Level
from autorke.core.errors import AutoRkeError, Text
from autorke.drivers.base import (
    Unreachable,
)
from tests.checks.healthy import CLUSTER_YML, GIB, RKESTATE, Break, Scene, node_facts, worker

SILENT = Reach("127.0.0.11", 6443, open=False, reason="no answer within 5 s")


@dataclass(frozen=True)
class Fault:
    """`node` is whose message it is; "" is the cluster."""

    name: str
    check: str
    level: Level
    words: tuple[str, ...]
    breaks: Break
    node: str = "w3"


def unreachable(error: AutoRkeError) -> Break:
    return lambda scene: scene.with_facts(
        machine=None, docker=None, clock=None, reach=(), reached_from=(), socket_forwarded=None,
        unreachable=error.as_json(),
    )  # fmt: skip


def no_docker(error: AutoRkeError, **machine: object) -> Break:
    return lambda scene: scene.with_machine(**machine).with_facts(docker=None, docker_error=error.as_json())


def container(name: str, state: str = "running") -> Break:
    found = Container(name, "rancher/hyperkube:v1.20.15-rancher2", state)
    return lambda scene: scene.with_docker(containers=(found,))


def sysctl(key: str, value: str) -> Break:
    def broken(scene: Scene) -> Scene:
        known = scene.facts["w3"].machine
        assert known is not None
        return scene.with_machine(sysctls={**known.sysctls, key: value})

    return broken


def module(name: str, state: str) -> Break:
    def broken(scene: Scene) -> Scene:
        known = scene.facts["w3"].machine
        assert known is not None
        return scene.with_machine(modules={**known.modules, name: state})

    return broken


def disk(path: str, **changes: int) -> Break:
    healthy = Disk(path, "/data", 400 * GIB, 300 * GIB, 20_000_000, 19_000_000)
    return lambda scene: scene.with_machine(disks=(dataclasses.replace(healthy, **changes),))


def listening(protocol: str, port: int, address: str = "0.0.0.0") -> Break:
    return lambda scene: scene.with_machine(listeners=(Listener(protocol, address, port),))


def address(interface: str, address: str, prefix: int) -> Break:
    def broken(scene: Scene) -> Scene:
        known = scene.facts["w3"].machine
        assert known is not None
        return scene.with_machine(addresses=(*known.addresses, InterfaceAddress(interface, address, prefix)))

    return broken


def ca(sha256: str) -> Break:
    """What a machine that was once joined looks like: its CA, and the directory that holds it."""
    return lambda scene: scene.with_machine(
        ca_files=(CaFile("/etc/kubernetes/ssl/kube-ca.pem", sha256),),
        leftovers=(Leftover("/etc/kubernetes", readable=True, entry="/etc/kubernetes/ssl/kube-ca.pem"),),
    )


def leftover(path: str, entry: str = "x", *, readable: bool = True) -> Break:
    return lambda scene: scene.with_machine(
        leftovers=(Leftover(path, readable, f"{path}/{entry}" if readable else ""),)
    )


def config(old: str, new: str) -> Break:
    """The cluster.yml with `new` in place of `old`."""
    return lambda scene: scene.with_context(cluster_yml=CLUSTER_YML.replace(old, new))


def state(edit: object) -> Break:
    """The rkestate after `edit(document)`."""

    def broken(scene: Scene) -> Scene:
        document = json.loads(RKESTATE)
        edit(document)  # type: ignore[operator]
        return scene.with_context(rkestate=json.dumps(document))

    return broken


def drop_w2(document: dict) -> None:  # type: ignore[type-arg]
    for name in ("desiredState", "currentState"):
        nodes = document[name]["rkeConfig"]["nodes"]
        nodes[:] = [node for node in nodes if node["address"] != "127.0.0.22"]


def other_dns(document: dict) -> None:  # type: ignore[type-arg]
    document["desiredState"]["rkeConfig"]["services"]["kubelet"]["clusterDnsServer"] = "10.43.0.99"


def live(**changes: object) -> Break:
    """The Node w2 (or the one of `name`) after the changes."""
    return lambda scene: scene.with_context(
        live=tuple(dataclasses.replace(node, **changes) if node.name == "w2" else node for node in scene.live)
    )


def second(address: str = "10.0.0.24", **changes: object) -> Break:
    other = dataclasses.replace(worker("w4", "10.0.0.24"), address=address, **changes)
    return lambda scene: scene.with_second(other, node_facts("w4", "w4", address))


def clone(scene: Scene) -> Scene:
    mine = scene.facts["w3"].machine
    other = node_facts("w4", "w4", "10.0.0.24")
    assert mine is not None
    assert other.machine is not None
    twin = dataclasses.replace(other.machine, machine_id=mine.machine_id)
    return scene.with_second(worker("w4", "10.0.0.24"), dataclasses.replace(other, machine=twin))


def control_nodes_down(scene: Scene) -> Scene:
    live = scene.live
    return scene.with_context(live=tuple(dataclasses.replace(node, ready=node.name != "cp1") for node in live))


def sick_docker(scene: Scene) -> Scene:
    return scene.with_docker(version="29.0.1", api_version="1.52", min_api_version="1.44")


def at(version: str) -> str:
    return CLUSTER_YML.replace("v1.20.15-rancher2-1", version)


def rename_second(scene: Scene) -> Scene:
    facts = node_facts("w4", "w3", "10.0.0.24")
    machine = dataclasses.replace(facts.machine, machine_id="4" * 32, product_uuid="")  # type: ignore[type-var]
    return dataclasses.replace(scene, facts={**scene.facts, "w4": dataclasses.replace(facts, machine=machine)})


def without_etcd(scene: Scene) -> Scene:
    """Neither file has an etcd node, as with an external etcd that was left out."""
    document = json.loads(RKESTATE)
    for name in ("desiredState", "currentState"):
        document[name]["rkeConfig"]["nodes"][0]["role"] = ["controlplane"]
    text = CLUSTER_YML.replace("  - etcd\n", "")
    return scene.with_context(cluster_yml=text, rkestate=json.dumps(document))


def dead(scene: Scene) -> Scene:
    """API, host and port are all gone; one message says so."""
    error = Unreachable(name="cp1", address="127.0.0.11:22", reason="no answer within 10 s").as_json()
    reason = Text(zh="连接被拒绝", en="connection refused")
    dark = scene.with_context(live=None, live_error=reason, server_ca=None).with_facts(reach=(SILENT,), reached_from=())
    return dataclasses.replace(dark, control_hosts=(ControlHostFacts("cp1", "127.0.0.11", error),))
