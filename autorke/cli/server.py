"""On the server: what acts on an installation's own database, named by AUTORKE_DATABASE_URL."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from autorke.cli.errors import BadUsage
from autorke.cli.options import PasswordOption, secret_line
from autorke.cli.output import safe, say, word
from autorke.core.errors import Unavailable

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from autorke.users.schemas import UserIn

app = typer.Typer(no_args_is_help=True)


class RoleName(str, Enum):
    """The roles of `users.access`, known here without importing the server."""

    VIEWER = "viewer"
    REQUESTER = "requester"
    APPROVER = "approver"
    NETWORK_ADMIN = "network-admin"
    ADMIN = "admin"
    AUDITOR = "auditor"


def _server(command: str) -> None:
    """A command of `python -m autorke`, which the services use too."""
    from autorke.__main__ import COMMANDS
    from autorke.core.settings import get_settings

    with _explained():
        code = COMMANDS[command][1](get_settings())
    raise typer.Exit(code)


@contextmanager
def _explained() -> Iterator[None]:
    """A database that cannot be reached is an error with a remedy, not a traceback. Raises Unavailable."""
    from sqlalchemy.exc import OperationalError

    try:
        yield
    except OperationalError as error:
        raise Unavailable(field="AUTORKE_DATABASE_URL", what="PostgreSQL") from error


@contextmanager
def _transaction() -> Iterator[Session]:
    """On the installation's database. Raises BadUsage when none is named, Unavailable."""
    from autorke.core import db
    from autorke.core.settings import get_settings

    if get_settings().database_url is None:
        raise BadUsage(field="AUTORKE_DATABASE_URL", zh="未设置", en="not set")
    with _explained(), db.transaction() as session:
        yield session


def migrate() -> None:
    """On the server: the newest database schema / 升级数据库结构"""
    _server("migrate")


@app.command("first-admin")
def first_admin() -> None:
    """Make the first admin / 创建首个管理员

    Prints the password. Refused when there are users.
    """
    _server("admin")


@app.command("openapi")
def openapi() -> None:
    """Print the API's OpenAPI document / 输出 OpenAPI 文档"""
    _server("openapi")


@app.command("create-user")
def create_user(
    name: Annotated[str, typer.Argument(help="User name: lower-case letters, digits, . _ @ - / 用户名")],
    role: Annotated[list[RoleName] | None, typer.Option("--role", help="On all clusters; repeat it / 角色")] = None,
    display_name: Annotated[str, typer.Option("--display-name", help="Name that people read / 姓名")] = "",
    password_stdin: PasswordOption = False,
) -> None:
    """Make an account without signing in / 创建用户

    Prints a random password, unless one comes on stdin.
    """
    from autorke.users import service

    made = "" if password_stdin else secrets.token_urlsafe(18)
    asked = _checked(name, display_name or name, made or secret_line())
    fields = asked.model_dump(include={"name", "display_name", "locale"})
    password = asked.password.get_secret_value() if asked.password else None
    with _transaction() as session:
        user = service.create(session, actor=None, **fields, password=password)
        for held in dict.fromkeys(role or ()):
            service.bind(session, user.id, actor=None, role=held.value, cluster_id=None)
    if made:
        typer.echo(made)
    say(word(f"已创建 {safe(name)}", f"Created {safe(name)}"), "green")


def _checked(name: str, display_name: str, password: str) -> UserIn:
    """By the rules of the API. Raises BadUsage; never quotes the password."""
    from pydantic import ValidationError

    from autorke.users.schemas import UserIn

    try:
        return UserIn.model_validate({"name": name, "display_name": display_name, "password": password})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise BadUsage(field=str(first["loc"][0]), zh=first["msg"], en=first["msg"]) from error


@app.command("rotate-keys")
def rotate_keys() -> None:
    """All secrets under the first key of the key file / 更换加密密钥"""
    from autorke.cli.rotation import rotate

    done = sum(rotate(_transaction))
    say(word(f"已重新加密 {done} 项", f"{done} secrets were put under the first key"), "green")
