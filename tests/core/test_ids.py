"""Ids sort by the moment they were made, also within a millisecond."""

from __future__ import annotations

import uuid
from types import SimpleNamespace

import pytest

from autorke.core import ids

MOMENT = 1_780_000_000_123_456_789


def test_an_id_is_a_uuid_of_version_7_with_its_time_in_front() -> None:
    made = ids.new_id()
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert len({ids.new_id() for _ in range(1000)}) == 1000


def test_ids_of_one_millisecond_are_in_the_order_in_which_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(MOMENT, MOMENT + 500_000, 1000))  # one each microsecond, half a millisecond long
    monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: next(clock)))
    made = [ids.new_id() for _ in range(500)]
    assert made == sorted(made)
    assert {one.int >> 80 for one in made} == {MOMENT // 1_000_000}
