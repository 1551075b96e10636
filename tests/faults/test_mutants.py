"""T16, bounded: the table of guards follows the code, and a few guards are taken away. See `mutants.py`."""

from __future__ import annotations

from pathlib import Path

import autorke
from tests.faults import guards, mutants


def test_the_tests_see_the_tree_they_stand_in() -> None:
    """In a copy it is the copy's product that is tested, not the one the environment installed."""
    assert Path(autorke.__file__).is_relative_to(mutants.ROOT)


def test_every_guard_of_the_table_stands_in_the_code_exactly_once() -> None:
    """Whoever changes a guard changes its row in `guards/`, and its tests with it."""
    assert mutants.missing_texts() == {}


def test_every_row_names_tests_that_exist_and_another_guard() -> None:
    names = [guard.name for guard in guards.ALL]
    assert len(set(names)) == len(names) > 100
    missing = []
    for test in {test for guard in guards.ALL for test in guard.tests}:
        file, _, name = test.partition("::")
        if f"def {name.split('[')[0]}(" not in (mutants.ROOT / "tests" / file).read_text():
            missing.append(test)
    assert missing == []


def test_the_document_shows_this_table() -> None:
    """`python -m tests.faults.guards` prints what belongs into docs/reliability.md."""
    assert guards.table() in (mutants.ROOT / "docs/reliability.md").read_text()
