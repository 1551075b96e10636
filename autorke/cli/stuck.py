"""What is stuck, and its repair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from autorke.cli.client import connect
from autorke.cli.errors import NoSuchThing
from autorke.cli.options import JsonOption, YesOption, agree
from autorke.cli.output import columns, print_json, print_table, say, word, words

app = typer.Typer(no_args_is_help=True)


def _tickets(item: Mapping[str, Any]) -> list[str]:
    more = [f"+{item['more_tickets']}"] if item["more_tickets"] else []
    return [*(str(ticket["number"]) for ticket in item["tickets"]), *more]


def _repair(item: Mapping[str, Any]) -> str:
    """The repair; that it is under way; or that it is a person's decision."""
    repair = item["repair"]
    if repair is None:
        return word("由人处理", "by hand")
    under_way = repair["lasting"] and item["repair_at"]
    label = words(repair["label"])
    return word(f"进行中：{label}", f"under way: {label}") if under_way else label


STUCK = columns(
    ("原因", "Cause", "cause"),
    ("自", "Since", "since"),
    ("工单", "Tickets", _tickets),
    ("说明", "What", lambda item: words(item["title"])),
    ("修复", "Repair", _repair),
    ("手工处理", "By hand", lambda item: words(item["remedy"])),
)


@app.command("list")
def list_stuck(as_json: JsonOption = False) -> None:
    """What stands still now, by named causes / 列出卡住的事项"""
    with connect() as api:
        found = api.get("/stuck")
    if as_json:
        print_json(found)
        return
    print_table(found["items"], STUCK)
    if not found["items"]:
        say(word("没有卡住的事项", "Nothing is stuck"), "green")


@app.command("repair")
def repair(
    cause: Annotated[str, typer.Argument(help="Cause as listed, or the id where there are several / 原因或编号")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why / 理由")],
    ticket: Annotated[int, typer.Option(help="Its ticket's number, where there are several / 工单号")] = 0,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Have one thing repaired / 修复一项

    Says first what the repair does. Nothing that may have had an effect is run again by it.
    """
    with connect() as api:
        item = _find(api.get("/stuck")["items"], cause, ticket)
        print_table([item], STUCK, stderr=True)
        if item["repair"]:
            say(words(item["repair"]["effect"]), "yellow")
        agree(word("现在修复？", "Repair it now?"), yes=yes)
        done = api.post(f"/stuck/{item['id']}/repair", {"reason": reason})
    if as_json:
        print_json(done)
        return
    say(word("已请求修复", "The repair was asked for"), "green")


def _find(items: list[dict[str, Any]], cause: str, ticket: int) -> dict[str, Any]:
    """Raises NoSuchThing when there is none of this cause, or more than one."""
    found = [
        item
        for item in items
        if cause in (item["cause"], item["id"]) and (not ticket or ticket in [it["number"] for it in item["tickets"]])
    ]
    if len(found) != 1:
        several = word(
            f"{cause}（{len(found)} 项：请用 --ticket 或编号）", f"{cause} ({len(found)}: say --ticket or its id)"
        )
        raise NoSuchThing(field="CAUSE", what=word("卡住的事项", "stuck"), key=several if found else cause)
    return found[0]
