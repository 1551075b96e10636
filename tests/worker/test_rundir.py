"""Private directories of attempts: private, gone at the end, swept after a kill, and nothing else is swept."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autorke.core.ids import new_id
from autorke.worker import process, rundir, tasks
from autorke.workflow.attempts import Claim
from tests.worker.conftest import wait_for
from tests.workflow.conftest import Desk


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


def test_nothing_is_left_where_there_was_no_room_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OSError, match="No space left"), rundir.private_dir(tmp_path, new_id()):
        raise AssertionError("there is no room")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("configured_db")
def test_a_host_without_room_claims_nothing_and_leaves_it_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would fail before its intent, be repeated a few times, and then need a person for what a disk has done."""
    claimed: list[Claim] = []
    monkeypatch.setattr(tasks, "start_runner", claimed.append)
    desk = Desk()
    desk.submit(nodes=["a"])
    (ready,) = desk.ready()
    with monkeypatch.context() as full:
        full.setattr(rundir, "ROOM", 2**62)
        tasks.launch(str(ready))
    assert (desk.ready(), claimed) == ([ready], [])
    tasks.launch(str(ready))
    assert [held.attempt_id for held in claimed] == [ready]


def test_a_run_directory_that_is_not_there_has_no_room(tmp_path: Path) -> None:
    assert rundir.has_room(tmp_path)
    assert not rundir.has_room(tmp_path / "gone")
