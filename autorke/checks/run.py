"""Runs all checks: the cluster once, then every machine of the ticket at the same time, then machine against machine.

Reads only. Results stream to `on_result` as machines answer; a machine that hangs costs its own deadline and nobody
else's (design §1).
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from autorke.checks.cluster_facts import read_cluster
from autorke.checks.collect import Wanted, collect_node, try_to_reach, unreachable
from autorke.checks.context import ClusterContext, ControlHost, Endpoint, NewWorker
from autorke.checks.facts import ControlHostFacts, NodeFacts, Reach
from autorke.checks.judge import CheckBroken, Judgement, OnResult, nobody_listens
from autorke.checks.results import Report
from autorke.checks.rules.network import KUBELET_PORT
from autorke.core.errors import AutoRkeError
from autorke.drivers.base import DockerApi, Remote, SshTarget, Unreachable
from autorke.drivers.docker import docker_over as docker_of
from autorke.drivers.fanout import Outcome, WorkOverdue, fan_out
from autorke.drivers.ssh import connect as ssh_connect

log = logging.getLogger(__name__)

CONTROL_DEADLINE = 20.0
"""Seconds for each controlplane and etcd host, which are only connected to."""

Connect = Callable[[SshTarget], Remote]
DockerOver = Callable[[Remote], DockerApi]


def run_checks(
    workers: Sequence[NewWorker],
    context: ClusterContext,
    *,
    connect: Connect = ssh_connect,
    docker_over: DockerOver = docker_of,
    limit: int = 50,
    deadline: float = 60.0,
    on_result: OnResult = nobody_listens,
) -> Report:
    """Check that `workers` may join the cluster. At most `limit` machines at a time, each within `deadline` seconds.

    `on_result` is called in the calling thread, cluster results first. Nothing is raised for what a machine or a file
    does wrong: that is a result.
    """
    with _ControlHosts(context.control_hosts, connect, limit, min(deadline, CONTROL_DEADLINE)) as control:
        judgement = Judgement(list(workers), context, read_cluster(context, control.facts), on_result)
        judgement.check_cluster()

        def answered(outcome: Outcome[NewWorker, NodeFacts]) -> None:
            judgement.check_machine(outcome.item, _facts(outcome))

        visit = _Visit(context, connect, docker_over, control)
        fan_out(workers, visit, limit=limit, deadline=deadline, on_done=answered)
    judgement.check_pairs()
    return judgement.report()


def _facts(outcome: Outcome[NewWorker, NodeFacts]) -> NodeFacts:
    worker, error = outcome.item, outcome.error
    if outcome.value is not None:
        return outcome.value
    return unreachable(worker.node, _error(error or TimeoutError(), worker.target))


@dataclass
class _ControlHosts:
    """Open connections to the cluster's controlplane and etcd hosts, for as long as machines are looked at."""

    hosts: Sequence[ControlHost]
    connect: Connect
    limit: int
    deadline: float
    facts: tuple[ControlHostFacts, ...] = ()
    controlplane: list[Remote] = field(default_factory=list)
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: bool = False

    def __enter__(self) -> _ControlHosts:
        outcomes = fan_out(self.hosts, self._reach, limit=self.limit, deadline=self.deadline)
        self.facts = tuple(self._facts(outcome) for outcome in outcomes)
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._closed = True
            self._open.close()

    def _reach(self, host: ControlHost) -> None:
        remote = self.connect(host.target)
        with self._lock:
            if self._closed:
                remote.close()
                return
            self._open.callback(remote.close)
            if "controlplane" in host.roles:
                self.controlplane.append(remote)

    def _facts(self, outcome: Outcome[ControlHost, None]) -> ControlHostFacts:
        target = outcome.item.target
        error = _error(outcome.error, target) if outcome.error is not None else None
        return ControlHostFacts(target.name, target.address, error.as_json() if error is not None else None)

    def reach(self, worker: NewWorker) -> tuple[Reach, ...]:
        """Which controlplane hosts get an answer from the machine's kubelet port."""
        found = []
        for remote in list(self.controlplane):
            for reach in try_to_reach(remote, [Endpoint(worker.internal, KUBELET_PORT)]):
                found.append(replace(reach, host=remote.target.name))
        return tuple(found)


@dataclass
class _Visit:
    """Collects the facts of one machine; called in a thread of its own."""

    context: ClusterContext
    connect: Connect
    docker_over: DockerOver
    control: _ControlHosts

    def __call__(self, worker: NewWorker) -> NodeFacts:
        settings = self.context.settings
        wanted = Wanted(settings.images, self.context.controlplane, settings.prefix_path)
        with self.connect(worker.target) as remote:
            facts = collect_node(remote, self.docker_over, wanted)
            return replace(facts, node=worker.node, reached_from=self.control.reach(worker))


def _error(error: BaseException, target: SshTarget) -> AutoRkeError:
    if isinstance(error, WorkOverdue):
        reason = f"no answer within {error.values['seconds']} s"
        return Unreachable(name=target.name, address=f"{target.address}:{target.port}", reason=reason)
    if isinstance(error, AutoRkeError):
        return error
    log.error("check broke", exc_info=error, extra={"machine": target.name})
    return CheckBroken(name=target.name, reason=type(error).__name__)
