"""Tickets: create, list, show; what people decide and do to them is in the modules added below."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import uuid4

import typer

from autorke.cli import lists, resolve, ticket_decide, ticket_follow, ticket_inbox, ticket_operate
from autorke.cli.client import Api, connect
from autorke.cli.errors import BadUsage, NoSuchThing, Unreachable
from autorke.cli.lists import AllOption, CursorOption, FilterOption, LimitOption, Listing, SortOption
from autorke.cli.machine import BRIEF, pasted
from autorke.cli.options import NOTHING, JsonOption, TicketArgument, YesOption, agree, pairs, read_file, read_json
from autorke.cli.output import print_json, print_table, safe, say, word
from autorke.cli.plan_view import print_plan
from autorke.cli.ticket_view import ENDED, TICKETS, node_names, print_ticket
from autorke.core import labels
from autorke.core.errors import Text

app = typer.Typer(no_args_is_help=True)
create_app = typer.Typer(no_args_is_help=True)
app.add_typer(create_app, name="create", help="Ask for a change / 新建工单")

TRIES = 3
KeyOption = Annotated[str, typer.Option("--key", help="Idempotency key: the same one never makes two tickets / 幂等键")]


@create_app.command("add_workers")
def add_workers(
    cluster: Annotated[str, typer.Option("--cluster", help="The cluster to add to / 集群")],
    machines: Annotated[list[str], typer.Option("--machine", "-m", help="A machine; repeat it / 机器")] = NOTHING,
    source: Annotated[str, typer.Option("--machines-from", help="A list of machines, - for stdin / 机器列表文件")] = "",
    label: Annotated[list[str], typer.Option("--label", "-l", help="key=value; repeat it / 标签")] = NOTHING,
    taint: Annotated[list[str], typer.Option("--taint", help="key=value:Effect; repeat it / 污点")] = NOTHING,
    canary: Annotated[int, typer.Option(help="Nodes of the first batch / 首批节点数")] = 1,
    batch: Annotated[int, typer.Option(help="Nodes of each further batch / 每批节点数")] = 10,
    budget: Annotated[int, typer.Option(help="Failures before no other node is started / 失败预算")] = 0,
    docker: Annotated[bool, typer.Option("--docker/--no-docker", help="Initialise Docker / 初始化 Docker")] = True,
    kernel: Annotated[bool, typer.Option("--kernel/--no-kernel", help="Set the kernel up / 初始化内核参数")] = True,
    gpu: Annotated[
        bool, typer.Option("--gpu/--no-gpu", help="GPU driver where there is a GPU / 初始化 GPU 驱动")
    ] = True,
    key: KeyOption = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add machines to a cluster as workers / 添加 worker 节点"""
    wanted = [*machines, *(pasted(read_file(source)) if source else [])]
    if not wanted:
        raise BadUsage(field="--machine", zh="至少指定一台机器", en="name at least one machine")
    request: dict[str, Any] = {
        "labels": read_labels(label),
        "taints": read_taints(taint),
        "initialise": {"docker": docker, "kernel": kernel, "gpu": gpu},
        "batches": {"canary": canary, "size": batch, "budget": budget},
    }
    with connect() as api:
        where, rows = resolve.cluster(api, cluster), resolve.machines(api, wanted)
        if not yes:
            print_table(rows, BRIEF)
            name = safe(where["name"])
            these = "this machine" if len(rows) == 1 else f"these {len(rows)} machines"
            agree(word(f"把这 {len(rows)} 台加入 {name}？", f"Add {these} to {name}?"), yes=False)
        request |= {"cluster_id": where["id"], "machines": [{"machine_id": row["id"]} for row in rows]}
        _show_new(api, submit(api, "add_workers", request, key), as_json=as_json)


@create_app.command("from-file")
def from_file(
    flow: Annotated[str, typer.Argument(help="Name of the flow / 流程", metavar="FLOW")],
    request: Annotated[str, typer.Argument(help="JSON file with its form, - for stdin / 表单文件", metavar="FILE")],
    key: KeyOption = "",
    as_json: JsonOption = False,
) -> None:
    """A ticket of any flow, from a JSON file / 按文件新建

    `autorke flow show FLOW` names the fields of its form.
    """
    form = read_json(request)
    with connect() as api:
        _show_new(api, submit(api, flow, form, key), as_json=as_json)


def read_labels(given: list[str]) -> dict[str, str]:
    """`key=value` texts as labels that a node may be given. Raises BadUsage."""
    found = pairs(given, "--label")
    for key, value in found.items():
        _refuse("--label", labels.label_problem(key, value))
    return found


def read_taints(given: list[str]) -> list[dict[str, str]]:
    """`key=value:Effect` or `key:Effect`, each key and effect once. Raises BadUsage."""
    found = [_read_taint(text) for text in given]
    _refuse("--taint", labels.repeated_taint((taint["key"], taint["effect"]) for taint in found))
    return found


def _read_taint(text: str) -> dict[str, str]:
    marked, colon, effect = text.rpartition(":")
    key, _, value = marked.partition("=")
    if not colon or not key:
        raise BadUsage(field="--taint", zh=f"应为 键=值:效果：{text}", en=f"key=value:Effect expected: {text}")
    _refuse("--taint", labels.taint_problem(key, value, effect))
    return {"key": key, "value": value, "effect": effect}


def _refuse(option: str, problem: Text | None) -> None:
    if problem is not None:
        raise BadUsage(field=option, zh=problem.zh, en=problem.en)


def submit(api: Api, flow: str, request: dict[str, Any], key: str = "") -> dict[str, Any]:
    """Create a ticket. Tried again when no answer came: the idempotency key makes sure that there is only one."""
    used = key or str(uuid4())
    for left in reversed(range(TRIES)):
        try:
            body = {"flow": flow, "request": request}
            made: dict[str, Any] = api.call("POST", "/tickets", body, headers={"Idempotency-Key": used})
        except Unreachable:
            if not left:
                say(
                    word(
                        f"未知是否已创建；用 --key {used} 重试不会重复",
                        f"Unknown whether it was made; --key {used} is safe",
                    )
                )
                raise
        else:
            return made
    raise AssertionError("the loop returns or raises")


def _show_new(api: Api, ticket: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(ticket)
        return
    say(word(f"工单 {ticket['number']}", f"Ticket {ticket['number']}"), "green")
    print_ticket(ticket, api.get(f"/tickets/{ticket['id']}/nodes"))


@app.command("list")
def list_tickets(
    state: Annotated[str, typer.Option(help="QUEUED, ACTIVE, ATTENTION, … / 状态")] = "",
    cluster: Annotated[str, typer.Option(help="Of this cluster / 集群")] = "",
    flow: Annotated[str, typer.Option(help="Of this flow / 流程")] = "",
    mine: Annotated[bool, typer.Option("--mine", help="Those I asked for / 我申请的")] = False,
    unfinished: Annotated[bool, typer.Option("--open", help="Not ended yet / 未结束")] = False,
    filters: FilterOption = NOTHING,
    sort: SortOption = "",
    limit: LimitOption = 50,
    cursor: CursorOption = "",
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Tickets, newest first / 列出工单"""
    wanted = [*filters]
    wanted += [f"{name}:eq:{value}" for name, value in (("state", state), ("flow_name", flow)) if value]
    wanted += ["ended_at:null:true"] if unfinished else []
    with connect() as api:
        wanted += [f"scope_id:eq:{resolve.cluster(api, cluster)['id']}"] if cluster else []
        wanted += [f"requester_id:eq:{api.get('/me')['id']}"] if mine else []
        page = lists.fetch(api, "/tickets", Listing(wanted, sort, limit, cursor, everything))
    lists.show(page, TICKETS, as_json=as_json)


@app.command("show")
def show_ticket(ticket: TicketArgument, as_json: JsonOption = False) -> None:
    """Steps, gates, nodes, and what it waits for / 工单详情"""
    with connect() as api:
        detail = resolve.ticket(api, ticket)
        nodes = api.get(f"/tickets/{detail['id']}/nodes")
    if as_json:
        print_json({**detail, "nodes": nodes})
        return
    print_ticket(detail, nodes)
    if detail["state"] not in ENDED:
        say(word("变更计划：autorke ticket plan 工单 步骤", "A plan: `autorke ticket plan TICKET STEP`"))


@app.command("plan")
def show_plan(
    ticket: TicketArgument,
    step: Annotated[str, typer.Argument(help="Key of the step / 步骤", metavar="STEP")],
    which: Annotated[int | None, typer.Option("--round", min=1, help="An earlier round / 轮次")] = None,
    as_json: JsonOption = False,
) -> None:
    """What a step will do, as an approval binds to it / 变更计划"""
    with connect() as api:
        found = resolve.ticket_id(api, ticket)
        plans = api.get(f"/tickets/{found}/plans/{step}")
        nodes = api.get(f"/tickets/{found}/nodes")
    chosen = [plan for plan in plans if which in (None, plan["round"])]
    if not chosen:
        raise NoSuchThing(field="STEP", what=word("变更计划", "plan"), key=step)
    if as_json:
        print_json(chosen[0])
        return
    print_plan(chosen[0], node_names(nodes))


ticket_inbox.add_to(app)
ticket_decide.add_to(app)
ticket_operate.add_to(app)
ticket_follow.add_to(app)
