"""Our playbooks: what they show, and that they change nothing twice and refuse what they must, on a real sshd."""

from __future__ import annotations

from autorke.drivers.ansible import tasks_of


def test_the_first_tasks_refuse_before_anything_changes() -> None:
    titles = [row["task"] for row in tasks_of("init_worker")]
    refusals = [titles.index(t) for t in titles if t.startswith("Refuse a machine")]
    first_change = titles.index("Make the directory of our notes")
    assert len(refusals) == 2
    assert max(refusals) < first_change


def test_every_role_is_shown() -> None:
    assert {row["role"] for row in tasks_of("init_worker")} == {"guard", "docker", "kernel", "nvidia", ""}
