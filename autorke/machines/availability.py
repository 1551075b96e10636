"""Why a machine cannot be taken for a ticket, in words for people: one rule for reserving, previews and lists."""

from __future__ import annotations

from dataclasses import dataclass

from autorke.core.errors import Text
from autorke.machines.models import Machine, MachineState


@dataclass(frozen=True)
class Hindrance:
    """One reason. `code` is stable, `reason` is shown."""

    code: str
    reason: Text


UNKNOWN = Hindrance("unknown", Text(zh="没有这台机器", en="unknown"))
VANISHED = Hindrance("vanished", Text(zh="已从 CMDB 中消失", en="vanished from the CMDB"))


def hindrance(machine: Machine, *, ticket: str | None = None) -> Hindrance | None:
    """Why this machine cannot be reserved now; None when it can. `ticket` names the holder better than its id."""
    if machine.state == MachineState.IN_CLUSTER:
        return _because("in-cluster", f"已在集群 {machine.cluster_name} 中", f"in cluster {machine.cluster_name}")
    if machine.state == MachineState.RESERVED:
        held = ticket or str(machine.ticket_id)
        return _because("reserved", f"已被工单 {held} 占用", f"reserved by ticket {held}")
    if machine.state == MachineState.FAULT:
        return _because(
            "fault", "故障" + _after("：", machine.state_reason), "fault" + _after(": ", machine.state_reason)
        )
    if machine.state == MachineState.RETIRED:
        return _because("retired", "已退役", "retired")
    return VANISHED if machine.cmdb_vanished_at is not None else None


def _because(code: str, zh: str, en: str) -> Hindrance:
    return Hindrance(code, Text(zh=zh, en=en))


def _after(mark: str, text: str) -> str:
    return mark + text if text else ""
