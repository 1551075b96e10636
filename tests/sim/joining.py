"""The product's own worker engine, put to work on a simulated machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autorke.drivers import ssh
from autorke.drivers.docker import docker_over
from autorke.drivers.rkefiles.nodes import RkeNode, node_from_state
from autorke.drivers.rkefiles.rkestate import RkeState, read_state
from autorke.drivers.workerplane.clone import SpecDifference, compare_with_worker
from autorke.drivers.workerplane.config import ClusterConfig, live_host_info, read_config
from autorke.drivers.workerplane.join import JoinReport, Patience, join_worker
from autorke.drivers.workerplane.plan import plan_join
from autorke.sim.process import SimHandle
from tests.sim.conftest import target_of


@dataclass(frozen=True)
class ClusterFiles:
    """What an operator has of a cluster."""

    name: str
    state: RkeState
    config: ClusterConfig


def files_of(sim: SimHandle, cluster: str) -> ClusterFiles:
    state = read_state(Path(sim.cluster(cluster)["state"]).read_text())
    return ClusterFiles(cluster, state, read_config(state.current_config))


def new_node(sim: SimHandle, files: ClusterFiles, machine: str) -> RkeNode:
    found = sim.machine(machine)
    sibling = dict(files.state.current_config["nodes"][-1])
    address = found["address"]
    named = {"address": address, "internalAddress": address, "hostnameOverride": machine, "role": ["worker"]}
    return node_from_state(sibling | named)


def join(sim: SimHandle, files: ClusterFiles, machine: str, *, health_seconds: float = 60.0) -> JoinReport:
    """Join a machine to a cluster; raises what the engine raises."""
    node = new_node(sim, files, machine)
    with ssh.connect(target_of(sim, machine)) as remote:
        docker = docker_over(remote)
        host = live_host_info(files.config, docker.info())
        everyone = [*files.config.nodes, node]
        plan = plan_join(files.config, node, host, files.state.certificates, cluster_nodes=everyone)
        patience = Patience(health=health_seconds, interval=0.05)
        return join_worker(docker, remote, plan, lambda _node, _line: None, patience=patience)


def differences(sim: SimHandle, files: ClusterFiles, worker: str) -> tuple[SpecDifference, ...]:
    """Between what runs on a worker and what the product computes for it."""
    address = sim.machine(worker)["address"]
    node = next(node for node in files.config.nodes if node.address == address)
    with ssh.connect(target_of(sim, worker)) as remote:
        return compare_with_worker(files.config, node, docker_over(remote))
