"""Options and arguments that many commands share, and how a file or a secret comes in."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from autorke.cli.errors import BadUsage, FileUnreadable
from autorke.cli.output import JSON_WANTED, word

NOTHING: list[str] = []
"""The default of options that may be repeated; nobody changes it."""


def _note_json(context: typer.Context, wanted: bool) -> bool:
    context.meta[JSON_WANTED] = wanted
    return wanted


JsonOption = Annotated[
    bool, typer.Option("--json", callback=_note_json, help="Print the API's JSON / 输出 API 的 JSON")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask / 不询问")]
TicketArgument = Annotated[str, typer.Argument(help="Number or id of the ticket / 工单号", metavar="TICKET")]
ClusterArgument = Annotated[str, typer.Argument(help="Name or id of the cluster / 集群", metavar="CLUSTER")]
PasswordOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from stdin / 从标准输入读取密码")
]


def read_file(path: str) -> str:
    """The text of a file, or of stdin for `-`. Raises FileUnreadable."""
    try:
        return sys.stdin.read() if path == "-" else Path(path).expanduser().read_bytes().decode()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or word("不是 UTF-8 文本", "not UTF-8 text")
        raise FileUnreadable(field=path, file=path, reason=reason) from error


def read_json(path: str) -> dict[str, Any]:
    """The JSON object in a file, or in stdin for `-`. Raises FileUnreadable, BadUsage."""
    try:
        document = json.loads(read_file(path))
    except ValueError as error:
        raise BadUsage(field=path, zh=f"不是 JSON：{error}", en=f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise BadUsage(field=path, zh="应为 JSON 对象", en="a JSON object expected")
    return document


def secret_line() -> str:
    """One line of stdin, as a script gives a password. Raises BadUsage when there is none."""
    text = sys.stdin.readline().rstrip("\r\n")
    if not text:
        raise BadUsage(field="stdin", zh="标准输入为空", en="nothing on stdin")
    return text


def password(*, from_stdin: bool) -> str:
    """A password from stdin, or typed in without being shown; never from the command line."""
    if from_stdin:
        return secret_line()
    typed: str = typer.prompt(word("密码", "Password"), hide_input=True, err=True)
    return typed


def agree(question: str, *, yes: bool) -> None:
    """Go on only when the person says yes; otherwise the command ends with exit code 1.

    Raises BadUsage where nobody is there to answer, as in a script that lacks --yes.
    """
    try:
        if not yes and not typer.confirm(question, err=True):
            raise typer.Exit(1)
    except typer.Abort as error:
        typer.echo(err=True)
        raise BadUsage(
            field="--yes", zh="没有得到回答；脚本中请加 --yes", en="nobody answered; a script says --yes"
        ) from error


def pairs(given: list[str], option: str) -> dict[str, str]:
    """`key=value` texts as a mapping. Raises BadUsage."""
    found: dict[str, str] = {}
    for text in given:
        key, sign, value = text.partition("=")
        if not sign or not key or key in found:
            raise BadUsage(
                field=option, zh=f"应为 键=值，且不重复：{text}", en=f"key=value expected, each key once: {text}"
            )
        found[key] = value
    return found
