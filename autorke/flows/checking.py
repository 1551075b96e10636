"""Checks as the flow uses them: run for the ticket's nodes, turned into problems of a plan and verdicts of nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from autorke.checks import table
from autorke.checks.context import NewWorker, Taint
from autorke.checks.results import Level, NotRun, Report, Result, stable_facts
from autorke.checks.run import run_checks
from autorke.checks.table import Check
from autorke.core.canonical import sha256_hex, without_floats
from autorke.core.db import transaction
from autorke.core.redact import Secrets
from autorke.drivers.rkefiles.files import Files
from autorke.flows import cluster_view, machine_facts
from autorke.flows.cluster_view import ClusterView, LiveView
from autorke.flows.targets import ssh_targets
from autorke.users.access import Actor
from autorke.workflow.context import Context
from autorke.workflow.definition import Node, Outcome, Problem
from autorke.workflow.states import NodeState


@dataclass(frozen=True)
class Checked:
    """What the checks have found, and the one look at our records and at the running cluster that they rest on."""

    report: Report
    view: ClusterView
    live: LiveView


def check(ctx: Context, nodes: Sequence[Node], *, initialise_follows: bool) -> Checked:
    """All checks of these nodes, each finding also told to the node's log, the facts kept in the inventory."""
    by_name = {node.name: node for node in nodes}

    def tell(result: Result | NotRun) -> None:
        if isinstance(result, Result) and result.level is not Level.OK:
            ctx.log(f"{result.level.value}: {result.check}: {result.seen.en}", by_name.get(result.node))

    purpose = f"{ctx.step_key}, ticket {ctx.ticket_number}"
    asked = Look(ctx.params.cluster_id, purpose, ctx.secrets, joined_before(ctx), files=cluster_view.files_of(ctx))
    checked = look(asked, nodes, initialise_follows=initialise_follows, on_result=tell)
    with transaction() as session:
        machine_facts.record(session, checked.report.facts, {node.name: UUID(node.id) for node in nodes})
    return checked


@dataclass(frozen=True)
class Look:
    """On whose behalf machines are looked at: cluster, purpose for the audit, where secrets are registered, the nodes
    that the same ticket has begun to join, who asked (None: the platform itself), and what reads the files."""

    cluster_id: UUID
    purpose: str
    secrets: Secrets
    begun: frozenset[str] = frozenset()
    actor: Actor | None = None
    files: Files = field(default_factory=Files, repr=False)


def look(asked: Look, nodes: Sequence[Node], *, initialise_follows: bool, **more: Any) -> Checked:
    """Run all checks for these nodes; reads only. `more` goes to `run_checks`. No transaction is open meanwhile."""
    ids = {UUID(node.id): node.name for node in nodes}
    who: dict[str, Any] = {"purpose": asked.purpose, "secrets": asked.secrets, "actor": asked.actor}
    with transaction() as session:
        view = cluster_view.load(session, asked.cluster_id, logins="control", files=asked.files, **who)
        serving = cluster_view.serving(session, asked.cluster_id)
        targets = ssh_targets(session, ids, names=ids, **who)
    live = cluster_view.read_live(view)
    context = cluster_view.check_context(view, live, serving, initialise_follows=initialise_follows)
    workers = [_worker(node, targets[UUID(node.id)], node.id in asked.begun) for node in nodes]
    return Checked(run_checks(workers, context, **more), view, live)


def catalogue() -> list[dict[str, Any]]:
    """Every check that will be made, as the plan shows it."""
    groups: tuple[Sequence[Check[Any]], ...] = (table.CLUSTER, table.REQUEST, table.MACHINE, table.PAIR)
    return [
        {"id": check.id, "title": check.title.as_json(), "source": check.source} for group in groups for check in group
    ]


def joined_before(ctx: Context) -> frozenset[str]:
    """Nodes on which an earlier attempt of this ticket already began to join: what it made there is no fault."""
    return frozenset(ctx.begun_before("join"))


def _worker(node: Node, target: Any, resumed: bool) -> NewWorker:
    data = node.data
    return NewWorker(
        node=node.name,
        target=target,
        address=data["address"],
        internal_address=data["internal_address"],
        hostname=data["hostname"],
        labels=data["labels"],
        taints=tuple(Taint(**taint) for taint in data["taints"]),
        resumed=resumed,
    )


def of_cluster(report: Report) -> frozenset[str]:
    """Errors of the cluster itself: these block even the first step, those of single machines are shown there."""
    return frozenset(result.check for result in report.results if result.level is Level.ERROR and result.node == "")


def problems(report: Report, *, blocking: frozenset[str] | None = None) -> list[Problem]:
    """Findings as problems of a plan. `blocking` names the checks that stop it; all errors when left out."""
    return [
        Problem(
            code=result.check,
            seen=result.seen,
            remedy=result.remedy,
            node=result.node or None,
            blocking=result.level is Level.ERROR and (blocking is None or result.check in blocking),
        )
        for result in report.messages
    ]


def verdicts(nodes: Sequence[Node], report: Report) -> Mapping[str, Outcome]:
    """SUCCEEDED for a node without an error, with its facts as evidence; a fault of the cluster fails all."""
    blocked = report.blocked_nodes()
    return {node.id: _verdict(node, report, node.name in blocked) for node in nodes}


def _verdict(node: Node, report: Report, blocked: bool) -> Outcome:
    mine = [result for result in report.messages if result.node in ("", node.name)]
    evidence = {"findings": [result.as_json() for result in mine]}
    errors = [result for result in mine if result.level is Level.ERROR]
    if not blocked:
        return Outcome.ok(f"all checks passed, {len(mine)} notes", **evidence)
    first = errors[0]
    error = {"code": first.check, "field": None, "cause": first.seen.as_json(), "remedy": first.remedy.as_json()}
    unreachable = first.check.startswith("ssh-")
    state = NodeState.UNREACHABLE if unreachable else NodeState.FAILED
    return Outcome(state, f"{len(errors)} errors, first: {first.seen.en}", evidence, error)


def fingerprint(ctx: Context, nodes: Sequence[Node], *, initialise_follows: bool) -> dict[str, Any]:
    """What a plan rests on: each machine's stable facts, and which errors there are."""
    return report_fingerprint(check(ctx, nodes, initialise_follows=initialise_follows).report)


def report_fingerprint(report: Report) -> dict[str, Any]:
    errors = sorted(f"{r.node or 'cluster'}: {r.check}" for r in report.results if r.level is Level.ERROR)
    facts = {name: stable_facts(found) for name, found in report.facts.items()}
    return {"errors": errors, **{f"facts of {name}": sha256_hex(without_floats(f)) for name, f in facts.items()}}
