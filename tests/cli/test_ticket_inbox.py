"""`autorke ticket inbox`: what waits for whom."""

from __future__ import annotations

from tests.cli.site import Person, Site


def test_the_inbox_shows_what_waits_for_me_and_empties_when_it_is_signed(
    site: Site, requester: Person, approver: Person
) -> None:
    site.toy(requester, nodes=["a"])
    site.toy(requester, nodes=["b"])
    site.work()
    assert requester.json("ticket", "inbox")["items"] == []
    rows = approver.json("ticket", "inbox")["items"]
    assert [(row["ticket"]["number"], row["gates"][0]["may_sign"]) for row in rows] == [(1, True), (2, True)]
    told = approver.ok("ticket", "inbox")
    assert "c pre 0/1" in told.stdout
    assert "running 2" in told.stderr
    assert "执行前" in approver.ok("ticket", "inbox", lang="zh_CN.UTF-8").stdout
    approver.ok("ticket", "approve", "1", "--yes")
    assert [row["ticket"]["number"] for row in approver.json("ticket", "inbox")["items"]] == [2]


def test_other_tabs_and_pages(site: Site, requester: Person, approver: Person) -> None:
    for node in "abc":
        site.toy(requester, nodes=[node])
    mine = requester.json("ticket", "inbox", "--tab", "mine", "--limit", "2")
    assert [row["ticket"]["number"] for row in mine["items"]] == [3, 2]
    rest = requester.json("ticket", "inbox", "--tab", "mine", "--limit", "2", "--cursor", mine["next"])
    assert [row["ticket"]["number"] for row in rest["items"]] == [1]
    everything = requester.json("ticket", "inbox", "--tab", "mine", "--all")
    assert everything["total"] == 3
    assert "worker host" in requester.ok("ticket", "inbox", "--tab", "mine").stdout
    assert requester.run("ticket", "inbox", "--tab", "nothing").exit_code == 2
    assert approver.json("ticket", "inbox", "--tab", "mine")["items"] == []
