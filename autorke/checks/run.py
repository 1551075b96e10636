"""Runs all checks: the cluster once, then every machine of the ticket at the same time, then machine against machine.

Reads only. Results stream to `on_result` as machines answer; a machine that hangs costs its own deadline and nobody
else's (design §1).
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from autorke.checks.cluster_facts import ClusterFacts, read_cluster
from autorke.checks.collect import Wanted, collect_node, try_to_reach, unreachable
from autorke.checks.context import ClusterContext, ControlHost, Endpoint, NewWorker
from autorke.checks.facts import ControlHostFacts, NodeFacts, Reach
from autorke.checks.results import NOTHING, Finding, Level, NotRun, Report, Result, printable
from autorke.checks.rules.network import KUBELET_PORT
from autorke.checks.rules.pair import Candidate
from autorke.checks.table import CLUSTER, MACHINE, PAIR, REQUEST, Check, Rule
from autorke.core.errors import AutoRkeError, Text
from autorke.drivers.base import DockerApi, Remote, SshTarget, Unreachable
from autorke.drivers.docker import docker_over as docker_of
from autorke.drivers.fanout import Outcome, WorkOverdue, fan_out
from autorke.drivers.ssh import connect as ssh_connect

log = logging.getLogger(__name__)

CONTROL_DEADLINE = 20.0
"""Seconds for each controlplane and etcd host, which are only connected to."""
INITIALISE_SETS_IT = Text(zh="“初始化”步骤会处理；", en="The initialise step will set this up; ")

Connect = Callable[[SshTarget], Remote]
DockerOver = Callable[[Remote], DockerApi]
OnResult = Callable[[Result], None]


class CheckBroken(AutoRkeError):
    """Our own fault while looking at one machine; the other machines are checked all the same."""

    code = "check-broken"
    text = Text(zh="校验 {name} 时平台内部出错：{reason}", en="The platform failed while checking {name}: {reason}")
    remedy = Text(zh="请把平台日志交给管理员", en="Give the platform's log to an admin")


def run_checks(
    workers: Sequence[NewWorker],
    context: ClusterContext,
    *,
    connect: Connect = ssh_connect,
    docker_over: DockerOver = docker_of,
    limit: int = 50,
    deadline: float = 60.0,
    on_result: OnResult | None = None,
) -> Report:
    """Check that `workers` may join the cluster. At most `limit` machines at a time, each within `deadline` seconds.

    `on_result` is called in the calling thread, cluster results first. Nothing is raised for what a machine or a file
    does wrong: that is a result.
    """
    with _ControlHosts(context.control_hosts, connect, limit, min(deadline, CONTROL_DEADLINE)) as control:
        run = _Run(list(workers), context, read_cluster(context, control.facts), on_result or _ignore)
        run.check_cluster()
        visit = _Visit(context, connect, docker_over, control)
        fan_out(run.workers, visit, limit=limit, deadline=deadline, on_done=run.check_machine)
    run.check_pairs()
    return run.report()


def _ignore(_result: Result) -> None:
    """Nobody listens."""


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


@dataclass
class _Run:
    """The results so far. `covered` holds, for each node and for the cluster (""), which check spoke for which."""

    workers: list[NewWorker]
    context: ClusterContext
    cluster: ClusterFacts
    on_result: OnResult
    results: dict[tuple[str, str], Result] = field(default_factory=dict)
    not_run: dict[tuple[str, str], NotRun] = field(default_factory=dict)
    facts: dict[str, NodeFacts] = field(default_factory=dict)
    cluster_covers: dict[str, str] = field(default_factory=dict)

    def check_cluster(self) -> None:
        self.cluster_covers = self._apply(
            "", CLUSTER, lambda check: check.rule(self.cluster, self.workers, self.context), {}
        )

    def check_machine(self, outcome: Outcome[NewWorker, NodeFacts]) -> None:
        worker = outcome.item
        facts = outcome.value
        if facts is None:
            error = outcome.error or Unreachable(name=worker.node, address=worker.address, reason="no answer")
            facts = unreachable(worker.node, _error(error, worker.target))
        self.facts[worker.node] = facts
        covers = dict(self.cluster_covers)
        covers |= self._apply(worker.node, REQUEST, lambda check: check.rule(worker, self.context), covers)
        if facts.unreachable is not None:
            covers |= {check.id: "ssh" for check in MACHINE if check.id != "ssh"}
        self._apply(worker.node, MACHINE, lambda check: check.rule(facts, worker, self.context), covers)

    def check_pairs(self) -> None:
        candidates = [Candidate(worker, self.facts[worker.node]) for worker in self.workers]
        for at, candidate in enumerate(candidates):
            earlier = candidates[:at]
            self._apply(
                candidate.worker.node, PAIR, lambda check, it=candidate, before=earlier: check.rule(it, before), {}
            )

    def _apply(
        self,
        node: str,
        checks: Iterable[Check[Rule]],
        ask: Callable[[Check[Rule]], Finding | None],
        covered: Mapping[str, str],
    ) -> dict[str, str]:
        """Ask the rules of one scope in the order of the table. Returns what those with something to say cover."""
        covers: dict[str, str] = {}
        for check in checks:
            because = covers.get(check.id) or covered.get(check.id)
            if because is not None:
                self.not_run[node, check.id] = NotRun(node, check.id, because)
                continue
            finding = ask(check)
            if finding is None:
                continue
            result = self._result(node, check, finding)
            if result.level in (Level.ERROR, Level.WARNING):
                covers |= {name: check.id for name in check.covers if name != check.id}
            self.results[node, check.id] = result
            self.on_result(result)
        return covers

    def _result(self, node: str, check: Check[Rule], finding: Finding) -> Result:
        level = finding.level or check.level
        remedy = finding.remedy
        if level is Level.ERROR and check.initialise_mends and self.context.initialise_follows:
            level = Level.WARNING
            remedy = Text(zh=INITIALISE_SETS_IT.zh + remedy.zh, en=INITIALISE_SETS_IT.en + remedy.en)
        name = node or self.context.name
        seen = Text(zh=f"{name}：{finding.seen.zh}", en=f"{name}: {finding.seen.en}")
        return Result(node, check.id, level, _printable(seen), _printable(remedy))

    def report(self) -> Report:
        order = list(_order(self.workers))
        return Report(
            results=tuple(self.results[key] for key in order if key in self.results),
            not_run=tuple(self.not_run[key] for key in order if key in self.not_run),
            facts={worker.node: self.facts[worker.node] for worker in self.workers},
        )


def _printable(text: Text) -> Text:
    return text if text == NOTHING else Text(zh=printable(text.zh), en=printable(text.en))


def _order(workers: Iterable[NewWorker]) -> Iterator[tuple[str, str]]:
    for check in CLUSTER:
        yield "", check.id
    for worker in workers:
        for id in [*(it.id for it in REQUEST), *(it.id for it in MACHINE), *(it.id for it in PAIR)]:
            yield worker.node, id
