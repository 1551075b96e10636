"""Runs all checks: the cluster once, then every machine of the ticket at the same time, then machine against machine.

Reads only. Results stream to `on_result` as machines answer; a machine that hangs costs its own deadline and nobody
else's (design §1).
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from autorke.checks.cluster_facts import read_cluster
from autorke.checks.collect import Wanted, collect_node, try_to_reach, unreachable
from autorke.checks.context import ClusterContext, ControlHost, Endpoint, NewWorker
from autorke.checks.facts import ControlHostFacts, NodeFacts, Reach
from autorke.checks.judge import CheckBroken, Judgement, OnResult, nobody_listens
from autorke.checks.results import NotRun, Report, Result
from autorke.checks.rules.network import KUBELET_PORT
from autorke.checks.table import CLUSTER, MACHINE, PAIR, REQUEST
from autorke.core.errors import AutoRkeError
from autorke.drivers.base import DockerApi, Remote, SshTarget, Unreachable
from autorke.drivers.docker import docker_over as docker_of
from autorke.drivers.fanout import Outcome, Stopped, WorkOverdue, fan_out
from autorke.drivers.ssh import connect as ssh_connect

log = logging.getLogger(__name__)

CONTROL_DEADLINE = 20.0
"""Seconds for each controlplane and etcd host, which are only connected to."""

Connect = Callable[[SshTarget], Remote]
DockerOver = Callable[[Remote], DockerApi]
OnNode = Callable[[str, Sequence[Result], Sequence[NotRun]], None]
"""(node, "" for the cluster; results; checks that were not run), called as soon as a part is complete."""

OF_CLUSTER = tuple(check.id for check in CLUSTER)
OF_MACHINE = (*(check.id for check in REQUEST), *(check.id for check in MACHINE))
OF_PAIR = tuple(check.id for check in PAIR)


def nobody_follows(_node: str, _results: Sequence[Result], _not_run: Sequence[NotRun]) -> None:
    """For callers who wait for the report."""


def run_checks(
    workers: Sequence[NewWorker],
    context: ClusterContext,
    *,
    connect: Connect = ssh_connect,
    docker_over: DockerOver = docker_of,
    limit: int = 50,
    deadline: float = 60.0,
    on_result: OnResult = nobody_listens,
    on_node: OnNode = nobody_follows,
    stop: threading.Event | None = None,
) -> Report:
    """Check that `workers` may join the cluster. At most `limit` machines at a time, each within `deadline` seconds.

    `on_result` and `on_node` are called in the calling thread: cluster first, each machine as it answers, then each
    machine that another one of the ticket contradicts. Nothing is raised for what a machine or a file does wrong: that
    is a result. Once `stop` is set every connection is closed and Stopped is raised.
    """
    with _ControlHosts(context.control_hosts, connect, limit, min(deadline, CONTROL_DEADLINE), stop) as control:
        judgement = Judgement(list(workers), context, read_cluster(context, control.facts), on_result)
        judgement.check_cluster()
        on_node("", *judgement.said("", OF_CLUSTER))

        def answered(outcome: Outcome[NewWorker, NodeFacts]) -> None:
            judgement.check_machine(outcome.item, _facts(outcome))
            on_node(outcome.item.node, *judgement.said(outcome.item.node, OF_MACHINE))

        with _Visits(context, connect, docker_over, control) as visits:
            fan_out(workers, visits.visit, limit=limit, deadline=deadline, on_done=answered, stop=stop)
    judgement.check_pairs()
    for worker in workers:
        results, not_run = judgement.said(worker.node, OF_PAIR)
        if results or not_run:
            on_node(worker.node, results, not_run)
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
    stop: threading.Event | None = None
    facts: tuple[ControlHostFacts, ...] = ()
    controlplane: list[Remote] = field(default_factory=list)
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: bool = False

    def __enter__(self) -> _ControlHosts:
        try:
            outcomes = fan_out(self.hosts, self._reach, limit=self.limit, deadline=self.deadline, stop=self.stop)
        except Stopped:
            self.__exit__()
            raise
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
class _Visits:
    """Collects the facts of machines, each in a thread of its own; connections still open at the end are closed."""

    context: ClusterContext
    connect: Connect
    docker_over: DockerOver
    control: _ControlHosts
    _open: set[Remote] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: bool = False

    def __enter__(self) -> _Visits:
        return self

    def __exit__(self, *_: object) -> None:
        """An overdue or unwanted visit is still at it: without its connection it comes to an end."""
        with self._lock:
            self._closed = True
            left = list(self._open)
        for remote in left:
            remote.close()

    def visit(self, worker: NewWorker) -> NodeFacts:
        settings = self.context.settings
        wanted = Wanted(settings.images, self.context.controlplane, settings.prefix_path)
        with self.connect(worker.target) as remote, self._kept(remote):
            facts = collect_node(remote, self.docker_over, wanted)
            return replace(facts, node=worker.node, reached_from=self.control.reach(worker))

    @contextlib.contextmanager
    def _kept(self, remote: Remote) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise Stopped
            self._open.add(remote)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(remote)


def _error(error: BaseException, target: SshTarget) -> AutoRkeError:
    if isinstance(error, WorkOverdue):
        reason = f"no answer within {error.values['seconds']} s"
        return Unreachable(name=target.name, address=f"{target.address}:{target.port}", reason=reason)
    if isinstance(error, AutoRkeError):
        return error
    log.error("check broke", exc_info=error, extra={"machine": target.name})
    return CheckBroken(name=target.name, reason=type(error).__name__)
