"""Limits that keep the code readable: what no linter of ours counts."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAX_LINES = 400
MAX_FUNCTION = 40
MAX_STORY = 70  # a test may tell a story from its beginning to its end
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc"}
CODE = ("autorke", "tests", "bench", "migrations", "deploy")


def tracked() -> list[Path]:
    """Python files of the repository; without git (an unpacked release) all of them."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", *CODE], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        listed = [str(path.relative_to(ROOT)) for name in CODE for path in (ROOT / name).rglob("*")]
    return [ROOT / name for name in listed if name.endswith(".py") and "migrations/versions" not in name]


FILES = [path for path in tracked() if path.exists()]


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_there_is_something_to_look_at() -> None:
    assert len(FILES) > 100


def test_no_file_is_longer_than_a_person_reads_at_once() -> None:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in FILES}
    assert {name: size for name, size in sizes.items() if size > MAX_LINES} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{name}": size
        for path in FILES
        for name, size in functions(path)
        if size > (MAX_STORY if "tests" in path.relative_to(ROOT).parts else MAX_FUNCTION)
    }
    assert found == {}


def test_every_module_says_what_it_is_for_by_its_name() -> None:
    assert [str(path) for path in FILES if path.stem in VAGUE or path.parent.name in VAGUE] == []


@pytest.mark.parametrize("words", ["TO" + "DO", "FIX" + "ME", "XX" + "X"])
def test_nothing_is_left_for_later(words: str) -> None:
    marked = re.compile(rf"#.*\b{words}\b")
    found = [str(path.relative_to(ROOT)) for path in FILES if any(map(marked.search, path.read_text().splitlines()))]
    assert found == []


def test_the_product_never_imports_the_simulated_outside() -> None:
    importing = re.compile(r"^\s*(from|import) autorke\.sim\b", re.MULTILINE)
    product = [path for path in FILES if path.is_relative_to(ROOT / "autorke") and "sim" not in path.parts]
    assert [str(path) for path in product if importing.search(path.read_text())] == []
