"""A few rounds of the parts that start the product's processes; all of it runs under `./run bench faults`."""

from __future__ import annotations

from importlib import import_module

import pytest

from bench import CannotRun
from bench.faults import PROGRAMME

SEED = 20_261
ROUNDS = {"T2-field": 6, "T3": 10, "T6-disk": 1, "T6-failover": 1, "T7": 1}


@pytest.mark.faults
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("part", ROUNDS)
def test_a_part_of_the_programme_finds_nothing(part: str) -> None:
    try:
        assert import_module(PROGRAMME[part][0]).run(SEED, ROUNDS[part])
    except CannotRun as reason:
        pytest.skip(str(reason))
