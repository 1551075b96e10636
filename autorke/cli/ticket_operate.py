"""What an operator does to a ticket: retry, leave nodes out, pause, resume, cancel, close, resolve."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from autorke.cli import resolve
from autorke.cli.client import Api, connect
from autorke.cli.errors import BadUsage, NoSuchThing, NothingToRetry, NothingUnknown, TicketOver
from autorke.cli.options import NOTHING, JsonOption, TicketArgument, YesOption, agree
from autorke.cli.output import columns, print_json, print_table, safe, word
from autorke.cli.ticket_view import ENDED, node_names, print_ticket
from autorke.workflow.states import NEEDS_PERSON, StepState

EVIDENCE = columns(
    ("节点", "Node", "name"),
    ("现场看来", "Looks like", "suggests"),
    ("说明", "Summary", "summary"),
    ("证据", "Evidence", "evidence"),
)

STUCK = frozenset(state.value for state in NEEDS_PERSON - {StepState.UNKNOWN})
StepArgument = Annotated[str, typer.Argument(help="Key of the step / 步骤", metavar="STEP")]
NodeOption = Annotated[list[str], typer.Option("--node", help="Name of a node; repeat it / 节点")]
ReasonOption = Annotated[str, typer.Option("--reason", "-r", help="Why / 理由")]


def add_to(app: typer.Typer) -> None:
    for command in (retry, exclude, pause, resume, cancel, close, resolve_unknown):
        name = "resolve" if command is resolve_unknown else command.__name__
        app.command(name)(command)


def _act(ticket: str, action: str, body: Any, *, as_json: bool) -> None:
    with connect() as api:
        _send(api, f"/tickets/{resolve.ticket_id(api, ticket)}/{action}", body, as_json=as_json)


def _send(api: Api, path: str, body: Any, *, as_json: bool) -> None:
    """Do it, and show the ticket as it is afterwards."""
    after = api.post(path, body)
    if as_json:
        print_json(after)
        return
    print_ticket(after, api.get(f"/tickets/{after['id']}/nodes"))


def retry(
    ticket: TicketArgument,
    step: Annotated[
        str, typer.Argument(help="Key of the step; the one that is stuck by default / 步骤", metavar="[STEP]")
    ] = "",
    node: NodeOption = NOTHING,
    as_json: JsonOption = False,
) -> None:
    """Do a step again for its failed nodes / 重试失败节点

    Exactly those that failed, were unreachable or were not started; what has succeeded never runs again.
    """
    with connect() as api:
        detail = resolve.ticket(api, ticket)
        found = detail["id"]
        body: dict[str, Any] = {"step": step or _stuck(detail)}
        if node:
            body["nodes"] = resolve.node_ids(api.get(f"/tickets/{found}/nodes"), node)
        _send(api, f"/tickets/{found}/retry", body, as_json=as_json)


def _stuck(detail: dict[str, Any]) -> str:
    """The step that a person may retry: there is one at most. Raises NothingToRetry."""
    for step in detail["steps"]:
        if step["state"] in STUCK:
            key: str = step["key"]
            return key
    raise NothingToRetry(field="TICKET", number=detail["number"], state=detail["state"])


def exclude(
    ticket: TicketArgument,
    reason: ReasonOption,
    node: Annotated[list[str], typer.Option("--node", help="Name of a node; repeat it / 节点")],
    as_json: JsonOption = False,
) -> None:
    """Leave nodes out of the rest of the ticket / 排除节点"""
    with connect() as api:
        found = resolve.ticket_id(api, ticket)
        nodes = resolve.node_ids(api.get(f"/tickets/{found}/nodes"), node)
        _send(api, f"/tickets/{found}/exclude", {"nodes": nodes, "reason": reason}, as_json=as_json)


def pause(ticket: TicketArgument, as_json: JsonOption = False) -> None:
    """Start nothing new; what has begun finishes / 暂停"""
    _act(ticket, "pause", None, as_json=as_json)


def resume(ticket: TicketArgument, as_json: JsonOption = False) -> None:
    """Go on after a pause / 继续"""
    _act(ticket, "resume", None, as_json=as_json)


def cancel(
    ticket: TicketArgument, reason: ReasonOption = "", yes: YesOption = False, as_json: JsonOption = False
) -> None:
    """End it now, or at the next safe point / 取消"""
    with connect() as api:
        detail = resolve.ticket(api, ticket)
        if detail["state"] in ENDED:
            raise TicketOver(field="TICKET", number=detail["number"], state=detail["state"])
        what = f"{detail['number']} {safe(detail['summary'])}"
        agree(word(f"取消工单 {what}？", f"Cancel ticket {what}?"), yes=yes)
        _send(api, f"/tickets/{detail['id']}/cancel", {"reason": reason}, as_json=as_json)


def close(ticket: TicketArgument, reason: ReasonOption, as_json: JsonOption = False) -> None:
    """Give up a ticket that needs a person / 以失败结束"""
    _act(ticket, "close", {"reason": reason}, as_json=as_json)


def resolve_unknown(
    ticket: TicketArgument,
    step: StepArgument,
    reason: ReasonOption,
    done: Annotated[list[str], typer.Option("--done", help="A node that is done as planned / 已完成的节点")] = NOTHING,
    failed: Annotated[list[str], typer.Option("--failed", help="A node that is not / 未完成的节点")] = NOTHING,
    override: Annotated[
        bool, typer.Option("--override", help="Without proof of death; takes two people / 强制")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say what became of unknown nodes / 判定未知结果

    Shows what a read-only look at them found. Nothing is run again without this.
    """
    if set(done) & set(failed):
        raise BadUsage(field="--done", zh="同一节点不能既完成又未完成", en="a node is either done or failed")
    with connect() as api:
        detail = resolve.ticket(api, ticket)
        nodes = api.get(f"/tickets/{detail['id']}/nodes")
        attempt, evidence = _unknown(detail, step)
        names = node_names(nodes)
        if evidence and not yes:
            rows = [{"name": names.get(node, node), **seen} for node, seen in evidence.items()]
            print_table(rows, EVIDENCE, word("现场所见", "What a look at them found"), stderr=True)
        verdicts = dict.fromkeys(resolve.node_ids(nodes, done), True)
        verdicts |= dict.fromkeys(resolve.node_ids(nodes, failed), False)
        agree(word("提交判定？之后按此继续", "Send this verdict? The ticket goes on by it"), yes=yes)
        body = {"verdicts": verdicts, "reason": reason, "override": override}
        _send(api, f"/tickets/{detail['id']}/attempts/{attempt}/resolution", body, as_json=as_json)


def _unknown(detail: dict[str, Any], key: str) -> tuple[str, dict[str, Any]]:
    """The unknown attempt of a step, and what its newest probe saw. Raises NoSuchThing, NothingUnknown."""
    step = next((step for step in detail["steps"] if step["key"] == key), None)
    if step is None:
        raise NoSuchThing(field="STEP", what=word("步骤", "step"), key=key)
    unknown = [attempt["id"] for attempt in step["attempts"] if attempt["state"] == "UNKNOWN"]
    if not unknown:
        raise NothingUnknown(field="STEP", step=key)
    seen = [attempt["outcome"]["probe"] for attempt in step["attempts"] if "probe" in (attempt["outcome"] or {})]
    return unknown[-1], seen[-1] if seen else {}
