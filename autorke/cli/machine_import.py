"""`machine import`: a file of this computer, sent with its content; shown as it would become, then written whole."""

from __future__ import annotations

import re
import sys
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

import typer

from autorke.cli import resolve
from autorke.cli.client import Api, connect
from autorke.cli.cmdb import MachineCredentialOption, MachineUserOption
from autorke.cli.errors import BadUsage, FileUnreadable
from autorke.cli.options import NOTHING, JsonOption, YesOption, agree, pairs
from autorke.cli.output import columns, print_json, print_table, safe, say, waiting, word

MOST_BYTES = 8_000_000
"""As much as the API takes in one request; a larger inventory is a CMDB source of its own."""
COUNTS = columns(
    ("收到", "Received", "received"),
    ("新增", "New", "created"),
    ("变更", "Changed", "changed"),
    ("未变", "Unchanged", "unchanged"),
    ("回归", "Returned", "returned"),
    ("消失", "Vanished", "vanished"),
    ("冲突", "Conflicts", "conflicts"),
)


class FileTooLarge(BadUsage):
    code = "file-too-large"


def import_machines(
    file: Annotated[
        str, typer.Argument(help="CSV or JSON file on this computer, - for stdin / 本机文件", metavar="FILE")
    ],
    name: Annotated[
        str, typer.Option("--name", help="What the list is called; from the file's name by default / 名称")
    ] = "",
    mapping: Annotated[
        list[str], typer.Option("--map", help="field=column, where they differ; repeat it / 映射")
    ] = NOTHING,
    delimiter: Annotated[str, typer.Option(help="Of a CSV file / 分隔符")] = ",",
    encoding: Annotated[str, typer.Option(help="utf-8, gb18030, … / 编码")] = "utf-8",
    items: Annotated[str, typer.Option(help="Where the list is in a JSON file, e.g. data.hosts / 列表路径")] = "",
    machine_credential: MachineCredentialOption = "",
    machine_ssh_user: MachineUserOption = "",
    accept_drop: Annotated[
        bool, typer.Option("--accept-drop", help="Let any number of machines vanish / 允许大量消失")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Machines from a CSV or JSON file / 从文件导入机器

    Columns named like a field are taken: cmdb_id (or sn), sn, hostname, address are needed. All rows are written, or,
    when one of them is bad, none. Importing a list again under its name updates it; machines it no longer holds are
    marked vanished, never deleted.
    """
    kind, text = _content(file, encoding)
    asked: dict[str, Any] = {"name": name or _list_name(file), "text": text, "mapping": pairs(mapping, "--map")}
    asked["format"] = {"kind": kind, "items": items} if kind == "json" else {"kind": kind, "delimiter": delimiter}
    asked |= {"accept_drop": accept_drop} | ({"machine_ssh_user": machine_ssh_user} if machine_ssh_user else {})
    with connect() as api:
        if machine_credential:
            asked["machine_credential_id"] = resolve.credential_id(api, machine_credential)
        done = _after_a_look(api, asked, yes=yes)
    if as_json:
        print_json(done)
        return
    print_table([done["counts"]], COUNTS)


def _after_a_look(api: Api, asked: dict[str, Any], *, yes: bool) -> Any:
    """Import what the person has seen and agreed to; `yes` = he agrees unseen."""
    if not yes:
        with waiting(word("核对中", "checking")):
            would = api.post("/cmdb/imports", {**asked, "dry_run": True})
        _show(would)
        agree(word("导入？", "Import?"), yes=False)
    with waiting(word("导入中", "importing")):
        return api.post("/cmdb/imports", asked)


def _show(would: dict[str, Any]) -> None:
    """What the first rows become, which columns nobody asked for, and what would change."""
    say(word("前几行会成为：", "The first rows become:"))
    shape = columns(*((field, field, field) for field in sorted(would["columns"])))
    print_table([machine["values"] for machine in would["machines"]], shape)
    if would["ignored"]:
        listed = ", ".join(map(safe, would["ignored"]))
        say(word(f"不使用的列：{listed}", f"Columns that are not used: {listed}"), "yellow")
    print_table([would["counts"]], COUNTS, word("将会", "It would make"))


def _list_name(file: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", PurePath(file).stem.lower()).strip("-")[:50].strip("-") or "file"


def _content(file: str, encoding: str) -> tuple[Literal["csv", "json"], str]:
    """Kind and text of the file. Raises FileUnreadable, FileTooLarge, BadUsage."""
    try:
        if file == "-":
            data = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(file).expanduser().open("rb") as opened:
                data = opened.read(MOST_BYTES + 1)
        text = data.decode("utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding)
    except OSError as error:
        raise FileUnreadable(field=file, file=file, reason=error.strerror) from error
    except UnicodeDecodeError as error:
        reason = word(f"第 {error.start} 字节不是 {encoding}", f"not {encoding} at byte {error.start}")
        raise FileUnreadable(field="--encoding", file=file, reason=reason) from error
    except LookupError as error:
        raise BadUsage(field="--encoding", zh=f"没有编码 {encoding}", en=f"no such encoding: {encoding}") from error
    if len(data) > MOST_BYTES:
        raise FileTooLarge(
            field=file,
            zh=f"文件超过 {MOST_BYTES} 字节；请拆分，或配置为 CMDB 来源",
            en=f"larger than {MOST_BYTES} bytes; split it, or make it a CMDB source",
        )
    is_json = file.lower().endswith(".json") or (file == "-" and text.lstrip()[:1] in ("{", "["))
    return ("json" if is_json else "csv"), text
