"""docs/security.md names a test for each promise: every one of them is there, and the README leads to the page."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text()


def _named() -> list[tuple[str, str]]:
    """(file, test): a name without a file belongs to the file before it in the same row."""
    found, file = [], ""
    for row in PAGE.splitlines():
        for name in re.findall(r"`((?:tests/[\w/]+\.py::)?test_\w+)`", row):
            head, _, test = name.rpartition("::")
            file = head or file
            found.append((file, test))
    return found


def _tests(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_that_the_page_names_is_there() -> None:
    named = _named()
    assert len(named) > 60
    assert [f"{file}::{test}" for file, test in named if test not in _tests(file)] == []


def test_the_page_is_found() -> None:
    assert "(docs/security.md)" in (ROOT / "README.md").read_text()
