"""A ticket on the terminal: its steps with their gates, what it waits for, and the node × step table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from autorke.cli.output import Column, columns, console, print_details, safe, say, shown, table, word, words
from autorke.core.errors import Text
from autorke.workflow.states import TERMINAL_TICKET

if TYPE_CHECKING:
    from rich.table import Table

HASH_SHOWN = 12
WHOLE = "*"
ENDED = frozenset(state.value for state in TERMINAL_TICKET)
LIVE = frozenset({"READY", "CLAIMED", "RUNNING"})
PURPOSES = {
    "PLAN": Text(zh="正在制定变更计划", en="is being planned"),
    "RUN": Text(zh="正在执行", en="is running"),
    "PROBE": Text(zh="正在查看现场", en="is being looked at"),
}
PHASES = {"PRE": Text(zh="执行前", en="pre"), "POST": Text(zh="执行后", en="post")}

TICKETS = columns(
    ("工单", "Ticket", "number"),
    ("流程", "Flow", "flow_name"),
    ("摘要", "Summary", "summary"),
    ("状态", "State", "state"),
    ("需要处理", "Needs somebody", "attention"),
    ("审核策略", "Policy", "policy"),
    ("创建", "Created", "created_at"),
    ("结束", "Ended", "ended_at"),
)
STEPS = columns(
    ("步骤", "Step", "key"),
    ("标题", "Title", lambda step: words(step["title"])),
    ("状态", "State", "state"),
    ("审核", "Gates", lambda step: gates_text(step)),
    ("节点", "Nodes", lambda step: ", ".join(f"{count} {state}" for state, count in step["counts"].items())),
    ("问题", "Problems", lambda step: problems_text(step["problems"])),
    ("说明", "Why", lambda step: words(step["skip_reason"])),
)


def newest_gate(step: Mapping[str, Any], phase: str) -> dict[str, Any] | None:
    """The gate of this phase that counts now; gates come oldest first."""
    found = [gate for gate in step["gates"] if gate["phase"] == phase]
    return found[-1] if found else None


def open_gates(detail: Mapping[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(step, gate) of every open gate, in the order in which a person meets them."""
    found = []
    for step in detail["steps"]:
        for phase in ("PRE", "POST"):
            gate = newest_gate(step, phase)
            if gate is not None and gate["state"] == "OPEN":
                found.append((step, gate))
    return found


def gates_text(step: Mapping[str, Any]) -> str:
    """`pre APPROVED 1/1, post OPEN 0/1`: each gate the step has, opened or not."""
    parts = []
    for phase, wanted in (("PRE", step["pre_gate"]), ("POST", step["post_gate"])):
        gate = newest_gate(step, phase)
        if gate is not None:
            signed = sum(said["decision"] == "APPROVE" and not said["revoked_at"] for said in gate["approvals"])
            parts.append(f"{words(PHASES[phase])} {gate['state']} {signed}/{gate['quorum']}")
        elif wanted:
            parts.append(words(PHASES[phase]))
    return ", ".join(parts)


def problems_text(problems: Sequence[Mapping[str, Any]]) -> str:
    blocking = sum(bool(problem["blocking"]) for problem in problems)
    parts = [(blocking, word("阻断", "blocking")), (len(problems) - blocking, word("提示", "notes"))]
    return ", ".join(f"{count} {name}" for count, name in parts if count)


def steps_table(detail: Mapping[str, Any]) -> Table:
    return table(detail["steps"], STEPS)


def newest_result(node: Mapping[str, Any], step: str) -> dict[str, Any] | None:
    found = [result for result in node["results"] if result["step"] == step]
    return max(found, key=lambda result: result["attempt_n"]) if found else None


def matrix(detail: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> Table:
    """Every node with how it stands in every step; `*` is what a step does once for all."""

    def cell(step: str) -> Any:
        return lambda node: (newest_result(node, step) or {}).get("state", "")

    name = Column(Text(zh="节点", en="Node"), _node_name)
    return table(nodes, [name, *(Column(Text(zh=s["key"], en=s["key"]), cell(s["key"])) for s in detail["steps"])])


def _node_name(node: Mapping[str, Any]) -> str:
    if node["node_id"] == WHOLE:
        return word("（整个工单）", "(whole ticket)")
    left = word("已排除", "left out") if node["excluded_at"] else ""
    return f"{node['name']} {left}".strip()


def node_names(nodes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {node["node_id"]: _node_name(node) for node in nodes}


def failures(nodes: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(node name, newest result) where the newest result of a step is not a success and says something."""
    for node in nodes:
        for step in dict.fromkeys(result["step"] for result in node["results"]):
            result = newest_result(node, step)
            if result and result["state"] in ("FAILED", "UNREACHABLE", "UNKNOWN", "NOT_STARTED") and result["summary"]:
                yield _node_name(node), result


def waits_for(detail: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Why the ticket stands where it stands, and what would move it, in sentences."""
    names = node_names(nodes) | {
        str(detail["scope_id"]): str(detail["params"].get("cluster_name") or detail["scope_id"])
    }
    for lock in detail["waiting_for"]:
        key, number = safe(names.get(lock["key"], lock["key"])), lock["ticket_number"]
        kind = safe(lock["kind"])
        if lock["holds"]:
            yield word(f"等待工单 {number} 释放 {kind} {key}", f"waits for ticket {number}, which holds {kind} {key}")
        else:
            yield word(f"{kind} {key} 上排在工单 {number} 之后", f"waits behind ticket {number} for {kind} {key}")
    if detail["state"] == "PAUSED":
        yield word("已暂停：autorke ticket resume", "paused: `autorke ticket resume`")
    if detail["attention"]:
        yield word("需要处理：", "needs somebody: ") + safe(detail["attention"])
    yield from _of_steps(detail)


def _of_steps(detail: Mapping[str, Any]) -> Iterator[str]:
    number = detail["number"]
    for step, gate in open_gates(detail):
        where = f"{safe(step['key'])}:{gate['phase'].lower()}"
        asks, until = safe(gate["permission"]), shown(gate["expires_at"])
        yield word(
            f"等待审核 {where}（{asks}，{until} 过期）：autorke ticket approve {number}",
            f"waits for {where} to be signed ({asks}, expires {until}): `autorke ticket approve {number}`",
        )
    for step in detail["steps"]:
        if step["state"] == "WAIT_CALLBACK":
            yield word(f"{safe(step['key'])}：等待外部系统回调", f"{safe(step['key'])}: waits for the outside system")
        for attempt in step["attempts"]:
            if attempt["state"] in LIVE:
                yield _under_way(safe(step["key"]), attempt)


def _under_way(step: str, attempt: Mapping[str, Any]) -> str:
    if attempt["state"] == "READY":
        return word(f"{step}：等待执行主机", f"{step} waits for a worker host")
    host, doing = safe(attempt["runner_id"] or "-"), words(PURPOSES[attempt["purpose"]])
    return word(f"{step}：{doing}（执行主机 {host}）", f"{step} {doing} on {host}")


def needs_somebody(detail: Mapping[str, Any]) -> bool:
    """Nothing will move until a person acts: a gate is open and nothing runs, or the ticket says so itself."""
    if detail["state"] in ("ATTENTION", "PAUSED"):
        return not running(detail)
    return bool(open_gates(detail)) and not running(detail)


def running(detail: Mapping[str, Any]) -> bool:
    return any(attempt["state"] in LIVE for step in detail["steps"] for attempt in step["attempts"])


def head(detail: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        (word("工单", "Ticket"), f"{detail['number']}  {detail['id']}"),
        (word("流程", "Flow"), f"{detail['flow_name']} v{detail['flow_version']}"),
        (word("摘要", "Summary"), detail["summary"]),
        (word("状态", "State"), detail["state"]),
        (word("审核策略", "Policy"), detail["policy"]),
        (word("创建", "Created"), detail["created_at"]),
        (word("结束", "Ended"), detail["ended_at"]),
    ]


def print_ticket(detail: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> None:
    """The whole ticket."""
    screen = console()
    print_details(head(detail))
    screen.print(steps_table(detail))
    screen.print(matrix(detail, nodes))
    for name, result in failures(nodes):
        say(f"{safe(result['step'])} · {safe(name)}: {safe(result['summary'])}", "red")
        if words((result["error"] or {}).get("remedy")):
            say(f"  → {words(result['error']['remedy'])}")
    for reason in waits_for(detail, nodes):
        say(f"· {reason}", "yellow")
