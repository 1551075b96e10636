"""What is on a machine now, read-only: before a join, and as evidence when nobody knows how far one came."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from autorke.drivers.base import DockerApi
from autorke.drivers.workerplane.clone import differences, read_live
from autorke.drivers.workerplane.facts import LONG_LIVED
from autorke.drivers.workerplane.oneshots import ONE_SHOTS
from autorke.drivers.workerplane.plan import JoinPlan

_OTHER_PLANES = (
    "etcd",
    "etcd-rolling-snapshots",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
)
_OTHER_ONE_SHOTS = (
    "rke-worker-port-listener",
    "rke-cp-port-listener",
    "rke-etcd-port-listener",
    "rke-port-checker",
    "rke-selinux-checker",
    "rke-log-cleaner",
    "kube-cleaner",
    "cluster-state-deployer",
    "cert-fetcher",
)


@dataclass(frozen=True)
class ContainerState:
    """`as_planned` is None when there was no plan to compare with, or the plan has no such container."""

    name: str
    running: bool
    image: str
    status: str
    as_planned: bool | None = None


@dataclass(frozen=True)
class WorkerProbe:
    """Names and states only: nothing here is secret."""

    components: tuple[ContainerState, ...]
    one_shots: tuple[ContainerState, ...]
    other_planes: tuple[str, ...]
    renamed: tuple[str, ...]
    pods: int

    def component(self, name: str) -> ContainerState | None:
        return next((state for state in self.components if state.name == name), None)

    @property
    def is_empty(self) -> bool:
        return not (self.components or self.one_shots or self.other_planes or self.renamed or self.pods)

    def as_json(self) -> dict[str, Any]:
        """Evidence for a person who resolves an UNKNOWN."""
        return {
            "components": [vars(state) for state in self.components],
            "one_shots": [vars(state) for state in self.one_shots],
            "other_planes": list(self.other_planes),
            "renamed": list(self.renamed),
            "pods": self.pods,
        }


def probe_worker(docker: DockerApi, plan: JoinPlan | None = None) -> WorkerProbe:
    """List the containers of a machine; with a plan, tell which components are already as planned."""
    states = {state.name: state for entry in docker.containers(all=True) for state in _states(entry)}
    planned = _as_planned(docker, plan, states) if plan else {}
    return WorkerProbe(
        components=tuple(_judged(states[name], planned.get(name)) for name in LONG_LIVED if name in states),
        one_shots=_listed(states, (*ONE_SHOTS, *_OTHER_ONE_SHOTS)),
        other_planes=tuple(name for name in _OTHER_PLANES if name in states),
        renamed=tuple(sorted(name for name in states if name.startswith("old-"))),
        pods=sum(name.startswith("k8s_") for name in states),
    )


def _states(entry: dict[str, Any]) -> Iterable[ContainerState]:
    for name in entry.get("Names") or ():
        yield ContainerState(
            name=str(name).lstrip("/"),
            running=entry.get("State") == "running",
            image=str(entry.get("Image") or ""),
            status=str(entry.get("Status") or entry.get("State") or ""),
        )


def _listed(states: dict[str, ContainerState], names: Iterable[str]) -> tuple[ContainerState, ...]:
    return tuple(states[name] for name in names if name in states)


def _as_planned(docker: DockerApi, plan: JoinPlan, states: dict[str, ContainerState]) -> dict[str, bool]:
    judged = {}
    for spec in plan.containers:
        live = read_live(docker, spec.name) if spec.name in states else None
        if live is not None:
            judged[spec.name] = not differences(spec, live)
    return judged


def _judged(state: ContainerState, as_planned: bool | None) -> ContainerState:
    return ContainerState(state.name, state.running, state.image, state.status, as_planned)
