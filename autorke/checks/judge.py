"""From facts to results: asks the rules of the table, and keeps those quiet that another one already speaks for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from autorke.checks.cluster_facts import ClusterFacts, read_cluster
from autorke.checks.context import ClusterContext, NewWorker
from autorke.checks.facts import ControlHostFacts, NodeFacts
from autorke.checks.results import NOTHING, Finding, Level, NotRun, Report, Result, printable
from autorke.checks.rules.pair import Candidate
from autorke.checks.table import CLUSTER, MACHINE, PAIR, REQUEST, Check, Rule
from autorke.core.errors import AutoRkeError, Text

log = logging.getLogger(__name__)

INITIALISE_SETS_IT = Text(zh="“初始化”步骤会处理；", en="The initialise step will set this up; ")

OnResult = Callable[[Result], None]


class CheckBroken(AutoRkeError):
    """Our own fault while looking at one machine; the other machines are checked all the same."""

    code = "check-broken"
    text = Text(zh="校验 {name} 时平台内部出错：{reason}", en="The platform failed while checking {name}: {reason}")
    remedy = Text(zh="请把平台日志交给管理员", en="Give the platform's log to an admin")


def nobody_listens(_result: Result) -> None:
    """For callers who wait for the report."""


def judge(
    workers: Sequence[NewWorker],
    context: ClusterContext,
    facts: Mapping[str, NodeFacts],
    control_hosts: tuple[ControlHostFacts, ...] = (),
) -> Report:
    """The report on facts that were read before, keyed by `NewWorker.node`. Pure: connects to nothing."""
    judgement = Judgement(list(workers), context, read_cluster(context, control_hosts))
    judgement.check_cluster()
    for worker in workers:
        judgement.check_machine(worker, facts[worker.node])
    judgement.check_pairs()
    return judgement.report()


@dataclass
class Judgement:
    """Results in the making, in the order: cluster, each machine as it answers, pairs. Rules only; nothing is read."""

    workers: list[NewWorker]
    context: ClusterContext
    cluster: ClusterFacts
    on_result: OnResult = nobody_listens
    results: dict[tuple[str, str], Result] = field(default_factory=dict)
    not_run: dict[tuple[str, str], NotRun] = field(default_factory=dict)
    facts: dict[str, NodeFacts] = field(default_factory=dict)
    cluster_covers: dict[str, str] = field(default_factory=dict)

    def check_cluster(self) -> None:
        self.cluster_covers = self._apply(
            "", CLUSTER, lambda check: check.rule(self.cluster, self.workers, self.context), {}
        )

    def check_machine(self, worker: NewWorker, facts: NodeFacts) -> None:
        """The machine's own results: what the ticket says of it, and what was read from it."""
        self.facts[worker.node] = facts
        covers = dict(self.cluster_covers)
        covers |= self._apply(worker.node, REQUEST, lambda check: check.rule(worker, self.context), covers)
        if facts.unreachable is not None:
            covers |= {check.id: "ssh-reachable" for check in MACHINE if check.id != "ssh-reachable"}
        self._apply(worker.node, MACHINE, lambda check: check.rule(facts, worker, self.context), covers)

    def said(self, node: str, checks: Iterable[str]) -> tuple[list[Result], list[NotRun]]:
        """What these checks have said of a node (of the cluster: "") so far, in the order given."""
        keys = [(node, check) for check in checks]
        results = [self.results[key] for key in keys if key in self.results]
        return results, [self.not_run[key] for key in keys if key in self.not_run]

    def check_pairs(self) -> None:
        candidates = [Candidate(worker, self.facts[worker.node]) for worker in self.workers]
        for at, candidate in enumerate(candidates):
            self._check_pair(candidate, candidates[:at])

    def _check_pair(self, candidate: Candidate, earlier: Sequence[Candidate]) -> None:
        self._apply(candidate.worker.node, PAIR, lambda check: check.rule(candidate, earlier), {})

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
            finding = self._ask(node, check, ask)
            if finding is None:
                continue
            result = self._result(node, check, finding)
            if result.level in (Level.ERROR, Level.WARNING):
                covers |= dict.fromkeys(check.covers, check.id)
            self.results[node, check.id] = result
            self.on_result(result)
        return covers

    def _ask(self, node: str, check: Check[Rule], ask: Callable[[Check[Rule]], Finding | None]) -> Finding | None:
        """A rule that breaks on what one machine said is an error of that machine, and stops no other."""
        try:
            return ask(check)
        except Exception as error:
            log.exception("check broke", extra={"check": check.id, "machine": node})
            broken = CheckBroken(name=node or self.context.name, reason=f"{check.id}, {type(error).__name__}")
            return Finding(broken.message, broken.hint, Level.ERROR)

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
