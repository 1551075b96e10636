"""Join one worker to its cluster (rke.md §4.11): ask, then act, so that a join cut short can simply be run again.

Nothing here touches another machine. A container that is there already is kept when rke would keep it, and is a reason
to stop otherwise; it is never replaced.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from autorke.drivers.base import DockerApi, Emit, Remote
from autorke.drivers.workerplane.clone import LiveContainer, differences, read_live
from autorke.drivers.workerplane.errors import ContainerDiffers, NotAFreeMachine, StaleContainer
from autorke.drivers.workerplane.facts import KUBE_PROXY_HEALTH_PORT, KUBELET_HEALTH_PORT, LOG_DIR
from autorke.drivers.workerplane.machine import Machine
from autorke.drivers.workerplane.oneshots import log_linker
from autorke.drivers.workerplane.plan import JoinPlan
from autorke.drivers.workerplane.probe import WorkerProbe, probe_worker
from autorke.drivers.workerplane.spec import ContainerSpec
from autorke.drivers.workerplane.sslfiles import deploy_certificates, refuse_other_certificates

_HEALTH_PORTS = {"kubelet": KUBELET_HEALTH_PORT, "kube-proxy": KUBE_PROXY_HEALTH_PORT}
_SAFE_PATH = re.compile(r"/[A-Za-z0-9._/-]+\Z")
_SAFE_ID = re.compile(r"[A-Za-z0-9_.-]+\Z")


@dataclass(frozen=True)
class Patience:
    """How long to wait for a component's health, and how often to ask, in seconds. rke waits 50; cri-dockerd takes 10
    of them."""

    health: float = 90.0
    interval: float = 1.0


@dataclass(frozen=True)
class JoinReport:
    """What the join did: `changes` are the Docker calls in order, `kept` the containers that were right already."""

    node: str
    changes: tuple[str, ...]
    kept: tuple[str, ...]
    seconds: float


DEFAULT_PATIENCE = Patience()


def join_worker(
    docker: DockerApi, remote: Remote, plan: JoinPlan, emit: Emit, *, patience: Patience = DEFAULT_PATIENCE
) -> JoinReport:
    """Bring one machine to the plan: images, certificates, files, containers with their health, log links.

    Everything that can refuse does so before the first change: NotAFreeMachine, StaleContainer, ContainerDiffers,
    ForeignCluster. Later: OneShotFailed, NotHealthy, CertificateMissing, and what the drivers raise.
    """
    began = time.monotonic()
    machine = Machine(remote.target.name, docker, remote, emit, plan.secrets)
    probe = probe_worker(machine.docker)
    present = _accept(machine, plan, probe)
    machine.say("nothing on this machine speaks against joining")
    for image in plan.images:
        if docker.image(image.name) is None:
            machine.pull(image)
    for left_over in probe.one_shots:  # rke would start a stopped one as it is, with its old command
        machine.remove(left_over.name)
    deploy_certificates(machine, plan)
    if "kubelet" not in present:  # a kubelet is created after the files are there
        for deployer in plan.file_deployers:
            machine.require_once(deployer)
    for spec in plan.containers:
        _ensure(machine, plan, spec, present.get(spec.name), patience)
    return JoinReport(
        node=machine.name,
        changes=tuple(machine.done),
        kept=tuple(name for name, live in present.items() if live.running or name == "service-sidekick"),
        seconds=round(time.monotonic() - began, 3),
    )


def _accept(machine: Machine, plan: JoinPlan, probe: WorkerProbe) -> dict[str, LiveContainer]:
    """Refuse the machine, or return the planned containers that it already has, all of them as planned."""
    _refuse_other_use(machine, probe)
    present = {}
    for spec in plan.containers:
        live = read_live(machine.docker, spec.name) if probe.component(spec.name) else None
        if live is None:
            continue
        found = differences(spec, live)
        if found:
            fields = "; ".join(map(str, found))
            raise ContainerDiffers(field=spec.name, node=machine.name, container=spec.name, fields=fields[:2000])
        present[spec.name] = live
    if probe.pods and "kubelet" not in present:
        raise NotAFreeMachine(field="k8s_*", node=machine.name, what=f"{probe.pods} × k8s_*")
    refuse_other_certificates(machine, plan, through_docker=False)
    return present


def _refuse_other_use(machine: Machine, probe: WorkerProbe) -> None:
    others = [*probe.other_planes, *probe.renamed]
    if others:
        raise NotAFreeMachine(field=others[0], node=machine.name, what=", ".join(others[:10]))
    running = [state.name for state in probe.one_shots if state.running]
    if running:
        raise StaleContainer(field=running[0], node=machine.name, container=", ".join(running))


def _ensure(
    machine: Machine, plan: JoinPlan, spec: ContainerSpec, live: LiveContainer | None, patience: Patience
) -> None:
    """One component: created if absent, started if it should run and does not, healthy, its log linked."""
    if live is None:
        machine.create(spec)
    if spec.name == "service-sidekick":
        return
    if live is None or not live.running:
        machine.start(spec.name)
    else:
        machine.say(f"keep {spec.name}: as planned and running")
    if spec.name in _HEALTH_PORTS:
        machine.wait_healthy(spec.name, _HEALTH_PORTS[spec.name], timeout=patience.health, interval=patience.interval)
    _link_log(machine, plan, spec.name)


def _link_log(machine: Machine, plan: JoinPlan, name: str) -> None:
    """Cosmetic: log collectors look here. A name that is unfit for a command line is left without a link."""
    live = read_live(machine.docker, name)
    if live is None or not _SAFE_PATH.match(live.log_path) or not _SAFE_ID.match(live.container_id):
        machine.say(f"no log link for {name}")
        return
    if machine.remote.run(["test", "-L", f"{LOG_DIR}/{name}_{live.container_id}.log"]).ok:
        return
    machine.run_once(log_linker(plan.config, name, live.container_id, live.log_path))


def planned_order(plan: JoinPlan) -> Sequence[str]:
    """The Docker calls of a join on an empty machine, in order: for people who read a plan."""
    calls = [f"pull {image.name}" for image in plan.images]
    for spec in (plan.cert_deployer, *plan.file_deployers):
        calls += [f"create {spec.name}", f"start {spec.name}", f"remove {spec.name} force=1 v=1"]
    for spec in plan.containers:
        calls.append(f"create {spec.name}")
        if spec.name != "service-sidekick":
            calls += [f"start {spec.name}"]
            calls += [f"{verb} rke-log-linker" for verb in ("create", "start")] + ["remove rke-log-linker force=1 v=1"]
    return calls
