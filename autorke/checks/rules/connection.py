"""Could the machine be asked at all? These two speak for all other checks of a machine that could not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autorke.checks.context import ClusterContext, NewWorker
from autorke.checks.facts import NodeFacts
from autorke.checks.results import Finding, fault, fine
from autorke.core.errors import Text


def check_ssh(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding:
    """Refused, silent, wrong host key, wrong credential: the driver's error tells which (rke.md §9 #1)."""
    if facts.unreachable is not None:
        return _of(facts.unreachable)
    address = f"{worker.target.user}@{worker.target.address}:{worker.target.port}"
    return fine(f"SSH {address}", f"SSH {address}")


def check_facts(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding:
    """Without its facts nothing else of the machine can be judged."""
    if facts.machine_error is not None:
        return _of(facts.machine_error)
    privilege = facts.machine.root if facts.machine is not None else "-"
    return fine(
        f"已读取机器信息（{worker.target.user}，{privilege}）", f"facts read ({worker.target.user}, {privilege})"
    )


def _of(error: Mapping[str, Any]) -> Finding:
    cause, remedy = error["cause"], error["remedy"]
    return fault(Text(zh=cause["zh"], en=cause["en"]), Text(zh=remedy["zh"], en=remedy["en"]))
