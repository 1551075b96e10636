"""`autorke`: the command line. Commands are thin: they call the API, and show what it says.

Modules here import nothing heavy at their top: `autorke --help` must come at once. `errors.py` lists the exit codes.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from autorke.cli import account, cluster, cmdb, credential, flow, lock, machine, server, stuck, ticket
from autorke.cli.errors import Refused, exit_code
from autorke.cli.output import JSON_WANTED, explain
from autorke.core.errors import AutoRkeError

LATE = {"rke": ("autorke.cli.rke", "rke_app")}
"""Command groups whose imports are heavy: known by name and help, imported when they are called."""


class Root(TyperGroup):
    """Imports late groups when they are called, and turns every error that we know into words and an exit code."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if name in LATE:
            module, attribute = LATE[name]
            command = typer.main.get_command(getattr(import_module(module), attribute))
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (AutoRkeError, Refused) as error:
            explain(error, as_json=bool(ctx.meta.get(JSON_WANTED)))
            raise typer.Exit(exit_code(error)) from error


app = typer.Typer(
    cls=Root,
    no_args_is_help=True,
    rich_markup_mode=None,  # the pretty help costs more to import than everything else together
    pretty_exceptions_enable=False,  # its tracebacks could show what a variable holds
    help="Change work on rke clusters: machines, clusters, tickets / rke 集群的变更平台",
    epilog="Exit codes: 0 done, 1 refused or failed, 2 usage, 3 not signed in or not allowed, 4 not found, "
    "5 conflict, 6 unreachable, 7 needs a person (ticket watch), 130 interrupted.",
)
for _name, _group, _help in (
    ("token", account.token_app, "Your API tokens / API 令牌"),
    ("machine", machine.app, "Machines / 机器"),
    ("credential", credential.app, "Credentials: secrets go in and never come out / 凭据"),
    ("cmdb", cmdb.app, "CMDB sources and their syncs / CMDB 来源与同步"),
    ("cluster", cluster.app, "Clusters, nodes and revisions / 集群、节点与版本"),
    ("flow", flow.app, "Flows: the standard changes / 流程"),
    ("ticket", ticket.app, "Tickets: create, approve, follow / 工单"),
    ("lock", lock.app, "Locks of tickets / 锁"),
    ("stuck", stuck.app, "What stands still, and its repair / 卡住的事项与修复"),
    ("rke", typer.Typer(), "An rke cluster from its files alone / 直接操作 rke 集群文件"),
    ("admin", server.app, "On the server: accounts, keys, API description / 服务器端管理"),
):
    app.add_typer(_group, name=_name, help=_help)
account.add_to(app)
app.command("migrate")(server.migrate)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"autorke {version('autorke')}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version / 版本")
    ] = False,
) -> None:
    """Change work on rke clusters."""


def main() -> None:
    """The console script. What the terminal's encoding cannot show is spelled out instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    app()
