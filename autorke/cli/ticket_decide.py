"""Approve or reject: show what would be signed, then send the hash of exactly what was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from autorke.cli import resolve
from autorke.cli.client import Api, connect
from autorke.cli.errors import BadUsage, HashDiffers, NothingToDecide, OwnTicket
from autorke.cli.options import NOTHING, JsonOption, TicketArgument, YesOption, agree
from autorke.cli.output import columns, console, print_details, print_json, print_table, safe, say, word, words
from autorke.cli.plan_view import check_counts, diff_size, plan_head, print_diff, print_problems
from autorke.cli.ticket_view import (
    HASH_SHOWN,
    newest_result,
    node_names,
    open_gates,
    steps_table,
    waits_for,
)

DIFF_LINES = 40
Gate = tuple[dict[str, Any], dict[str, Any]]
"""(step, gate) of the ticket as it was read once; what is shown and what is sent both come from it."""

RESULTS = columns(
    ("节点", "Node", "name"),
    ("结果", "Result", "state"),
    ("说明", "Summary", "summary"),
    ("执行", "Attempt", "attempt_n"),
)

GateOption = Annotated[
    list[str], typer.Option("--gate", help="Only this one: step:pre, step:post or its id; repeat it / 指定审核")
]
HashOption = Annotated[
    list[str],
    typer.Option("--hash", help="Beginning of the hash you have read; refused when it differs / 已核对的哈希"),
]


def add_to(app: typer.Typer) -> None:
    app.command()(approve)
    app.command()(reject)


def approve(
    ticket: TicketArgument,
    comment: Annotated[str, typer.Option("--comment", "-c", help="Your words / 意见")] = "",
    gate: GateOption = NOTHING,
    seen: HashOption = NOTHING,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the open gates and sign them / 审核通过

    Signs exactly what it has shown: a plan that changes meanwhile is refused.
    """
    with connect() as api:
        _decide(api, ticket, "approve", comment, gate, seen, yes=yes, as_json=as_json)


def reject(
    ticket: TicketArgument,
    comment: Annotated[str, typer.Option("--comment", "-c", help="Why / 理由")],
    gate: GateOption = NOTHING,
    seen: HashOption = NOTHING,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Reject the open gates, with a reason / 驳回"""
    if not comment.strip():
        raise BadUsage(field="--comment", zh="驳回必须写明理由", en="a rejection needs a reason")
    with connect() as api:
        _decide(api, ticket, "reject", comment, gate, seen, yes=yes, as_json=as_json)


def _decide(
    api: Api,
    key: str,
    decision: str,
    comment: str,
    wanted: Sequence[str],
    seen: Sequence[str],
    *,
    yes: bool,
    as_json: bool,
) -> None:
    detail = resolve.ticket(api, key)
    gates = choose(detail, wanted)
    if decision == "approve" and api.get("/me")["id"] == detail["requester_id"]:  # four eyes: not even asked
        raise OwnTicket(field="TICKET", number=detail["number"])
    _check_hashes(gates, seen)
    show_gates(api, detail, gates)
    verb = word("通过", "Approve") if decision == "approve" else word("驳回", "Reject")
    these = "this gate" if len(gates) == 1 else f"these {len(gates)} gates"
    agree(word(f"{verb}以上 {len(gates)} 个审核？", f"{verb} {these}?"), yes=yes)
    body = {
        "gates": [{"gate_id": gate["id"], "subject_hash": gate["subject_hash"]} for _, gate in gates],
        "decision": decision,
        "comment": comment,
    }
    after = api.post(f"/tickets/{detail['id']}/decisions", body)
    if as_json:
        print_json(after)
        return
    say(word("已记录", "Recorded"), "green")
    console().print(steps_table(after))
    for reason in waits_for(after, []):
        say(f"· {reason}", "yellow")


def gate_name(step: Mapping[str, Any], gate: Mapping[str, Any]) -> str:
    return f"{step['key']}:{gate['phase'].lower()}"


def choose(detail: Mapping[str, Any], wanted: Sequence[str]) -> list[Gate]:
    """The open gates, or those of them that the person named. Raises NothingToDecide."""
    there = open_gates(detail)
    chosen = [pair for pair in there if not wanted or {gate_name(*pair), pair[1]["id"]} & set(wanted)]
    named = {name for pair in chosen for name in (gate_name(*pair), pair[1]["id"])}
    missing = [name for name in wanted if name not in named]
    if not chosen or missing:
        which = ", ".join(map(safe, missing)) or word("审核", "gate")
        field = "--gate" if missing else "TICKET"
        raise NothingToDecide(field=field, number=detail["number"], state=detail["state"], which=which)
    return chosen


def _check_hashes(gates: Sequence[Gate], seen: Sequence[str]) -> None:
    """With --hash each gate must be one that the person has read. Raises HashDiffers."""
    for step, gate in gates if seen else ():
        if not any(len(text) >= 6 and gate["subject_hash"].startswith(text.lower()) for text in seen):
            raise HashDiffers(field="--hash", gate=gate_name(step, gate))


def show_gates(api: Api, detail: Mapping[str, Any], gates: Sequence[Gate]) -> None:
    """Everything that a decision on these gates binds to; on stderr, as the question is: stdout is the result."""
    nodes = api.get(f"/tickets/{detail['id']}/nodes")
    say(word("将要审核：", "To be decided: ") + f"{detail['number']} {safe(detail['summary'])}")
    for step, gate in gates:
        say(f"── {gate_name(step, gate)} · {words(step['title'])} · {gate['subject_hash'][:HASH_SHOWN]}", "bold")
        if gate["phase"] == "PRE":
            _show_pre(api, detail, step, gate, node_names(nodes))
        else:
            _show_post(step, nodes)


def _show_pre(
    api: Api, detail: Mapping[str, Any], step: Mapping[str, Any], gate: Mapping[str, Any], names: Mapping[str, str]
) -> None:
    """The plan whose hash the gate carries; when it is no longer there, nothing can be signed. Raises HashDiffers."""
    plans = api.get(f"/tickets/{detail['id']}/plans/{step['key']}")
    plan = next((plan for plan in plans if plan["plan_hash"] == gate["subject_hash"]), None)
    if plan is None:
        raise HashDiffers(field=gate_name(step, gate), gate=gate_name(step, gate))
    does = (word("做什么", "Does"), words(step["does"]))
    print_details([does, *plan_head(plan, names)], stderr=True)
    print_problems(plan["problems"], stderr=True)
    diff = plan["body"]["plan"].get("diff")
    if isinstance(diff, list) and diff:
        print_details([(word("配置差异", "Config diff"), diff_size(diff))], stderr=True)
        print_diff(diff, most=DIFF_LINES, stderr=True)
    body = plan["body"]["plan"]
    more = [
        (word("校验", "Checks"), check_counts(body.get("checks"))),
        (word("失败时", "On failure"), body.get("on_failure")),
        (word("全文", "In full"), f"autorke ticket plan {detail['number']} {step['key']}"),
    ]
    print_details(more, stderr=True)


def _show_post(step: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> None:
    """How the step ended on each node: what a confirmation confirms."""
    names = node_names(nodes)
    rows = [(node, newest_result(node, step["key"])) for node in nodes]
    results = [{"name": names[node["node_id"]], **result} for node, result in rows if result]
    print_table(results, RESULTS, stderr=True)
