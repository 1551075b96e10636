"""Credentials: a secret comes from a file, from stdin, or typed in unseen; never from the command line."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import typer

from autorke.cli.client import connect
from autorke.cli.errors import BadUsage
from autorke.cli.options import JsonOption, read_file
from autorke.cli.output import columns, print_details, print_json, print_table, word

app = typer.Typer(no_args_is_help=True)

SHAPE = columns(
    ("名称", "Name", "name"),
    ("类型", "Kind", "kind"),
    ("用户", "User", lambda row: row["public"].get("user") or row["public"].get("username")),
    ("指纹", "Fingerprint", lambda row: row["public"].get("fingerprint") or row["public"].get("ca_fingerprint")),
    ("版本", "Version", "version"),
    ("最近使用", "Last used", "used_at"),
    ("备注", "Note", "note"),
)


class Kind(str, Enum):
    """What `credential add` takes, as it is typed."""

    SSH_KEY = "ssh-key"
    SSH_PASSWORD = "ssh-password"  # noqa: S105
    KUBECONFIG = "kubeconfig"
    REGISTRY = "registry"
    TOKEN = "token"  # noqa: S105
    PASSWORD = "password"  # noqa: S105


SECRET_FIELD = {
    Kind.SSH_KEY: "private_key",
    Kind.SSH_PASSWORD: "password",
    Kind.KUBECONFIG: "kubeconfig",
    Kind.REGISTRY: "password",
    Kind.TOKEN: "token",
    Kind.PASSWORD: "password",
}
FILES = (Kind.SSH_KEY, Kind.KUBECONFIG)
USER_FIELD = {Kind.SSH_KEY: "user", Kind.SSH_PASSWORD: "user", Kind.REGISTRY: "username", Kind.PASSWORD: "username"}


@app.command("add")
def add(
    kind: Annotated[Kind, typer.Argument(help="What kind of secret / 类型")],
    name: Annotated[str, typer.Argument(help="A name for it / 名称")],
    source: Annotated[
        str, typer.Option("--from", help="File that holds the secret, - for stdin / 文件或标准输入")
    ] = "",
    user: Annotated[str, typer.Option("--user", "-u", help="User name that goes with it / 用户名")] = "",
    url: Annotated[str, typer.Option("--url", help="Of a registry / 镜像仓库地址")] = "",
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Ask for the key's passphrase / 询问私钥口令")
    ] = False,
    become: Annotated[
        bool, typer.Option("--become-password", help="Ask for the password that sudo wants / 询问 sudo 密码")
    ] = False,
    note: Annotated[str, typer.Option("--note", help="A note / 备注")] = "",
    as_json: JsonOption = False,
) -> None:
    """Store a secret / 添加凭据

    It is encrypted, and never shown again. It comes from a file, from stdin, or is typed in unseen.
    """
    secret: dict[str, Any] = {"kind": kind.value.replace("-", "_"), SECRET_FIELD[kind]: _secret(kind, source)}
    if kind in USER_FIELD and (user or kind is not Kind.PASSWORD):
        secret[USER_FIELD[kind]] = user or typer.prompt(word("用户名", "User"), err=True)
    if kind is Kind.REGISTRY:
        secret["url"] = url or typer.prompt(word("仓库地址", "Registry"), err=True)
    if kind is Kind.SSH_KEY and passphrase:
        secret["passphrase"] = _typed(word("私钥口令", "Passphrase"))
    if kind in (Kind.SSH_KEY, Kind.SSH_PASSWORD) and become:
        secret["become_password"] = _typed(word("sudo 密码", "Password of sudo"))
    with connect() as api:
        made = api.post("/credentials", {"name": name, "note": note, "secret": secret})
    if as_json:
        print_json(made)
        return
    print_details([("id", made["id"]), (word("名称", "Name"), made["name"]), *made["public"].items()])


def _secret(kind: Kind, source: str) -> str:
    if source:
        text = read_file(source)
        return text if kind in FILES else text.rstrip("\r\n")
    if kind in FILES:
        raise BadUsage(field="--from", zh="用 --from 指定文件，- 为标准输入", en="name a file with --from, - for stdin")
    return _typed(word("密钥内容", "Secret"))


def _typed(what: str) -> str:
    typed: str = typer.prompt(what, hide_input=True, err=True)
    return typed


@app.command("list")
def list_credentials(as_json: JsonOption = False) -> None:
    """What there is, without the secrets / 列出凭据"""
    with connect() as api:
        found = list(api.items("/credentials"))
    if as_json:
        print_json({"items": found, "next": None, "total": len(found)})
        return
    print_table(found, SHAPE)
