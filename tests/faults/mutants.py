"""T16: each guard of the engine is taken away in turn, in a copy of the tree, and the tests must notice.

One round is one guard of `guards.ALL`; fewer rounds draw some of them. First all named tests must pass on the untouched
copy: else a failure would prove nothing. A mutant is killed when a named test fails by an assertion or an error in its
body; one that does not even start is a mistake in the table.
"""

from __future__ import annotations

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
LEFT_OUT = shutil.ignore_patterns("__pycache__", "dist", "images", "fixtures")
SECONDS = 300
_VERDICT = re.compile(r"^(FAILED|ERROR) tests/(\S+)", re.MULTILINE)
_PARAMETERS = re.compile(r"\[.*")


def run(seed: int, rounds: int) -> dict[str, Any]:
    with place.seeded(seed) as dice, _copy() as copy:
        chosen = list(guards.ALL) if rounds >= len(guards.ALL) else dice.sample(guards.ALL, rounds)
        baseline = copy.failures(sorted({test for guard in chosen for test in guard.tests}))
        assert not baseline, f"fail on the untouched tree: {baseline}"
        matrix = {guard.name: _killers(copy, guard) for guard in chosen}
    survivors = sorted(name for name, killers in matrix.items() if not killers)
    assert not survivors, f"no test notices the loss of: {', '.join(survivors)}; matrix: {matrix}"
    return {"guards": len(matrix), "killed": len(matrix) - len(survivors), "matrix": matrix}


def missing_texts() -> dict[str, list[str]]:
    """Guards whose text does not stand exactly once in its file any more: the table must follow the code."""
    wrong: dict[str, list[str]] = {}
    for guard in guards.ALL:
        for edit in guard.edits:
            if (ROOT / edit.file).read_text().count(edit.old) != 1:
                wrong.setdefault(guard.name, []).append(edit.file)
    return wrong


def _killers(copy: _Copy, guard: Guard) -> list[str]:
    with copy.without(guard.edits):
        return copy.failures(guard.tests)


class _Copy:
    """The working tree as the mutants see it."""

    def __init__(self, root: Path, environ: dict[str, str]) -> None:
        self.root = root
        self.environ = environ

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
        command = [sys.executable, "-m", "pytest", "-q", "--tb=line", "-rfE", "-p", "no:cacheprovider", "--timeout=100"]
        done = subprocess.run(
            [*command, *(f"tests/{test}" for test in tests)],
            cwd=self.root,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=SECONDS + 20 * len(tests),
            check=False,
        )
        found = _VERDICT.findall(done.stdout)
        broken = done.returncode not in (0, 1) or any(kind == "ERROR" for kind, _ in found)
        assert not broken, f"the tests did not run: {done.stdout[-1500:]}{done.stderr[-500:]}"
        assert bool(found) == (done.returncode == 1), done.stdout[-1500:]
        return sorted({_PARAMETERS.sub("", name) for _, name in found})


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
        environ["PYTHONPATH"] = folder
        seen = subprocess.run(
            [sys.executable, "-c", "import autorke; print(autorke.__file__)"],
            cwd=root, env=environ, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert seen.stdout.startswith(folder), f"the tests would see {seen.stdout}"
        with throwaway.valkey() as broker:
            yield _Copy(root, {**environ, "AUTORKE_TEST_REDIS_URL": broker})
