"""The checks of the validate step for somebody who has not submitted yet: told machine by machine, nothing is kept.

Events: `start` with the table's rows and columns, `check` for the cluster (without a machine) and for each machine as
it answers, `end` with the counts. A machine may come twice: what another machine of the request contradicts is known
last. Results are to be laid over each other by their check.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy import select

from autorke.checks.results import Level, NotRun, Result
from autorke.checks.table import SCOPES
from autorke.core.db import transaction
from autorke.core.errors import Text
from autorke.core.redact import Secrets
from autorke.drivers.fanout import Stopped
from autorke.flows import checking
from autorke.flows.params import AddWorkersIn
from autorke.flows.targets import NoCredential
from autorke.machines.models import Machine
from autorke.workflow.definition import Node
from autorke.workflow.proposal import Asking, Proposal

ELIGIBLE = "eligible"
AT_ONCE = 32
"""Machines that one wizard looks at together: the api has others to serve meanwhile."""
STATES = {Level.OK: "ok", Level.WARNING: "warning", Level.ERROR: "failed", Level.UNKNOWN: "warning"}
WORST = ("failed", "warning", "ok", "skipped")
TITLES = {check.id: check.title for group in SCOPES.values() for check in group}


def examine(asked: AddWorkersIn, proposal: Proposal, asking: Asking) -> None:
    """Run all checks on the eligible machines and tell the results. Ends early, without a word, once nobody listens."""
    telling = _Telling(asking, Secrets(), time.monotonic())
    telling.start(proposal)
    nodes = _named_apart(_with_login(telling, proposal.accepted.nodes))
    telling.nodes = {node.name: node for node in nodes}
    if nodes:
        purpose = f"checks before a ticket, {proposal.accepted.summary}"
        look = checking.Look(asked.cluster_id, purpose, telling.secrets, actor=asking.actor)
        more = {"on_node": telling.node, "stop": asking.stop, "limit": AT_ONCE}
        try:
            checking.look(look, nodes, initialise_follows=True, **more)
        except Stopped:
            return
    telling.end()


def _with_login(telling: _Telling, nodes: Sequence[Node]) -> list[Node]:
    """Those with a credential; one without is told and holds the others up as little as one that is switched off."""
    ids = [UUID(node.id) for node in nodes]
    with transaction() as session:
        query = select(Machine.id).where(Machine.id.in_(ids), Machine.credential_id.is_not(None))
        known = set(session.scalars(query))
    for node in nodes:
        if UUID(node.id) not in known:
            error = NoCredential(field="credential_id", name=node.name)
            telling.blocked(node.id, node.name, "ssh-reachable", error.message, error.hint)
    return [node for node in nodes if UUID(node.id) in known]


def _named_apart(nodes: Sequence[Node]) -> list[Node]:
    """Two machines under one host name are a finding of the checks, and still two rows of the table."""
    times = Counter(node.name for node in nodes)
    return [
        replace(node, name=f"{node.name} ({node.data['address']})") if times[node.name] > 1 else node for node in nodes
    ]


@dataclass
class _Telling:
    """Turns results into events, secrets masked, and counts them."""

    asking: Asking
    secrets: Secrets
    began: float
    nodes: Mapping[str, Node] = field(default_factory=dict)
    states: dict[str | None, dict[str, str]] = field(default_factory=dict)

    def start(self, proposal: Proposal) -> None:
        checks = [
            {"id": check.id, "title": check.title.as_json(), "scope": scope}
            for scope, group in SCOPES.items()
            for check in group
        ]
        rows = [{"machine_id": it.id, "hostname": it.name, "eligible": it.reason is None} for it in proposal.targets]
        self._tell("start", {"cluster": dict(proposal.about), "checks": checks, "machines": rows})
        for target in proposal.targets:
            if target.reason is not None:
                remedy = Text(zh="从名单中去掉这台机器", en="Leave this machine out")
                self.blocked(target.id, target.name, ELIGIBLE, target.reason, remedy)

    def blocked(self, key: str, name: str, check: str, seen: Text, remedy: Text) -> None:
        """A machine that is not asked at all."""
        self._check(key, name, [_shown(check, "failed", seen, remedy)])

    def node(self, name: str, results: Sequence[Result], not_run: Sequence[NotRun]) -> None:
        """`OnNode` of the checks."""
        shown = [_shown(it.check, STATES[it.level], it.seen, it.remedy) for it in results]
        shown += [_shown(it.check, "skipped", _because(it), Text(zh="", en="")) for it in not_run]
        node = self.nodes.get(name)
        self._check(node.id if node else None, node.name if node else "", shown)

    def _check(self, key: str | None, name: str, results: list[dict[str, Any]]) -> None:
        self.states.setdefault(key, {}).update({it["check"]: it["state"] for it in results})
        self._tell("check", {"machine_id": key, "hostname": name, "results": results})

    def end(self) -> None:
        """A machine counts as the worst of its results."""
        rows = {key: min(found.values(), key=WORST.index, default="ok") for key, found in self.states.items()}
        cluster = rows.pop(None, "skipped")
        counts = Counter(state for found in self.states.values() for state in found.values())
        seconds = round(time.monotonic() - self.began, 3)
        self._tell(
            "end",
            {
                "cluster": cluster,
                "machines": {state: list(rows.values()).count(state) for state in WORST[:3]},
                "results": {state: counts[state] for state in WORST},
                "seconds": seconds,
            },
        )

    def _tell(self, event: str, data: dict[str, Any]) -> None:
        self.asking.tell(event, self.secrets.mask_json(data))


def _shown(check: str, state: str, seen: Text, remedy: Text) -> dict[str, Any]:
    return {"check": check, "state": state, "message": seen.as_json(), "remedy": remedy.as_json()}


def _because(it: NotRun) -> Text:
    title = TITLES[it.because]
    return Text(zh=f"未执行：“{title.zh}”已说明原因", en=f"not run: “{title.en}” already says why")
