"""What only shows when two machines of one ticket are held side by side. The later one of the two is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autorke.checks.context import NewWorker
from autorke.checks.facts import NodeFacts
from autorke.checks.results import Finding, Level, fault, fine
from autorke.checks.rules.leftovers import machine_ids
from autorke.core.errors import Text


@dataclass(frozen=True)
class Candidate:
    """A machine of the ticket with what was read from it."""

    worker: NewWorker
    facts: NodeFacts


def check_twice_in_ticket(candidate: Candidate, earlier: Sequence[Candidate]) -> Finding:
    """The same address, internal address or name for two machines."""
    worker = candidate.worker
    mine, name = {worker.address, worker.internal}, worker.node_name.lower()
    same = [
        f"{other.node} ({other.address}, {other.internal}, {other.node_name})"
        for other in (it.worker for it in earlier)
        if mine & {other.address, other.internal} or other.node_name.lower() == name
    ]
    if not same:
        return fine("工单内没有重复", "not twice in the ticket")
    listed = ", ".join(same)
    return fault(
        Text(
            zh=f"地址 {worker.address}、{worker.internal} 或节点名 {worker.node_name} 与工单中的 {listed} 相同",
            en=f"address {worker.address}, {worker.internal} or name {worker.node_name} is also that of {listed}"
            " in this ticket",
        ),
        Text(zh="删除重复的机器，或改正地址与节点名", en="Remove the duplicate, or correct address and name"),
    )


def check_cloned(candidate: Candidate, earlier: Sequence[Candidate]) -> Finding | None:
    """Two entries that are one machine, or two machines from one image (rke.md §9 #40)."""
    machine = candidate.facts.machine
    if machine is None:
        return None
    machine_id, uuid = machine_ids(machine)
    others = [(it.worker.node, *machine_ids(it.facts.machine)) for it in earlier if it.facts.machine is not None]
    same_id = [node for node, seen, _ in others if machine_id and seen == machine_id]
    same_uuid = [node for node, _, seen in others if uuid and seen == uuid]
    if not same_id and not same_uuid:
        return fine("与工单中其他机器不同", "differs from the other machines of the ticket")
    which = f"machine-id {machine_id}" if same_id else f"product_uuid {uuid}"
    listed = ", ".join(same_id or same_uuid)
    return fault(
        Text(zh=f"{which} 与工单中的 {listed} 相同", en=f"{which} is also that of {listed} in this ticket"),
        Text(
            zh="若是同一台机器，删除其一；若是克隆的系统，执行 `rm /etc/machine-id && systemd-machine-id-setup` 后重启",
            en="Remove one if they are the same machine; on a cloned system run"
            " `rm /etc/machine-id && systemd-machine-id-setup` and reboot",
        ),
        level=None if same_id else Level.WARNING,
    )
