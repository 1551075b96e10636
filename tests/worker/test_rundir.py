"""Private directories of attempts: private, gone at the end, swept after a kill, and nothing else is swept."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autorke.core.ids import new_id
from autorke.worker import process, rundir
from tests.worker.conftest import wait_for


def test_it_is_private_and_gone_at_the_end(tmp_path: Path) -> None:
    with rundir.private_dir(tmp_path, new_id()) as path:
        assert path.stat().st_mode & 0o777 == 0o700
        (path / "key").write_text("secret")
        assert rundir.sweep(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_runner_left_is_swept_once_its_tools_are_gone(tmp_path: Path) -> None:
    attempt = new_id()
    holder = (
        "import sys, time; from pathlib import Path; from uuid import UUID; from autorke.worker import rundir\n"
        "with rundir.private_dir(Path(sys.argv[1]), UUID(sys.argv[2])): print('made', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path), str(attempt)], stdout=subprocess.PIPE, text=True
    ) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "made\n"
        assert rundir.sweep(tmp_path) == 0
        runner.kill()
    with subprocess.Popen(["sleep", "60"], env={**os.environ, process.MARKER: str(attempt)}) as tool:
        wait_for(lambda: process.tools_of(str(attempt)))
        assert rundir.sweep(tmp_path) == 0
        tool.kill()
    assert rundir.sweep(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["autorke-scratch-1-abc", "autorke-0123456789ab", "autorke-x"])
def test_what_is_not_of_an_attempt_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "data").write_text("kept")
    os.utime(tmp_path / name, (time.time() - 9999,) * 2)
    assert rundir.sweep(tmp_path) == 0
    assert (tmp_path / name / "data").exists()
