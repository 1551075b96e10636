"""A plan on the terminal: targets, problems, diff, checks, containers, playbook; and what is left, as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autorke.cli.output import columns, dumps, print_details, print_lines, print_table, safe, shown, word, words
from autorke.cli.ticket_view import HASH_SHOWN, WHOLE

PROBLEMS = columns(
    ("级别", "Level", lambda problem: word("阻断", "blocking") if problem["blocking"] else word("提示", "note")),
    ("节点", "Node", lambda problem: problem["node"] or word("（整个工单）", "(whole ticket)")),
    ("校验", "Check", "code"),
    ("发现", "Seen", lambda problem: words(problem["seen"])),
    ("建议", "Remedy", lambda problem: words(problem["remedy"])),
)
TARGETS = columns(
    ("主机名", "Host name", "hostname"),
    ("地址", "Address", "address"),
    ("内网地址", "Internal", "internal_address"),
    ("序列号", "Serial", "sn"),
    ("标签", "Labels", "labels"),
    ("污点", "Taints", lambda target: [f"{t['key']}={t['value']}:{t['effect']}" for t in target["taints"]]),
)
CONTAINERS = columns(
    ("次序", "Order", "order"), ("容器", "Container", "name"), ("镜像", "Image", lambda it: it["create"].get("Image"))
)
CHECKS = columns(
    ("校验", "Check", "id"), ("内容", "About", lambda check: words(check["title"])), ("依据", "Source", "source")
)
MACHINES = columns(("机器", "Machine", "name"), ("地址", "Address", "address"), ("GPU", "GPU", "gpu"))
DIFF_STYLE = {"+": "green", "-": "red", "@": "cyan"}


def print_diff(lines: Sequence[str], *, most: int | None, stderr: bool = False) -> None:
    """A unified diff in its colours; at most `most` lines of it."""
    cut = lines if most is None else lines[:most]
    print_lines(cut, lambda line: DIFF_STYLE.get(line[:1], ""), stderr=stderr)
    if len(cut) < len(lines):
        left = len(lines) - len(cut)
        print_lines([word(f"… 还有 {left} 行", f"… {left} more lines")], stderr=stderr)


def diff_size(lines: Sequence[str]) -> str:
    """`+12 -3`: lines that are added and removed."""
    kinds = Counter(line[:1] for line in lines if not line.startswith(("+++", "---")))
    return f"+{kinds['+']} -{kinds['-']}"


def print_problems(problems: Sequence[Mapping[str, Any]], *, stderr: bool = False) -> None:
    if problems:
        print_table(problems, PROBLEMS, word("问题", "Problems"), stderr=stderr)


def print_plan(plan: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """The whole plan of a step. `names` are the ticket's nodes by id."""
    body = plan["body"]
    print_details(plan_head(plan, names))
    print_problems(plan["problems"])
    if plan["superseded_at"]:
        print_lines([word("已被取代：", "superseded: ") + dumps(plan["superseded_reason"])])
    rest = dict(body["plan"])
    for key, show in PARTS.items():
        if rest.get(key):
            _show_part(key, show, rest.pop(key))
    plain = {key: value for key, value in rest.items() if not isinstance(value, dict | list)}
    print_details(list(plain.items()))
    deep = {key: value for key, value in rest.items() if key not in plain and value}
    if deep:
        print_lines(dumps(deep).split("\n"))


def _show_part(key: str, show: Callable[[Any], None], value: Any) -> None:
    try:
        show(value)
    except (KeyError, TypeError, AttributeError):  # a flow that gives this name another shape
        print_lines(dumps({key: value}).split("\n"))


def plan_head(plan: Mapping[str, Any], names: Mapping[str, str]) -> list[tuple[str, Any]]:
    known = {**names, WHOLE: word("（整个工单）", "(whole ticket)")}
    return [
        (word("步骤", "Step"), f"{plan['step']} · {word('第', 'round ')}{plan['round']}{word('轮', '')}"),
        (word("哈希", "Hash"), plan["plan_hash"][:HASH_SHOWN]),
        (word("时间", "Made"), plan["created_at"]),
        (word("目标", "Targets"), [known.get(node, node) for node in plan["body"]["nodes"]]),
    ]


def _diff(lines: Any) -> None:
    print_lines([word("配置差异 ", "Config diff ") + diff_size(lines)])
    print_diff(lines, most=None)


def _targets(targets: Any) -> None:
    if all(isinstance(target, dict) and "hostname" in target for target in targets):
        print_table(targets, TARGETS, word("目标", "Targets"))
    else:
        print_lines([word("目标：", "Targets: ") + shown(targets)])


def _checks(checks: Any) -> None:
    if isinstance(checks, list):
        print_table(checks, CHECKS, word("将执行的校验", "Checks to be made"))
        return
    print_lines([word("校验：", "Checks: ") + check_counts(checks)])


def check_counts(checks: Any) -> str:
    """`127 ok, 1 warning`: how the checks of a plan came out; empty for a plan that made none."""
    if not isinstance(checks, dict):
        return ""
    levels = Counter(result["level"] for result in checks["results"])
    return ", ".join(f"{count} {level}" for level, count in sorted(levels.items()))


def _nodes(nodes: Any) -> None:
    """What joining each node makes: images, files, containers, labels and taints."""
    for name, made in nodes.items():
        if not isinstance(made, dict) or "containers" not in made:
            print_lines(dumps({name: made}).split("\n"))
            continue
        print_table(made["containers"], CONTAINERS, f"{safe(name)} · {word('容器', 'containers')}")
        images = [image["name"] for image in made["images"]]
        marks = made.get("node_object", {})
        more = [
            (word("镜像", "Images"), images),
            (word("证书", "Certificates"), made["certificates"]),
            (word("文件", "Files"), [file["path"] for file in made["files"]]),
            (word("标签", "Labels"), marks.get("labels")),
            (word("污点", "Taints"), marks.get("taints")),
        ]
        print_details([(key, value) for key, value in more if value])


def _machines(machines: Any) -> None:
    if all(isinstance(machine, dict) for machine in machines):
        print_table(machines, MACHINES, word("机器", "Machines"))
    else:
        print_lines([word("机器：", "Machines: ") + shown(machines)])


def _tasks(tasks: Any) -> None:
    lines = [" · ".join(part for part in (task["role"], task["task"]) if part) for task in tasks]
    print_lines([word("任务：", "Tasks:"), *(f"  {number}. {line}" for number, line in enumerate(lines, start=1))])


PARTS: dict[str, Callable[[Any], None]] = {
    "targets": _targets,
    "machines": _machines,
    "diff": _diff,
    "checks": _checks,
    "tasks": _tasks,
    "nodes": _nodes,
}
"""Parts of the plans that are shown better than as JSON, in the order of reading."""
