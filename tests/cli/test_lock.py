"""Locks on the command line."""

from __future__ import annotations

from tests.cli.site import Person, Site
from tests.workflow.test_lock_release import outlive


def test_list_names_holder_and_waiters(site: Site, requester: Person) -> None:
    site.toy(requester, nodes=["a"], locks=["k1"])
    site.toy(requester, nodes=["a"])
    rows = requester.json("lock", "list", "--sort", "kind")["items"]
    assert [(row["kind"], row["name"], row["ticket_number"]) for row in rows] == [
        ("cluster", "k1", 1),
        ("machine", "a", 1),
    ]
    only = requester.ok("lock", "list", "--kind", "machine")
    assert "k1" not in only.stdout
    line = next(line for line in only.stdout.splitlines() if line.strip().startswith("machine"))
    assert "ACTIVE" in line
    assert "has not ended (READY)" in line
    assert requester.run("lock", "list", "--filter", "x:eq:1").exit_code == 1


def test_release_asks_and_says_what_became_of_the_ticket(
    site: Site, requester: Person, approver: Person, admin: Person
) -> None:
    ticket = site.toy(requester, nodes=["a"], policy="express")
    kept = admin.run("lock", "release", "machine", "a", "--reason", "x", "--yes")
    assert kept.exit_code == 5
    assert "can still act" in kept.stderr
    site.work()
    still_open = admin.run("lock", "release", "machine", "a", "--reason", "x", "--yes")
    assert (still_open.exit_code, "close_ticket" in still_open.stderr) == (5, True)
    approver.ok("ticket", "approve", "1", "--yes")
    site.work()
    outlive(ticket, ("ippool", "10.1.0.0/16"))
    words = ("lock", "release", "ippool", "10.1.0.0/16", "--reason", "restored")
    assert admin.run(*words, text="n\n").exit_code == 1
    assert requester.run(*words, "--yes").exit_code == 3
    done = admin.ok(*words, text="y\n", lang="zh_CN.UTF-8")
    assert "已释放；工单 1 为 SUCCEEDED" in done.stderr
    assert admin.run(*words, "--yes").exit_code == 4


def test_release_can_close_the_ticket(site: Site, requester: Person, admin: Person) -> None:
    site.toy(requester, nodes=["a"])
    site.work()
    done = admin.json("lock", "release", "machine", "a", "-r", "given up", "--close-ticket", "--yes")
    assert done["ticket_state"] == "FAILED"
    assert admin.json("lock", "list")["items"] == []
