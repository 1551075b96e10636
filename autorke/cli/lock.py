"""Locks of tickets: who holds what, who waits, and taking away one that nothing needs."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from autorke.cli import lists
from autorke.cli.client import Api, connect
from autorke.cli.errors import NoSuchThing
from autorke.cli.lists import AllOption, CursorOption, FilterOption, LimitOption, Listing, SortOption
from autorke.cli.options import NOTHING, JsonOption, YesOption, agree
from autorke.cli.output import columns, print_json, print_table, safe, say, word, words

app = typer.Typer(no_args_is_help=True)

LOCKS = columns(
    ("种类", "Kind", "kind"),
    ("对象", "Of", "name"),
    ("工单", "Ticket", "ticket_number"),
    ("工单状态", "Ticket is", "ticket_state"),
    ("自", "Since", "acquired_at"),
    ("等待者", "Waiting", lambda lock: [one["ticket_number"] for one in lock["waiting"]]),
    ("不能释放的原因", "Cannot be released", lambda lock: words(lock["obstacle"])),
)
KindArgument = Annotated[str, typer.Argument(help="cluster, machine or ippool / 种类", metavar="KIND")]
NameArgument = Annotated[str, typer.Argument(help="Its name or key, as listed / 名称或键", metavar="NAME")]


@app.command("list")
def list_locks(
    kind: Annotated[str, typer.Option(help="cluster, machine, ippool / 种类")] = "",
    filters: FilterOption = NOTHING,
    sort: SortOption = "",
    limit: LimitOption = 50,
    cursor: CursorOption = "",
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """What is locked, by which ticket, and who waits / 列出锁"""
    wanted = [*filters, *([f"kind:eq:{kind}"] if kind else [])]
    with connect() as api:
        page = lists.fetch(api, "/locks", Listing(wanted, sort, limit, cursor, everything))
    lists.show(page, LOCKS, as_json=as_json)


@app.command("release")
def release(
    kind: KindArgument,
    name: NameArgument,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why / 理由")],
    close_ticket: Annotated[
        bool, typer.Option("--close-ticket", help="End its ticket as FAILED if it has not ended / 同时关闭工单")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take away a lock that nothing needs any more / 释放锁

    Refused while anything of its ticket can still act.
    """
    with connect() as api:
        lock = _find(api, kind, name)
        print_table([lock], LOCKS, stderr=True)
        number = lock["ticket_number"]
        agree(word(f"释放工单 {number} 的锁？", f"Take this lock from ticket {number}?"), yes=yes)
        path = f"/locks/{quote(kind)}/{quote(lock['key'])}/release"
        done = api.post(path, {"reason": reason, "close_ticket": close_ticket})
    if as_json:
        print_json(done)
        return
    state = safe(done["ticket_state"])
    say(word(f"已释放；工单 {number} 为 {state}", f"Released; ticket {number} is {state}"), "green")


def _find(api: Api, kind: str, name: str) -> dict[str, Any]:
    """The lock of this kind with this key or name. Raises NoSuchThing."""
    for lock in api.items("/locks", filter=[f"kind:eq:{kind}"]):
        if name in (lock["key"], lock["name"]):
            return lock
    raise NoSuchThing(field="NAME", what=word("锁", "lock"), key=f"{kind} {name}")
