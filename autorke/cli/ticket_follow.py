"""Follow a ticket: its logs as they grow, and its table until it ends or needs somebody."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autorke.cli import resolve
from autorke.cli.client import Api, connect
from autorke.cli.errors import ATTENTION, FAILED, OK
from autorke.cli.events import StreamEvent, follow
from autorke.cli.options import NOTHING, JsonOption, TicketArgument
from autorke.cli.output import console, print_json, print_json_line, safe, say, word
from autorke.cli.ticket_view import (
    ENDED,
    WHOLE,
    matrix,
    needs_somebody,
    node_names,
    print_ticket,
    steps_table,
    waits_for,
)

if TYPE_CHECKING:
    from rich.console import Console

COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green", "bright_magenta")
WAITING = {"WAIT_PRE_GATE", "WAIT_POST_GATE"}


def told(kind: str, body: Mapping[str, Any], number: int) -> str | None:
    """What `logs -f` says of an event between the lines of the log; None for most."""
    if kind == "step.state":
        change = f"{safe(body['step'])}: {safe(body['from'])} → {safe(body['to'])}"
        return f"{change} · autorke ticket approve {number}" if body["to"] in WAITING else change
    if kind in ("ticket.state", "ticket.ended"):
        name = word("工单", "ticket")
        return " · ".join(filter(None, (f"{name}: {safe(body['state'])}", safe(body.get("attention") or ""))))
    return None


def add_to(app: typer.Typer) -> None:
    app.command()(logs)
    app.command()(watch)


@dataclass
class LogPrinter:
    """Prints log text line by line behind `[step node]`, and remembers how much of each stream was printed."""

    names: Mapping[str, str]
    screen: Console
    keep: Callable[[str, str | None], bool]
    number: int = 0
    as_json: bool = False
    offsets: dict[str, int] = field(default_factory=dict)

    def text(self, stream: Mapping[str, Any], text: str, end: int) -> None:
        """Text of one stream that ends at byte `end`."""
        self.offsets[stream["stream_id"]] = end
        if not self.keep(stream["step"], stream["node_id"]):
            return
        if self.as_json:
            about = {key: stream[key] for key in ("stream_id", "step", "attempt_n", "node_id")}
            print_json_line({"event": "log", "data": {**about, "to": end, "text": text}})
            return
        for line in text.removesuffix("\n").split("\n"):
            self._line(stream["step"], stream["node_id"], line)

    def event(self, event: StreamEvent) -> None:
        """An event of the ticket itself: as a JSON line, or the few that help to read the log, told beside it."""
        if self.as_json:
            print_json_line({"event": event.kind, "data": event.data})
        elif line := told(event.data["kind"], event.data["body"], self.number):
            say(f"── {line}", "dim")

    def _line(self, step: str, node_id: str | None, line: str) -> None:
        from rich.text import Text

        who = self.names.get(node_id, node_id) if node_id else WHOLE
        colour = COLOURS[zlib.crc32(who.encode()) % len(COLOURS)]
        shown = Text(f"[{safe(step)} {safe(who)}] ", style=colour)
        shown.append(safe(line.replace("\t", "    ")), style="default")
        self.screen.print(shown, soft_wrap=True)


def logs(
    ticket: TicketArgument,
    following: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the ticket has ended / 持续跟随")
    ] = False,
    node: Annotated[list[str], typer.Option("--node", help="Only this node; repeat it / 节点")] = NOTHING,
    step: Annotated[list[str], typer.Option("--step", help="Only this step; repeat it / 步骤")] = NOTHING,
    as_json: JsonOption = False,
) -> None:
    """Logs, each line with its step and node / 日志"""
    with connect() as api:
        detail = resolve.ticket(api, ticket)
        found = detail["id"]
        nodes = api.get(f"/tickets/{found}/nodes")
        chosen = set(resolve.node_ids(nodes, node))

        def keep(key: str, node_id: str | None) -> bool:
            return (not step or key in step) and (not chosen or node_id in chosen)

        if as_json and not following:
            print_json([row for row in api.get(f"/tickets/{found}/logs") if keep(row["step"], row["node_id"])])
            return
        printer = LogPrinter(node_names(nodes), console(), keep, detail["number"], as_json)
        for event in follow(api, found, logs=True) if following else ():
            if event.kind == "log":
                printer.text(event.data, event.data["text"], event.data["to"])
                continue
            printer.event(event)
            if event.data["kind"] == "ticket.ended":
                break  # what was written last may still be on its way: it is read by offset below
        _print_rest(api, found, printer)


def _print_rest(api: Api, ticket_id: str, printer: LogPrinter) -> None:
    """Every stream from where it was printed to, in the order of steps and attempts."""
    for stream in api.get(f"/tickets/{ticket_id}/logs"):
        if not printer.keep(stream["step"], stream["node_id"]):
            continue
        for text, end in _whole(api, ticket_id, stream["id"], printer.offsets.get(stream["id"], 0)):
            printer.text({**stream, "stream_id": stream["id"]}, text, end)


def _whole(api: Api, ticket_id: str, stream_id: str, offset: int) -> Iterator[tuple[str, int]]:
    """(whole lines, where they end) from an offset on; the last piece may lack its line end."""
    rest = b""
    while True:
        answer = api.raw("GET", f"/tickets/{ticket_id}/logs/{stream_id}", query={"from": offset})
        offset = int(answer.headers["X-Next-Offset"])
        if not answer.content:
            break
        lines, end, rest = (rest + answer.content).rpartition(b"\n")
        if end:
            yield lines.decode("utf-8", "replace"), offset - len(rest)
    if rest:
        yield rest.decode("utf-8", "replace"), offset


def watch(ticket: TicketArgument, as_json: JsonOption = False) -> None:
    """Show it until it ends or needs somebody / 实时查看

    Exit code 0: succeeded, 1: ended otherwise, 7: somebody must act.
    """
    with connect() as api:
        found = resolve.ticket_id(api, ticket)
        with _display(as_json=as_json) as show:
            for detail, nodes in _views(api, found):
                show(detail, nodes)
                if detail["state"] in ENDED or needs_somebody(detail):
                    break
    if as_json:
        print_json({**detail, "nodes": nodes})
    else:
        print_ticket(detail, nodes)
    raise typer.Exit(verdict(detail))


def verdict(detail: Mapping[str, Any]) -> int:
    """The exit code that says how the ticket stands."""
    if detail["state"] not in ENDED:
        return ATTENTION
    return OK if detail["state"] == "SUCCEEDED" else FAILED


View = tuple[dict[str, Any], list[dict[str, Any]]]


def _views(api: Api, ticket_id: str) -> Iterator[View]:
    """The ticket as it is, and again after each event that it does not show yet."""
    detail = api.get(f"/tickets/{ticket_id}")
    yield detail, api.get(f"/tickets/{ticket_id}/nodes")
    for event in follow(api, ticket_id, logs=False):
        if event.data["seq"] >= detail["next_seq"]:
            detail = api.get(f"/tickets/{ticket_id}")
            yield detail, api.get(f"/tickets/{ticket_id}/nodes")


@contextmanager
def _display(*, as_json: bool) -> Iterator[Callable[[dict[str, Any], Sequence[Mapping[str, Any]]], None]]:
    """A table that changes in place on a terminal; elsewhere one line for each change of a step."""
    screen = console(stderr=True)
    if as_json or not screen.is_terminal:
        told: dict[str, str] = {}

        def tell(detail: dict[str, Any], _nodes: Sequence[Mapping[str, Any]]) -> None:
            for step in detail["steps"]:
                if told.get(step["key"]) != step["state"]:
                    told[step["key"]] = step["state"]
                    say(f"{safe(step['key'])}: {step['state']}")

        yield tell
        return
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    with Live(console=screen, transient=True, auto_refresh=False) as live:

        def show(detail: dict[str, Any], nodes: Sequence[Mapping[str, Any]]) -> None:
            reasons = [Text(f"· {reason}") for reason in waits_for(detail, nodes)]
            title = Text(word("工单", "Ticket") + f" {detail['number']} {safe(detail['summary'])} {detail['state']}")
            live.update(Group(title, steps_table(detail), matrix(detail, nodes), *reasons), refresh=True)

        yield show
