"""My work on the terminal: what waits for this person, and his other tickets."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any

import typer

from autorke.cli import lists
from autorke.cli.client import connect
from autorke.cli.lists import AllOption, CursorOption, LimitOption, Listing
from autorke.cli.options import JsonOption
from autorke.cli.output import columns, safe, say, shown, word, words
from autorke.cli.ticket_view import PHASES


class Tab(str, Enum):
    APPROVE = "approve"
    MINE = "mine"
    FAILED = "failed"
    RUNNING = "running"
    WATCHING = "watching"
    DONE = "done"


def gates_text(row: Mapping[str, Any]) -> str:
    """The gates that this person may sign: `join:post 0/1`, and whom he would sign for."""
    return ", ".join(_gate(gate) for gate in row["gates"] if gate["may_sign"])


def _gate(gate: Mapping[str, Any]) -> str:
    signed = f"{words(gate['title'])} {words(PHASES[gate['phase']])} {gate['approvals_n']}/{gate['quorum']}"
    return signed + (word("（代签）", " (for another)") if gate["acting_for"] else "")


def _since(row: Mapping[str, Any]) -> str:
    """When the oldest of the gates that wait for this person was opened, else the ticket's last change."""
    opened = [gate["opened_at"] for gate in row["gates"] if gate["may_sign"]]
    return shown(min(opened) if opened else row["ticket"]["updated_at"])


def _nodes(row: Mapping[str, Any]) -> str:
    progress = row["ticket"]["progress"]
    failed = word(f"，失败 {progress['failed']}", f", {progress['failed']} failed") if progress["failed"] else ""
    return f"{progress['done']}/{progress['total']}{failed}"


INBOX = columns(
    ("工单", "Ticket", lambda row: row["ticket"]["number"]),
    ("摘要", "Summary", lambda row: row["ticket"]["summary"]),
    ("集群", "Cluster", lambda row: row["ticket"]["cluster_name"]),
    ("申请人", "Requester", lambda row: row["ticket"]["requester_name"]),
    ("状态", "State", lambda row: row["ticket"]["state"]),
    ("等待我审核", "For me to sign", gates_text),
    ("等待", "Waits for", lambda row: words(row["ticket"]["waiting"])),
    ("进度", "Progress", _nodes),
    ("自", "Since", _since),
)


def add_to(app: typer.Typer) -> None:
    app.command("inbox")(inbox)


def inbox(
    tab: Annotated[Tab, typer.Option(help="Which of my tickets / 哪一类")] = Tab.APPROVE,
    limit: LimitOption = 50,
    cursor: CursorOption = "",
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """What waits for me to sign, longest waiting first / 等待我审核的工单

    Or with --tab: what I asked for, what failed and I may act on, what runs, what I watch, what is over.
    """
    with connect() as api:
        page = lists.fetch(api, "/inbox", Listing((), "", limit, cursor, everything, {"tab": tab.value}))
        counts = {} if as_json else api.get("/inbox/counts")
    lists.show(page, INBOX, as_json=as_json)
    if not as_json:
        others = ", ".join(f"{name} {count}" for name, count in counts.items() if name != tab.value and count)
        if others:
            say(word("其他（--tab）：", "Others (--tab): ") + safe(others))
