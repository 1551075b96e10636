"""Hints: told once, to those who may hear them, together when they come fast, and none is missed over a reconnect."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from autorke.web import hearing
from autorke.web.hearing import Hearing, Memory, everything

NORTH, SOUTH = UUID(int=1), UUID(int=2)
EVERYTHING = everything()


def everybody(_cluster: UUID | None) -> bool:
    return True


def only_north(cluster: UUID | None) -> bool:
    return cluster in (None, NORTH)


def payload(*told: tuple[str, UUID | None, list[str]]) -> bytes:
    return json.dumps([{"topic": t, "scope": str(s) if s else None, "ids": ids} for t, s, ids in told]).encode()


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    """Of a process that has listened for a while; nothing is held back."""
    monkeypatch.setattr(hearing, "PAUSE", 0.0)
    made = Memory()
    made.since -= 3600
    return made


def topics(told: list[dict[str, Any]]) -> dict[str, list[str] | None]:
    return {it["topic"]: None if it["all"] else it["ids"] for it in told}


def test_a_hint_is_told_once(memory: Memory) -> None:
    page = Hearing(memory, everybody)
    assert page.wait() is None
    memory.take(payload(("tickets", NORTH, ["t1"]), ("inbox", NORTH, ["t1"])))
    assert page.wait() == 0
    assert topics(page.told()) == {"tickets": ["t1"], "inbox": ["t1"]}
    assert page.wait() is None
    assert page.told() == []


def test_only_those_who_may_see_the_cluster_hear_of_it(memory: Memory) -> None:
    north, all_clusters = Hearing(memory, only_north), Hearing(memory, everybody)
    memory.take(payload(("tickets", SOUTH, ["t2"]), ("engine", None, [])))
    assert topics(north.told()) == {"engine": None}
    assert topics(all_clusters.told()) == {"tickets": ["t2"], "engine": None}


def test_what_comes_fast_is_told_together(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1024.0]
    monkeypatch.setattr(hearing, "PAUSE", 0.25)
    monkeypatch.setattr(hearing, "time", SimpleNamespace(time=time.time, monotonic=lambda: now[0]))
    page = Hearing(memory, everybody)
    memory.take(payload(("tickets", None, ["t1"])))
    assert topics(page.told()) == {"tickets": ["t1"]}
    for number in range(50):
        memory.take(payload(("tickets", None, [f"t{number}"]), ("machines", None, [])))
    assert page.told() == []
    left = page.wait()
    assert left is not None
    assert 0 < left <= 0.25
    now[0] += left
    assert topics(page.told()) == {"tickets": sorted(f"t{number}" for number in range(50)), "machines": None}


def test_a_page_that_resumes_hears_what_it_missed_and_no_older_ones(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "SKEW", 0.0)
    page = Hearing(memory, everybody)
    memory.take(payload(("tickets", None, ["old"])))
    page.told()
    cursor = page.cursor
    memory.take(payload(("tickets", None, ["missed"])))
    assert topics(Hearing(memory, everybody, cursor).told()) == {"tickets": ["missed"]}


def test_clocks_of_two_processes_may_differ(memory: Memory) -> None:
    """Resumed at another process whose clock is behind: what is near is told again rather than missed."""
    memory.take(payload(("tickets", None, ["near"])))
    assert topics(Hearing(memory, everybody, f"{memory.newest + 3:.6f}").told()) == {"tickets": ["near"]}


def test_a_new_page_hears_what_changed_between_its_first_read_and_its_stream(memory: Memory) -> None:
    memory.take(payload(("machines", None, ["m1"])))
    assert topics(Hearing(memory, everybody).told()) == {"machines": ["m1"]}


@pytest.mark.parametrize("case", ["too long ago", "broker lost", "forgotten", "again", "unreadable"])
def test_when_it_is_not_known_what_was_missed_anything_may_have_changed(
    memory: Memory, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor: str | None = f"{time.time():.6f}"
    if case == "too long ago":
        cursor = f"{memory.since - 10:.6f}"
    page = Hearing(memory, everybody, cursor, again=False)
    if case == "broker lost":
        memory.lost()
    elif case == "forgotten":
        for number in range(hearing.KEEP + 1):
            memory.take(payload(("tickets", None, [str(number)])))
    elif case == "again":
        page = Hearing(memory, everybody, None, again=True)
    elif case == "unreadable":
        memory.take(b"not json")
    assert page.told() == EVERYTHING
    assert page.wait() is None


def test_hostile_cursors_are_as_none(memory: Memory) -> None:
    for cursor in ("", "x", "nan", "inf", "-1", "1e400", "0x10", "9" * 90):
        assert Hearing(memory, everybody, cursor).wait() is None, cursor


def test_memory_is_bounded(memory: Memory) -> None:
    for _ in range(hearing.KEEP + 100):
        memory.take(payload(("tickets", None, ["t"])))
    assert len(memory._kept) == hearing.KEEP
    assert memory.after(memory.since) is not None
    assert memory.after(memory.since - 1) is None
