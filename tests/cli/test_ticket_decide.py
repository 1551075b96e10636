"""Approve and reject: what is shown is what is signed."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from autorke.cli import ticket_decide
from autorke.cli.client import Api
from tests.cli.site import Person, Site
from tests.workflow.toy import WORLD, fail


@pytest.fixture
def ticket(site: Site, requester: Person) -> UUID:
    made = site.toy(requester)
    site.work()
    return made


def gates(person: Person) -> dict[str, str]:
    """Open gates of ticket 1 and their hashes."""
    detail = person.json("ticket", "show", "1")
    return {
        f"{step['key']}:{gate['phase'].lower()}": gate["subject_hash"]
        for step in detail["steps"]
        for gate in step["gates"]
        if gate["state"] == "OPEN"
    }


def test_approve_shows_and_sends_the_hash_it_showed(
    ticket: UUID, approver: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    post = Api.post

    def noting(api: Api, path: str, body: Any = None) -> Any:
        sent.append((path, body))
        return post(api, path, body)

    monkeypatch.setattr(Api, "post", noting)
    wanted = gates(approver)["configure:pre"]
    done = approver.ok("ticket", "approve", "1", "--comment", "fine", text="y\n")
    assert f"configure:pre · c · {wanted[:12]}" in done.stderr
    assert wanted[:12] in done.stderr.split("Hash")[1]
    path, body = sent[-1]
    assert path == f"/tickets/{ticket}/decisions"
    assert [gate["subject_hash"] for gate in body["gates"]] == [wanted]
    assert (body["decision"], body["comment"]) == ("approve", "fine")
    assert "pre APPROVED 1/1" in done.stdout


def test_nothing_is_signed_without_a_yes(ticket: UUID, approver: Person) -> None:
    assert approver.run("ticket", "approve", "1", text="n\n").exit_code == 1
    nobody = approver.run("ticket", "approve", "1")
    assert (nobody.exit_code, "a script says --yes" in nobody.stderr) == (2, True)
    assert list(gates(approver)) == ["configure:pre"]


def test_a_result_and_the_next_plan_are_one_decision(site: Site, ticket: UUID, approver: Person) -> None:
    approver.ok("ticket", "approve", "1", "--yes")
    site.work()
    assert list(gates(approver)) == ["configure:post", "change:pre"]
    done = approver.ok("ticket", "approve", "1", "--yes")
    assert "(whole ticket)" in done.stderr
    assert "SUCCEEDED" in done.stderr
    assert "node-a, node-b, node-c" in done.stderr
    site.work()
    assert list(gates(approver)) == ["change:post", "close:pre"]
    approver.ok("ticket", "approve", "1", "--yes", "--gate", "change:post")
    assert list(gates(approver)) == ["close:pre"]


def test_problems_and_diff_are_shown_before_the_question(
    site: Site, requester: Person, approver: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    diff = ["--- cluster.yml", "+++ cluster.yml", "+- address: 10.0.0.9", *(f"+line {n}" for n in range(60))]
    site.toy(requester)
    site.work()
    plans = approver.json("ticket", "plan", "1", "configure")
    problem = {"code": "swap", "node": None, "blocking": False}
    texts = {name: {"zh": name, "en": f"{name} text"} for name in ("seen", "remedy")}
    plans["problems"] = [{**problem, **texts}]
    plans["body"]["plan"] |= {
        "diff": diff,
        "on_failure": "the node keeps what was made",
        "checks": {"results": [{"level": "ok"}] * 7},
    }
    get = Api.get

    def changed(api: Api, path: str, **query: Any) -> Any:
        return [plans] if "/plans/" in path else get(api, path, **query)

    monkeypatch.setattr(Api, "get", changed)
    done = approver.run("ticket", "approve", "1", text="n\n")
    for part in (
        "swap",
        "seen text",
        "remedy text",
        "+61 -0",
        "10.0.0.9",
        "23 more lines",
        "keeps what was made",
        "7 ok",
    ):
        assert part in done.stderr
    assert "cluster.yml" not in done.stdout


def test_a_plan_that_changed_meanwhile_is_not_signed(
    ticket: UUID, approver: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = Api.get

    def old(api: Api, path: str, **query: Any) -> Any:
        answer = get(api, path, **query)
        if "/plans/" in path:
            answer[0]["plan_hash"] = "0" * 64
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(Api, "get", old)
        done = approver.run("ticket", "approve", "1", "--yes")
    assert done.exit_code == 5
    assert "has changed" in done.stderr
    detail = approver.json("ticket", "show", "1")
    step = detail["steps"][0]
    shown = [(step, {**step["gates"][0], "subject_hash": "0" * 64})]
    monkeypatch.setattr(ticket_decide, "choose", lambda _detail, _wanted: shown)
    monkeypatch.setattr(ticket_decide, "show_gates", lambda *_: None)
    stale = approver.run("ticket", "approve", "1", "--yes", "--json")
    assert stale.exit_code == 5
    assert json.loads(stale.stderr)["code"] == "stale-plan"


def test_hash_binds_a_script_to_what_was_read(ticket: UUID, approver: Person) -> None:
    wanted = gates(approver)["configure:pre"]
    assert approver.run("ticket", "approve", "1", "--yes", "--hash", "0" * 12).exit_code == 5
    assert approver.run("ticket", "approve", "1", "--yes", "--hash", wanted[:5]).exit_code == 5
    assert approver.ok("ticket", "approve", "1", "--yes", "--hash", wanted[:12].upper()).exit_code == 0


def test_who_may_not_sign(ticket: UUID, site: Site, requester: Person) -> None:
    mine = requester.run("ticket", "approve", "1", "--yes")
    assert mine.exit_code == 3
    assert "you never approve it" in mine.stderr
    asked = requester.run("ticket", "approve", "1", text="y\n")
    assert (asked.exit_code, "[y/N]" in asked.stderr) == (3, False), "refused before anything is asked"
    viewer = site.person("guest", "viewer")
    assert viewer.run("ticket", "approve", "1", "--yes", lang="zh_CN.UTF-8").exit_code == 3


def test_no_open_gate(site: Site, requester: Person, approver: Person) -> None:
    site.toy(requester)
    done = approver.run("ticket", "approve", "1", "--yes")
    assert done.exit_code == 5
    assert "has no open gate\n" in done.stderr
    assert "autorke ticket watch 1" in done.stderr
    site.work()
    assert "Approve this gate?" in approver.run("ticket", "approve", "1", text="n\n").stderr
    assert approver.run("ticket", "approve", "1", "--yes", "--gate", "close:pre").exit_code == 5


def test_reject_takes_a_reason(ticket: UUID, approver: Person) -> None:
    assert approver.run("ticket", "reject", "1").exit_code == 2
    assert approver.run("ticket", "reject", "1", "--comment", " ", "--yes").exit_code == 2
    after = json.loads(approver.ok("ticket", "reject", "1", "--comment", "wrong rack", "--yes", "--json").stdout)
    assert after["state"] == "REJECTED"
    assert after["steps"][0]["gates"][0]["approvals"][0]["comment"] == "wrong rack"


def test_reject_a_result(site: Site, ticket: UUID, approver: Person) -> None:
    WORLD.behave["close:*"] = fail
    approver.ok("ticket", "approve", "1", "--yes")
    site.work()
    done = approver.ok("ticket", "reject", "1", "-c", "not so", "--gate", "configure:post", "--yes")
    assert "needs somebody: configure: FAILED" in done.stderr
