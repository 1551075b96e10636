"""Flows: the standard changes, each with all its steps."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from autorke.cli.client import Api, connect
from autorke.cli.errors import NoSuchThing
from autorke.cli.options import JsonOption
from autorke.cli.output import columns, print_details, print_json, print_table, word, words

app = typer.Typer(no_args_is_help=True)

FLOWS = columns(
    ("名称", "Name", "name"),
    ("标题", "Title", lambda flow: words(flow["title"])),
    ("版本", "Version", "version"),
    ("步骤", "Steps", lambda flow: " → ".join(step["key"] for step in flow["steps"])),
)
STEPS = columns(
    ("步骤", "Step", "key"),
    ("标题", "Title", lambda step: words(step["title"])),
    ("做什么", "Does", lambda step: words(step["does"])),
    ("影响", "Effect", "effect"),
    ("单位", "Unit", "unit"),
    ("审核权限", "Gate asks for", "permission"),
    ("限时（秒）", "Timeout (s)", "timeout_s"),
)
FIELDS = columns(
    ("字段", "Field", "name"), ("必填", "Needed", "needed"), ("默认", "Default", "default"), ("说明", "About", "about")
)


@app.command("list")
def list_flows(as_json: JsonOption = False) -> None:
    """Every flow / 列出流程"""
    with connect() as api:
        found = api.get("/flows")
    if as_json:
        print_json(found)
        return
    print_table(found, FLOWS)


@app.command("show")
def show_flow(
    name: Annotated[str, typer.Argument(help="Name of the flow / 流程名称", metavar="FLOW")],
    as_json: JsonOption = False,
) -> None:
    """A flow's steps and the form it takes / 流程详情"""
    with connect() as api:
        flow = find(api, name)
    if as_json:
        print_json(flow)
        return
    print_details(
        [
            (word("流程", "Flow"), flow["name"]),
            (word("标题", "Title"), words(flow["title"])),
            (word("版本", "Version"), flow["version"]),
        ]
    )
    print_table(flow["steps"], STEPS)
    print_table(_fields(flow["request_schema"]), FIELDS, word("表单", "Form"))


def find(api: Api, name: str) -> dict[str, Any]:
    """A flow by name. Raises NoSuchThing."""
    for flow in api.get("/flows"):
        if flow["name"] == name:
            found: dict[str, Any] = flow
            return found
    raise NoSuchThing(field="FLOW", what=word("流程", "flow"), key=name)


def _fields(schema: dict[str, Any]) -> list[dict[str, Any]]:
    needed = schema.get("required", [])
    return [
        {"name": name, "needed": name in needed, "default": _default(field), "about": field.get("description", "")}
        for name, field in schema.get("properties", {}).items()
    ]


def _default(field: dict[str, Any]) -> str:
    return "" if field.get("default") in (None, {}, []) else str(field["default"])
