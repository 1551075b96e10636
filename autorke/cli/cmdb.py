"""CMDB sources: add, look, sync now and wait."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from autorke.cli import resolve
from autorke.cli.client import Api, connect
from autorke.cli.errors import SyncFailed
from autorke.cli.options import JsonOption, read_json
from autorke.cli.output import columns, print_details, print_json, print_table, waiting, word, words

app = typer.Typer(no_args_is_help=True)
source_app = typer.Typer(no_args_is_help=True)
app.add_typer(source_app, name="source", help="CMDB sources / CMDB 来源")

POLL_SECONDS = 0.3
ENDED = ("ok", "failed", "refused", "lost")
SOURCES = columns(
    ("名称", "Name", "name"),
    ("启用", "Enabled", "enabled"),
    ("间隔（秒）", "Every (s)", "interval_seconds"),
    ("最近成功", "Last success", "last_ok_at"),
    ("编号", "Id", "id"),
)
RUNS = columns(
    ("结果", "Outcome", "outcome"),
    ("开始", "Started", "started_at"),
    ("结束", "Ended", "ended_at"),
    ("由", "By", "requested_by"),
    ("收到", "Received", "received"),
    ("新增", "New", "created"),
    ("变更", "Changed", "changed"),
    ("消失", "Vanished", "vanished"),
    ("拒绝", "Refused", "refused"),
    ("冲突", "Conflicts", "conflicts"),
    ("原因", "Reason", lambda run: words((run["error"] or {}).get("cause"))),
)
REFUSALS = columns(
    ("行", "Line", "line"), ("序列号", "Serial", "sn"), ("字段", "Field", "field"), ("原因", "Reason", "reason")
)

SourceArgument = Annotated[str, typer.Argument(help="Name or id of the source / 来源", metavar="SOURCE")]
WaitOption = Annotated[float, typer.Option("--timeout", help="Seconds to wait for the sync / 等待秒数")]
DropOption = Annotated[bool, typer.Option("--accept-drop", help="Let any number of machines vanish / 允许大量消失")]
MachineCredentialOption = Annotated[
    str, typer.Option("--machine-credential", help="How new machines are logged in to / 新机器的登录凭据")
]
MachineUserOption = Annotated[str, typer.Option("--machine-ssh-user", help="Login name of new machines / 登录用户")]


@source_app.command("add")
def add_source(
    name: Annotated[str, typer.Argument(help="A name for it / 名称")],
    config: Annotated[str, typer.Option("--config", help="JSON file with source and mapping, - for stdin / 配置文件")],
    credential: Annotated[str, typer.Option("--credential", "-k", help="Token or password for the CMDB / 凭据")] = "",
    interval: Annotated[int, typer.Option(help="Seconds between syncs; 0 = on demand only / 间隔")] = 900,
    max_vanished: Annotated[int, typer.Option(help="Percent of machines that may vanish / 允许消失的百分比")] = 20,
    machine_credential: MachineCredentialOption = "",
    machine_ssh_user: MachineUserOption = "root",
    as_json: JsonOption = False,
) -> None:
    """Add a CMDB / 添加 CMDB 来源"""
    body: dict[str, Any] = {"name": name, "config": read_json(config), "interval_seconds": interval}
    body |= {"max_vanished_percent": max_vanished, "machine_ssh_user": machine_ssh_user}
    with connect() as api:
        for key, given in (("credential_id", credential), ("machine_credential_id", machine_credential)):
            if given:
                body[key] = resolve.credential_id(api, given)
        made = api.post("/cmdb/sources", body)
    if as_json:
        print_json(made)
        return
    print_details([(key, value) for key, value in made.items() if key != "config"])


@source_app.command("list")
def list_sources(as_json: JsonOption = False) -> None:
    """The sources and how fresh they are / 列出来源"""
    with connect() as api:
        found = list(api.items("/cmdb/sources"))
    if as_json:
        print_json({"items": found, "next": None, "total": len(found)})
        return
    print_table(found, SOURCES)


@source_app.command("sync")
def sync(
    source: SourceArgument,
    accept_drop: DropOption = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it has ended / 等待结束")] = True,
    timeout: WaitOption = 300.0,
    as_json: JsonOption = False,
) -> None:
    """Sync now / 立即同步

    Exit code 1 when it did not succeed; then no machine was changed.
    """
    with connect() as api:
        run = _sync(api, resolve.source(api, source)["id"], accept_drop=accept_drop)
        if wait:
            run = _ended(api, run, timeout)
    _show_run(run, as_json=as_json)


def _sync(api: Api, source_id: str, *, accept_drop: bool = False) -> dict[str, Any]:
    run: dict[str, Any] = api.post(f"/cmdb/sources/{source_id}/sync", {"accept_drop": accept_drop})
    return run


def _ended(api: Api, run: dict[str, Any], timeout: float) -> dict[str, Any]:
    """The run when it has ended, or as it stands after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    with waiting(word("同步中", "syncing")):
        while run["outcome"] not in ENDED and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            run = api.get(f"/cmdb/runs/{run['id']}")
    return run


def _show_run(run: dict[str, Any], *, as_json: bool) -> None:
    """A run; one that ended badly becomes an error with the run's own words. Raises SyncFailed."""
    if as_json:
        print_json(run)
    else:
        print_table([run], RUNS)
        if run["refusals"]:
            print_table(run["refusals"], REFUSALS, word("被拒绝的行", "Refused rows"))
    if run["outcome"] in ENDED and run["outcome"] != "ok":
        cause = (run["error"] or {}).get("cause") or {"zh": "", "en": ""}
        field = (run["error"] or {}).get("field")
        raise SyncFailed(field=field, outcome=run["outcome"], zh=cause["zh"], en=cause["en"])


@source_app.command("runs")
def list_runs(
    source: SourceArgument,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=500)] = 20,
    as_json: JsonOption = False,
) -> None:
    """The syncs of a source, newest first / 同步记录"""
    with connect() as api:
        page = api.get(f"/cmdb/sources/{resolve.source(api, source)['id']}/runs", limit=limit)
    if as_json:
        print_json(page)
        return
    print_table(page["items"], RUNS)
