"""Tickets on the command line: create, list, show, plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autorke.cli import ticket as ticket_module
from autorke.cli.client import Api
from autorke.cli.errors import Unreachable
from autorke.cli.plan_view import print_plan
from autorke.core import db
from autorke.core.errors import Text
from autorke.workflow.definition import Problem
from tests.cli.site import Person, Site
from tests.clusters.make import kubeconfig, text
from tests.machines.make import machine
from tests.workflow.toy import WORLD, World


@pytest.fixture
def cluster(admin: Person, tmp_path: Path) -> str:
    """A cluster and two free machines."""
    for name, body in (("yml", text("cluster.yml")), ("state", text("cluster.rkestate")), ("kube", kubeconfig())):
        (tmp_path / name).write_text(body)
    files = {name: str(tmp_path / name) for name in ("yml", "state", "kube")}
    admin.ok(
        "cluster",
        "import",
        "prod-a",
        "--config",
        files["yml"],
        "--state",
        files["state"],
        "--kubeconfig",
        files["kube"],
    )
    with db.transaction() as session:
        machine(session, hostname="bm-17", address="10.7.0.17")
        machine(session, hostname="bm-18", address="10.7.0.18")
    return "prod-a"


ADD = ("ticket", "create", "add_workers", "--cluster", "prod-a", "--machine", "bm-17")


def test_create_add_workers_asks_and_shows_all_steps(requester: Person, cluster: str) -> None:
    declined = requester.run(*ADD, text="n\n")
    assert declined.exit_code == 1
    assert "10.7.0.17" in declined.stdout
    assert requester.json("ticket", "list")["items"] == []
    words = (*ADD, "-m", "10.7.0.18", "-l", "pool=a", "--taint", "gpu=yes:NoSchedule", "--taint", "solo:NoExecute")
    made = requester.ok(*words, "--canary", "2", "--batch", "5", "--budget", "1", "--no-gpu", text="y\n")
    assert "Ticket 1" in made.stderr
    for key in ("configure", "validate", "initialise", "join", "network_order", "ippool", "network_labels"):
        assert key in made.stdout
    assert "no flat network" in made.stdout
    detail = requester.json("ticket", "show", "1")
    assert detail["params"]["batches"] == {"canary": 2, "size": 5, "budget": 1}
    assert detail["params"]["labels"] == {"pool": "a"}
    assert detail["params"]["initialise"] == {"docker": True, "kernel": True, "gpu": False}
    taints = detail["params"]["taints"]
    assert [(taint["key"], taint["value"], taint["effect"]) for taint in taints] == [
        ("gpu", "yes", "NoSchedule"),
        ("solo", "", "NoExecute"),
    ]
    assert [node["name"] for node in detail["nodes"]] == ["bm-17", "bm-18"]


def test_the_same_key_makes_one_ticket(requester: Person, cluster: str) -> None:
    first = requester.json(*ADD, "--yes", "--key", "again")
    assert requester.json(*ADD, "--yes", "--key", "again")["id"] == first["id"]
    other = requester.run(*ADD[:-1], "bm-18", "--yes", "--key", "again")
    assert other.exit_code == 5
    taken = requester.run(*ADD, "--yes")
    assert taken.exit_code == 5
    assert "bm-17" in taken.stderr


def test_a_lost_answer_is_asked_for_again_under_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[str] = []

    def call(_api: Api, _method: str, _path: str, _body: Any, *, headers: dict[str, str]) -> Any:
        keys.append(headers["Idempotency-Key"])
        if len(keys) < 3:
            raise Unreachable(field="URL", url="x", reason="cut")
        return {"number": 1}

    monkeypatch.setattr(Api, "call", call)
    with Api("http://127.0.0.1:1") as api:
        assert ticket_module.submit(api, "toy", {}) == {"number": 1}
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_when_no_answer_comes_the_key_is_told(requester: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def call(*_: Any, **__: Any) -> Any:
        raise Unreachable(field="URL", url="x", reason="cut")

    monkeypatch.setattr(Api, "call", call)
    done = requester.run("ticket", "create", "from-file", "toy", "-", "--key", "k1", text="{}")
    assert done.exit_code == 6
    assert "--key k1" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--cluster", "prod-a"), 2, "--machine"),
        (("--cluster", "none", "-m", "bm-17"), 4, "No such cluster: none"),
        (("--cluster", "prod-a", "-m", "bm-17", "-m", "$(reboot)"), 4, "$(reboot)"),
        (("--cluster", "prod-a", "-m", " "), 4, "MACHINE"),
        (("--cluster", "prod-a", "-m", "bm-17", "-l", "novalue"), 2, "--label"),
        (("--cluster", "prod-a", "-m", "bm-17", "-l", "a=1", "-l", "a=2"), 2, "--label"),
        (("--cluster", "prod-a", "-m", "bm-17", "-l", "a b=1"), 2, "--label"),
        (("--cluster", "prod-a", "-m", "bm-17", "-l", "node-role.kubernetes.io/etcd=true"), 2, "rke"),
        (("--cluster", "prod-a", "-m", "bm-17", "--taint", "a=b:Sometimes"), 2, "--taint"),
        (("--cluster", "prod-a", "-m", "bm-17", "--taint", "a=b"), 2, "--taint"),
        (("--cluster", "prod-a", "-m", "bm-17", "--taint", "a=$(id):NoExecute"), 2, "--taint"),
        (("--cluster", "prod-a", "-m", "bm-17", *("--taint", "a=1:NoExecute") * 2), 2, "twice"),
        (("--cluster", "prod-a", "-m", "bm-17", "--canary", "99"), 1, "request.batches.canary"),
    ],
)
def test_bad_requests_make_no_ticket(
    requester: Person, cluster: str, words: tuple[str, ...], code: int, told: str
) -> None:
    done = requester.run("ticket", "create", "add_workers", *words, "--yes")
    assert told in done.stderr
    assert done.exit_code == code
    assert requester.json("ticket", "list")["items"] == []


def test_machines_from_a_list(requester: Person, cluster: str, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("bm-17, 10.7.0.18\n")
    words = (
        "ticket",
        "create",
        "add_workers",
        "--cluster",
        "prod-a",
        "--machines-from",
        str(tmp_path / "list"),
        "--yes",
    )
    assert len(requester.json(*words)["params"]) > 0
    assert [node["name"] for node in requester.json("ticket", "show", "1")["nodes"]] == ["bm-17", "bm-18"]


def test_a_ticket_of_any_flow_from_a_file(requester: Person, approver: Person) -> None:
    made = requester.json("ticket", "create", "from-file", "toy", "-", text='{"nodes": ["a"]}')
    assert made["flow_name"] == "toy"
    assert requester.run("ticket", "create", "from-file", "fly", "-", text="{}").exit_code == 1
    bad = requester.run("ticket", "create", "from-file", "toy", "-", text='{"nodes": 1}')
    assert bad.exit_code == 1
    assert "request.nodes" in bad.stderr
    assert requester.run("ticket", "create", "from-file", "toy", "-", text="nodes: []").exit_code == 2
    assert approver.run("ticket", "create", "from-file", "toy", "-", text="{}").exit_code == 3


def test_list_and_show(site: Site, requester: Person, approver: Person) -> None:
    first = site.toy(requester)
    second = site.toy(requester, locks=["c1"])
    third = site.toy(requester, locks=["c1"])
    listed = requester.json("ticket", "list", "--mine", "--open", "--flow", "toy")["items"]
    assert [row["id"] for row in listed] == [str(third), str(second), str(first)]
    assert approver.json("ticket", "list", "--mine")["items"] == []
    assert [row["state"] for row in requester.json("ticket", "list", "--state", "QUEUED")["items"]] == [
        "QUEUED",
        "QUEUED",
    ]
    assert "toy" in requester.ok("ticket", "list").stdout
    assert requester.run("ticket", "list", "--cluster", "none").exit_code == 4
    assert requester.json("ticket", "show", str(first))["id"] == str(first)
    assert requester.json("ticket", "show", "#1")["id"] == str(first)
    for key in ("99", "x", "-5", "99999999999999999999", "0190f000-0000-7000-8000-000000000000"):
        assert requester.run("ticket", "show", "--", key).exit_code == 4


def test_show_says_why_it_waits(site: Site, requester: Person) -> None:
    site.toy(requester)
    site.toy(requester)
    queued = requester.ok("ticket", "show", "2")
    assert "waits for ticket 1, which holds machine node-a" in queued.stderr
    site.work()
    waiting = requester.ok("ticket", "show", "1")
    assert "waits for configure:pre to be signed (ticket:approve" in waiting.stderr
    assert "等待审核 configure:pre" in requester.ok("ticket", "show", "1", lang="zh_CN.UTF-8").stderr
    assert "SKIPPED" in waiting.stdout
    assert "no flat network" in waiting.stdout


@pytest.fixture
def hostile() -> Problem:
    words = Text(zh="[red]坏[/red]\x1b[2J", en="[red]bad[/red]\x1b[2J")
    return Problem("toy-check", words, words, node="a", blocking=False)


def test_plan_shows_targets_and_problems_and_nothing_acts(
    site: Site, requester: Person, world: World, hostile: Problem
) -> None:
    world.problems.append(hostile)
    site.toy(requester)
    site.work()
    shown = requester.ok("ticket", "plan", "1", "configure")
    assert "(whole ticket)" in shown.stdout
    assert "Targets: a, b, c" in shown.stdout
    assert r"[red]bad[/red]\x1b[2J" in shown.stdout
    assert "\x1b" not in shown.output
    plan = requester.json("ticket", "plan", "1", "configure")
    assert plan["plan_hash"][:12] in shown.stdout
    assert requester.run("ticket", "plan", "1", "fly").exit_code == 4
    assert requester.run("ticket", "plan", "1", "configure", "--round", "7").exit_code == 4
    assert "round 1" in requester.ok("ticket", "plan", "1", "configure", "--round", "1").stdout


@pytest.fixture
def world(site: Site) -> World:
    return WORLD


PLAN = {"step": "join", "round": 2, "plan_hash": "0" * 64, "created_at": "2026-01-02T03:04:05Z", "problems": []}


SHOWN = (
    *("gpu=yes:NoSchedule", "+1 -1", "+new", "2 ok", "1 error", "docker · Install", "2. Mark", "hyperkube:v1.24"),
    *("pause:3", "kube-node", "/etc/cloud", "l=v", '"odd": 1', "config_revision  7", "drift", '"hostname": "deep"'),
)


def test_the_parts_of_a_plan_are_shown_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """The shapes of the add_workers plans, by hand: targets, diff, checks, tasks, containers."""
    taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    target = {"hostname": "bm-17", "address": "10.7.0.17", "labels": {"a": "b"}, "taints": [taint]}
    container = {"name": "kubelet", "order": 4, "create": {"Image": "rancher/hyperkube:v1.24"}}
    made = {"images": [{"name": "pause:3"}], "certificates": ["kube-node"], "files": [{"path": "/etc/cloud"}]}
    body = {
        "targets": [target],
        "diff": ["--- a", "+++ b", "@@ -1 +1 @@", "-old", "+new"],
        "checks": {"results": [{"level": "ok"}, {"level": "ok"}, {"level": "error"}]},
        "tasks": [{"role": "docker", "task": "Install"}, {"role": "", "task": "Mark"}],
        "machines": [{"name": "bm-17", "address": "10.7.0.17", "gpu": True}],
        "nodes": {"bm-17": {**made, "containers": [container], "node_object": {"labels": {"l": "v"}}}, "odd": 1},
        "config_revision": 7,
        "adds": [{"hostname": "deep"}],
    }
    frozen = {"nodes": ["n1"], "plan": body}
    print_plan({**PLAN, "superseded_at": "x", "superseded_reason": {"drift": 1}, "body": frozen}, {"n1": "bm-17"})
    shown = capsys.readouterr().out
    for part in SHOWN:
        assert part in shown


def test_parts_of_another_shape_are_shown_too(capsys: pytest.CaptureFixture[str]) -> None:
    odd = {
        "targets": ["x"],
        "checks": [{"id": "swap", "title": {"zh": "z", "en": "Swap"}, "source": "s"}],
        "nodes": [1],
    }
    frozen = {"nodes": [], "plan": {**odd, "machines": ["y"]}}
    print_plan({**PLAN, "superseded_at": None, "body": frozen}, {})
    shown = capsys.readouterr().out
    for part in ("Targets: x", "Swap", "Machines: y", json.dumps({"nodes": [1]}, indent=2).split("\n")[1].strip()):
        assert part in shown
