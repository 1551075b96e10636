"""A few rounds of each part of the fault programme; all of it runs under `./run bench faults`."""

from __future__ import annotations

from importlib import import_module

import pytest

from bench.faults import PROGRAMME, chosen

SEED = 20_260
ROUNDS = {
    "T1-memory": 100,
    "T1-deadends": 2,
    "T1-postgres": 5,
    "T4": 60,
    "T8": 1,
    "T9": 4,
    "T10": 60,
    "T11": 3,
    "T14": 400,
    "T15": 5,
    "T16": 3,
}


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", ROUNDS)
def test_a_part_of_the_programme_finds_nothing(part: str) -> None:
    assert import_module(PROGRAMME[part][0]).run(SEED, ROUNDS[part])


def test_parts_are_chosen_by_name_and_by_number() -> None:
    assert chosen("") == list(PROGRAMME)
    assert chosen("T4") == ["T4"]
    assert chosen("T1, T9") == ["T1-memory", "T1-deadends", "T1-postgres", "T9"]
