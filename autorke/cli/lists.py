"""Lists: the options that every list takes, one page or all of it, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from autorke.cli.client import PAGE_LIMIT, Api
from autorke.cli.errors import BadUsage
from autorke.cli.output import Column, console, print_json, print_table, safe, say, word
from autorke.core.errors import Text

FilterOption = Annotated[
    list[str], typer.Option("--filter", "-f", help="column:operator:value, e.g. rack:prefix:B1; repeat it / 过滤")
]
SortOption = Annotated[str, typer.Option("--sort", help="Columns, comma separated; -column sorts down / 排序")]
ColumnsOption = Annotated[str, typer.Option("--columns", "-c", help="Columns to show, comma separated / 显示的列")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=PAGE_LIMIT, help="Rows of one page / 每页行数")]
CursorOption = Annotated[str, typer.Option("--cursor", help="Go on after a page that said so / 翻页标记")]
AllOption = Annotated[bool, typer.Option("--all", help="Every page / 全部")]


@dataclass(frozen=True)
class Listing:
    """What the person asked of a list."""

    filters: Sequence[str] = ()
    sort: str = ""
    limit: int = 50
    cursor: str = ""
    everything: bool = False
    also: Mapping[str, str] = field(default_factory=dict)
    """Parameters that this list takes besides."""

    def query(self) -> dict[str, Any]:
        return {**self.also, "filter": list(self.filters) or None, "sort": self.sort or None}


def fetch(api: Api, path: str, listing: Listing) -> dict[str, Any]:
    """One page as the API gives it, or all pages as one, with a bar while they come."""
    if not listing.everything:
        page: dict[str, Any] = api.get(path, **listing.query(), limit=listing.limit, cursor=listing.cursor or None)
        return page
    first = api.get(path, **listing.query(), limit=PAGE_LIMIT, total=True)
    items, cursor = list(first["items"]), first["next"]
    screen = console(stderr=True)
    if cursor is not None and screen.is_terminal:
        return _with_bar(api, path, listing, first)
    while cursor is not None:
        page = api.get(path, **listing.query(), limit=PAGE_LIMIT, cursor=cursor)
        items += page["items"]
        cursor = page["next"]
    return {"items": items, "next": None, "total": len(items)}


def _with_bar(api: Api, path: str, listing: Listing, first: dict[str, Any]) -> dict[str, Any]:
    from rich.progress import Progress

    items, cursor = list(first["items"]), first["next"]
    with Progress(console=console(stderr=True), transient=True) as progress:
        bar = progress.add_task(word("读取", "reading"), total=first["total"], completed=len(items))
        while cursor is not None:
            page = api.get(path, **listing.query(), limit=PAGE_LIMIT, cursor=cursor)
            items += page["items"]
            cursor = page["next"]
            progress.update(bar, completed=len(items))
    return {"items": items, "next": None, "total": len(items)}


def show(page: dict[str, Any], shape: Sequence[Column], *, as_json: bool) -> None:
    """The page as a table, with the way to the next one on stderr; or as JSON."""
    if as_json:
        print_json(page)
        return
    print_table(page["items"], shape)
    if page["next"]:
        say(word("还有更多：--all，或 --cursor ", "There is more: --all, or --cursor ") + safe(page["next"]))


def chosen(names: str, usual: Sequence[Column], known: Sequence[str]) -> Sequence[Column]:
    """The columns that the person named, or the usual ones. Raises BadUsage naming those there are."""
    if not names:
        return usual
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        there = ", ".join(known)
        raise BadUsage(field="--columns", zh=f"没有列 {', '.join(unknown)}；可用：{there}", en=f"columns are: {there}")
    by_key = {column.cell: column for column in usual if isinstance(column.cell, str)}
    return [by_key.get(name) or Column(Text(zh=name, en=name), name) for name in wanted]
