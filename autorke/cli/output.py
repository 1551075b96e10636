"""What the terminal shows: the person's language, text that cannot act on the terminal, tables, JSON.

Everything that comes from outside (host names, log lines, comments) passes `safe`: control, invisible and direction
characters are spelled out, and rich markup is never parsed.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from autorke.core.errors import AutoRkeError, Text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text as RichText

    from autorke.cli.errors import Refused

JSON_WANTED = "autorke.json"
"""Key in the context's meta: a command was asked for --json, so that refusals are told as JSON too."""
PIPE_WIDTH = 1000

_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_STYLES = {
    "green": "SUCCEEDED DONE APPROVED SKIPPED free in_cluster active ok",
    "red": "FAILED PLAN_FAILED REJECTED UNREACHABLE EXPIRED GATE_CLOSED CANCELLED fault failed refused lost",
    "yellow": "ATTENTION UNKNOWN PARTIAL OPEN PAUSED WAIT_PRE_GATE WAIT_POST_GATE WAIT_CALLBACK reserved",
    "cyan": "RUNNING PLANNING READY ACTIVE QUEUED queued running",
}
STATE_STYLE = {state: style for style, states in _STYLES.items() for state in states.split()}


def language() -> str:
    """`zh` for people whose locale is Chinese, `en` for all others."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def word(zh: str, en: str) -> str:
    """One of the two, in the person's language."""
    return zh if language() == "zh" else en


def words(text: Mapping[str, str] | Text | None) -> str:
    """A text that exists in both languages (as the API sends it), safe to show."""
    if text is None:
        return ""
    both = text.as_json() if isinstance(text, Text) else text
    return safe(both.get(language()) or both.get("en") or "")


def safe(value: object) -> str:
    """One line that cannot act on the terminal: hidden characters spelled out."""
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), str(value))


def dumps(value: Any) -> str:
    """Readable JSON whose strings cannot act on a terminal either."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return _HIDDEN.sub(lambda found: found[0] if found[0] == "\n" else json.dumps(found[0])[1:-1], text)


def print_json(value: Any) -> None:
    typer.echo(dumps(value))


def print_json_line(value: Any) -> None:
    """One JSON document on one line, for streams."""
    typer.echo(json.dumps(value))


def console(*, stderr: bool = False) -> Console:
    """Where rich output goes. In a pipe nothing is wrapped or cut at a width that nobody sees."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False, soft_wrap=False)


def say(text: str, style: str = "") -> None:
    """A sentence to the person, on stderr, so that stdout stays data."""
    console(stderr=True).print(text, style=style or None, soft_wrap=True)


def shown(value: Any) -> str:
    """A JSON value in a cell: times in the local zone, nothing for null."""
    match value:
        case None | "":
            return ""
        case bool():
            return word("是", "yes") if value else word("否", "no")
        case dict():
            return safe(", ".join(f"{key}={item}" for key, item in value.items()))
        case list():
            return safe(", ".join(str(item) for item in value))
        case str():
            return safe(moment(value))
        case _:
            return safe(value)


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def moment(text: str) -> str:
    """An ISO 8601 time in the local zone, to the second; any other text as it is."""
    if not _TIME.fullmatch(text):
        return text
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


Cell = str | Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Column:
    """One column of a table: its heading in both languages, and the key or function that gives a row's cell."""

    title: Text
    cell: Cell

    def of(self, row: Mapping[str, Any]) -> str:
        return shown(row.get(self.cell) if isinstance(self.cell, str) else self.cell(row))


def columns(*specs: tuple[str, str, Cell]) -> tuple[Column, ...]:
    """Columns from (zh, en, cell)."""
    return tuple(Column(Text(zh=zh, en=en), cell) for zh, en, cell in specs)


def styled(text: str) -> RichText:
    """A cell; the names of states have their colour."""
    from rich.text import Text as RichText

    return RichText(text, style=STATE_STYLE.get(text.partition(" ")[0], ""))


def table(rows: Sequence[Mapping[str, Any]], shape: Sequence[Column], title: str = "") -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text as RichText

    made = Table(box=box.SIMPLE_HEAD, title=RichText(title, style="bold") if title else None, title_justify="left")
    for column in shape:
        made.add_column(RichText(words(column.title)), overflow="fold")
    for row in rows:
        made.add_row(*(styled(column.of(row)) for column in shape))
    return made


def print_table(
    rows: Sequence[Mapping[str, Any]], shape: Sequence[Column], title: str = "", *, stderr: bool = False
) -> None:
    console(stderr=stderr).print(table(rows, shape, title))


def print_details(pairs: Sequence[tuple[str, Any]], *, stderr: bool = False) -> None:
    """One object: a name and a value a line; empty values are left out."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    for name, value in pairs:
        text = shown(value)
        if text:
            grid.add_row(styled(name), styled(text))
    console(stderr=stderr).print(grid)


def print_lines(lines: Iterable[str], style: Callable[[str], str] = lambda _line: "", *, stderr: bool = False) -> None:
    """Text as it is, line by line, wrapped by the terminal only."""
    screen = console(stderr=stderr)
    for line in lines:
        screen.print(safe(line.replace("\t", "    ")), style=style(line) or None, soft_wrap=True)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """A spinner while a call takes its time; nothing when nobody looks."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield
        return
    with screen.status(text):
        yield


def explain(error: AutoRkeError | Refused, *, as_json: bool) -> None:
    """A refusal on stderr: field, cause, remedy in the person's language, and each further item; or all as JSON."""
    problem = error.as_json() if isinstance(error, AutoRkeError) else error.problem
    if as_json:
        typer.echo(dumps(problem), err=True)
        return
    field = safe(problem.get("field") or problem.get("code") or "")
    say(f"{field}: {words(problem.get('cause'))}", "red")
    items = problem.get("errors") or []
    for item in items if len(items) > 1 else ():
        say(f"  {safe(item.get('field') or '')}: {words(item.get('cause'))}")
    if words(problem.get("remedy")):
        say(f"→ {words(problem.get('remedy'))}")
