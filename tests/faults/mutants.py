"""T16: each guard of the engine is taken away in turn, in a copy of the tree, and the tests must notice.

One round is one guard of `guards.ALL`; fewer rounds draw some of them. First all named tests must pass on the untouched
copy: else a failure would prove nothing. A mutant is killed when a named test fails by an assertion or an error in its
body; one that does not even start is a mistake in the table.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autorke.embedded import throwaway
from tests.databases import text
from tests.faults import guards, place
from tests.faults.guards import Edit, Guard

ROOT = Path(__file__).parents[2]
COPIED = ("autorke", "bench", "migrations", "tests", "alembic.ini", "pyproject.toml")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "dist")
SECONDS = 300
PYTEST = ("-q", "--tb=line", "-rfE", "-p", "no:cacheprovider", "-p", "pytest_timeout", "--timeout=240")
BROKEN = "broken"
_VERDICT = re.compile(r"^(FAILED|ERROR) tests/(\S+)", re.MULTILINE)
_PARAMETERS = re.compile(r"\[.*")


def run(seed: int, rounds: int) -> dict[str, Any]:
    with place.seeded(seed) as dice, _copy() as copy:
        chosen = list(guards.ALL) if rounds >= len(guards.ALL) else dice.sample(guards.ALL, rounds)
        tests = sorted({test for guard in chosen for test in guard.tests})
        failing = copy.failures(tests)
        assert not failing, f"fail on the untouched tree: {failing}"
        matrix = {}
        for number, guard in enumerate(chosen, start=1):
            matrix[guard.name] = _killers(copy, guard)
            sys.stderr.write(f"faults: T16 {number}/{len(chosen)} {guard.name}: {matrix[guard.name]}\n")
    survivors = sorted(name for name, killers in matrix.items() if not killers or killers[0].startswith(BROKEN))
    assert not survivors, f"no test notices the loss of: {'; '.join(survivors)}; all: {matrix}"
    return {"guards": len(matrix), "tests": len(tests), "killed": len(matrix), "matrix": matrix}


def missing_texts() -> dict[str, list[str]]:
    """Guards whose text does not stand exactly once in its file any more: the table must follow the code."""
    wrong: dict[str, list[str]] = {}
    for guard in guards.ALL:
        for edit in guard.edits:
            if (ROOT / edit.file).read_text().count(edit.old) != 1:
                wrong.setdefault(guard.name, []).append(edit.file)
    return wrong


def _killers(copy: _Copy, guard: Guard) -> list[str]:
    """The tests that notice; one entry that begins with BROKEN when the mutant could not be tried."""
    try:
        with copy.without(guard.edits):
            return copy.failures(guard.tests)
    except AssertionError as error:
        return [f"{BROKEN}: {str(error)[-1500:]}"]


class _Copy:
    """The working tree as the mutants see it."""

    def __init__(self, root: Path, nursery: subprocess.Popen[str]) -> None:
        self.root = root
        self.nursery = nursery

    @contextmanager
    def without(self, edits: Sequence[Edit]) -> Iterator[None]:
        """Take a guard away; its file is as before afterwards."""
        before = {edit.file: (self.root / edit.file).read_text() for edit in edits}
        try:
            for edit in edits:
                source = (self.root / edit.file).read_text()
                assert source.count(edit.old) == 1, f"{edit.file} does not have exactly one: {edit.old}"
                self._write(edit.file, source.replace(edit.old, edit.new))
            yield
        finally:
            for file, source in before.items():
                self._write(file, source)

    def _write(self, file: str, source: str) -> None:
        path = self.root / file
        path.write_text(source)
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
            compiled.unlink()

    def failures(self, tests: Sequence[str]) -> list[str]:
        """Names of the tests that fail here; raises AssertionError when they could not run."""
        arguments = [*PYTEST, *(f"tests/{test}" for test in tests)]
        code, output = self.run(arguments, SECONDS + 20 * len(tests))
        found = _VERDICT.findall(output)
        failed = {_PARAMETERS.sub("", name) for kind, name in found if kind == "FAILED"}
        # a mutant's threads may outlive its failed test and break pytest's own end: it was noticed before that
        assert failed or code == 0, f"a test did not run or could not begin ({code}): {output[-1500:]}"
        return sorted(failed)

    def run(self, arguments: list[str], seconds: float) -> tuple[int, str]:
        if self.nursery.stdin is None or self.nursery.stdout is None:
            raise RuntimeError("the nursery has no pipes")
        self.nursery.stdin.write(json.dumps({"arguments": arguments, "seconds": seconds}) + "\n")
        self.nursery.stdin.flush()
        answer = json.loads(self.nursery.stdout.readline())
        return answer["code"], answer["output"]


@contextmanager
def _copy() -> Iterator[_Copy]:
    with tempfile.TemporaryDirectory(prefix="arke-mutants-") as folder, place.server() as template:
        root = Path(folder)
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, root / name, ignore=LEFT_OUT, symlinks=True)
            else:
                shutil.copy(ROOT / name, root / name)
        environ = {key: value for key, value in os.environ.items() if not key.startswith("AUTORKE_")}
        environ["AUTORKE_TEST_DATABASE_URL"] = text(template.server)
        environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # they are imported already, which pytest would warn of
        with throwaway.valkey() as broker, _nursery(root, {**environ, "AUTORKE_TEST_REDIS_URL": broker}) as nursery:
            copy = _Copy(root, nursery)
            sees_itself = "faults/test_mutants.py::test_the_tests_see_the_tree_they_stand_in"
            assert copy.failures([sees_itself]) == []
            yield copy


@contextmanager
def _nursery(root: Path, environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    command, pipe = [sys.executable, str(root / "tests/faults/nursery.py")], subprocess.PIPE
    with subprocess.Popen(command, cwd=root, env=environ, stdin=pipe, stdout=pipe, text=True) as nursery:
        try:
            yield nursery
        finally:
            nursery.kill()  # its child goes with it
