"""Sign in and out, and one's API tokens."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from autorke.cli import profile
from autorke.cli.client import Api, connect
from autorke.cli.errors import BadUsage, NoSuchThing, Refused
from autorke.cli.options import NOTHING, JsonOption, PasswordOption, password, secret_line
from autorke.cli.output import columns, print_details, print_json, print_table, safe, say, word
from autorke.cli.profile import Profile
from autorke.cli.resolve import is_id

TOKEN_DAYS = 90
LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")

token_app = typer.Typer(no_args_is_help=True)

TOKENS = columns(
    ("名称", "Name", "name"),
    ("权限", "Scopes", lambda row: row["scopes"] or word("全部", "all")),
    ("创建", "Created", "created_at"),
    ("最近使用", "Last used", "last_used_at"),
    ("过期", "Expires", "expires_at"),
    ("编号", "Id", "id"),
)

UrlArgument = Annotated[str, typer.Argument(help="Where AutoRke is / 地址", metavar="URL", show_default=False)]
UserOption = Annotated[str, typer.Option("--user", "-u", help="Your user name / 用户名")]
DaysOption = Annotated[int, typer.Option(min=1, max=3650, help="Days until the token expires / 有效天数")]


def add_to(app: typer.Typer) -> None:
    """The commands that stand by themselves: login, logout, whoami."""
    for command in (login, logout, whoami):
        app.command()(command)


def login(
    url: UrlArgument = "",
    user: UserOption = "",
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Use a token from stdin / 从标准输入读取令牌")
    ] = False,
    password_stdin: PasswordOption = False,
    days: DaysOption = TOKEN_DAYS,
    as_json: JsonOption = False,
) -> None:
    """Sign in and keep a token / 登录

    Makes an API token named after this machine and account, and keeps it in a file that only you can read.
    """
    address = profile.clean_url(url) if url else profile.usual_url()
    if address.startswith("http://") and not address.startswith(LOOPBACK):
        warning = "Warning: without https, others on the way can read your sign-in"
        say(word("警告：未加密的连接会泄露密码和令牌", warning), "yellow")
    if token_stdin:
        kept = Profile(url=address, token=secret_line())
    else:
        name = user or typer.prompt(word("用户名", "User"), err=True)
        kept = _new_profile(address, name, password(from_stdin=password_stdin), days)
    with Api(kept.url, kept.token) as api:
        me = api.get("/me")
    profile.keep(Profile(kept.url, kept.token, me["name"], kept.token_id))
    if as_json:
        print_json(me)
        return
    say(word(f"已登录 {address}：{safe(me['name'])}", f"Signed in to {address} as {safe(me['name'])}"), "green")


def _new_profile(url: str, user: str, secret: str, days: int) -> Profile:
    """A token named after this machine and account, in place of the one that an earlier login made here."""
    name = f"cli {getpass.getuser()}@{socket.gethostname()}"[:64]
    with signed_in(url, user, secret) as api:
        for old in api.items("/me/tokens", filter=f"name:eq:{name}"):
            api.call("DELETE", f"/me/tokens/{old['id']}")
        made = api.post("/me/tokens", {"name": name, "expires_at": _in_days(days)})
    return Profile(url=url, token=made["token"], user=user, token_id=made["id"])


@contextmanager
def signed_in(url: str, user: str, secret: str) -> Iterator[Api]:
    """A short session with a password, as some things ask for one; it is closed at the end. Raises Refused."""
    with Api(url) as api:
        api.post("/session", {"name": user, "password": secret})
        api.http.headers["X-CSRF-Token"] = api.http.cookies.get("autorke_csrf") or ""
        try:
            yield api
        finally:
            api.call("DELETE", "/session")


def _in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def logout() -> None:
    """Revoke this machine's token and forget it / 退出登录"""
    kept = profile.stored()
    if kept is None:
        say(word("没有登录", "Nobody is signed in"))
        return
    profile.forget()  # first: whatever the server says, this machine no longer has it
    if kept.token_id:
        with Api(kept.url, kept.token) as api:
            try:
                api.call("DELETE", f"/me/tokens/{kept.token_id}")
            except Refused as error:
                if error.status not in (401, 404):  # expired or revoked already
                    raise
    say(word("已退出", "Signed out"), "green")


def whoami(as_json: JsonOption = False) -> None:
    """Who am I, and what may I do / 我是谁，有哪些权限"""
    with connect() as api:
        me = api.get("/me")
        if as_json:
            print_json(me)
            return
        roles = [_role(binding) for binding in me["bindings"]]
        pairs: list[tuple[str, Any]] = [
            (word("用户", "User"), me["name"]),
            (word("姓名", "Name"), me["display_name"]),
            (word("地址", "Address"), api.url),
            (word("角色", "Roles"), roles),
            (word("权限", "Permissions"), sorted(me["permissions"])),
        ]
        print_details(pairs)


def _role(binding: dict[str, Any]) -> str:
    where = binding["cluster_id"]
    return f"{binding['role']} ({where})" if where else str(binding["role"])


@token_app.command("list")
def list_tokens(as_json: JsonOption = False) -> None:
    """Your tokens, without their text / 列出令牌"""
    with connect() as api:
        found = list(api.items("/me/tokens"))
    if as_json:
        print_json({"items": found, "next": None, "total": len(found)})
        return
    print_table(found, TOKENS)


@token_app.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="A name for it / 名称")],
    days: DaysOption = TOKEN_DAYS,
    scope: Annotated[list[str], typer.Option("--scope", help="Only this permission; repeat it / 仅限该权限")] = NOTHING,
    password_stdin: PasswordOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it, this once / 新建令牌

    Asks for your password, because a token makes no tokens.
    """
    with connect() as api:
        user = api.get("/me")["name"]
        url = api.url
    with signed_in(url, user, password(from_stdin=password_stdin)) as api:
        made = api.post("/me/tokens", {"name": name, "expires_at": _in_days(days), "scopes": scope or None})
    if as_json:
        print_json(made)
        return
    typer.echo(made["token"])
    say(word("请立即保存，之后不再显示", "Keep it now: it is not shown again"))


@token_app.command("revoke")
def revoke_token(token: Annotated[str, typer.Argument(help="Its name or id / 名称或编号")]) -> None:
    """Revoke a token; it counts at once / 吊销令牌"""
    if not token.strip():
        raise BadUsage(field="TOKEN", zh="缺少名称", en="a name or id is needed")
    with connect() as api:
        found = [row for row in api.items("/me/tokens") if token in (row["name"], row["id"])]
        if not found and not is_id(token):
            raise NoSuchThing(field="TOKEN", what=word("令牌", "token"), key=token)
        api.call("DELETE", f"/me/tokens/{found[0]['id'] if found else token}")
    say(word(f"已吊销 {safe(token)}", f"Revoked {safe(token)}"), "green")
