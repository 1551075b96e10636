"""What a worker host must have before a playbook can start; without it nothing is touched and the result says so."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autorke.core import contact
from autorke.drivers.ansible import AnsibleHost, NoTerminal, run_playbook
from autorke.drivers.base import SshTarget
from autorke.workflow.definition import Outcome
from autorke.workflow.states import NodeState

HOST = AnsibleHost(SshTarget("m1", "192.0.2.1", "root", host_key="ssh-ed25519 AAAA", private_key="key"))


@pytest.fixture
def memory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="autorke-", dir="/dev/shm") as directory:
        yield Path(directory)


def run(memory: Path) -> None:
    run_playbook(
        "init_worker",
        [HOST],
        variables={},
        run_dir=memory,
        emit=lambda _name, _line: None,
        cancelled=lambda: False,
        timeout=60,
    )


def test_without_a_terminal_nothing_is_started(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_there() -> tuple[int, int]:
        raise OSError(2, "No such file or directory")

    monkeypatch.setattr(os, "openpty", nothing_there)
    with contact.watched() as watch, pytest.raises(NoTerminal) as caught:
        run(memory)
    assert watch.sealed()
    assert list(memory.iterdir()) == []
    outcome = Outcome.of_error(caught.value)
    assert outcome.state is NodeState.FAILED
    assert "No such file or directory" in outcome.summary
    assert outcome.error is not None
    assert "devpts" in outcome.error["remedy"]["zh"]
    assert "devpts" in outcome.error["remedy"]["en"]


@pytest.mark.skipif(os.getuid() != 0, reason="SKIPPED: only root can take /dev/pts away in a namespace of its own")
def test_a_host_whose_dev_pts_is_missing_is_found_out(memory: Path) -> None:
    """In a private mount namespace, as in a bare chroot or container: /dev/pts is an empty directory."""
    probe = f"from autorke.drivers.ansible import require_ready; require_ready(__import__('pathlib').Path('{memory}'))"
    hidden = 'mount -t tmpfs none /dev/pts && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", hidden, "sh", sys.executable, "-c", probe]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.stderr.startswith(("unshare:", "mount:")):
        pytest.skip("SKIPPED: no mount namespace is granted here, or this is a chroot, where none can be made private")
    assert done.returncode == 1
    assert "NoTerminal" in done.stderr.splitlines()[-1]
