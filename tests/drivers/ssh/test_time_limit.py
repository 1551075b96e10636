"""A command that takes too long is ended on the machine where that can be done; where not, nothing is claimed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from autorke.checks import collect
from autorke.drivers import ssh
from autorke.drivers.base import DockerError, RemoteTimeout
from autorke.drivers.ssh import remote as ssh_remote
from autorke.drivers.ssh.commands import seconds_there
from tests.sshd import Sshd

pytestmark = pytest.mark.sshd
LONG = "600"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets for how many seconds the machine lets a command run; we may then wait for its word as long as it takes."""
    return lambda seconds: monkeypatch.setattr(ssh_remote, "seconds_there", lambda _timeout: seconds)


@pytest.fixture
def remote(sshd: Sshd) -> Iterator[ssh.SshRemote]:
    with ssh.connect(sshd.target()) as connected:
        yield connected


def running(pid: int) -> bool:
    """Whether the process is there and not just waiting to be counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def pids(file: Path) -> list[int]:
    return [int(word) for word in file.read_text().split()]


def begun(file: Path, seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not (file.exists() and len(pids(file)) == 2) and time.monotonic() < deadline:
        time.sleep(0.02)
    return file.exists()


def gone(file: Path, seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(running, pids(file))) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(running, pids(file)))


def busy(file: Path, before: str = "") -> list[str]:
    """A command with a child of its own; both write down who they are."""
    return ["sh", "-c", f'{before} sleep {LONG} & echo $$ $! >"$1"; wait', "busy", str(file)]


@pytest.mark.parametrize("before", ["", "trap '' TERM;"])
def test_a_command_that_takes_too_long_is_ended_with_its_children(
    remote: ssh.SshRemote, tmp_path: Path, before: str, there: Callable[[int], None]
) -> None:
    there(3)
    with pytest.raises(ssh.CommandEnded) as caught:
        remote.run(busy(tmp_path / "pids", before), timeout=60)
    assert len(pids(tmp_path / "pids")) == 2
    assert gone(tmp_path / "pids")
    assert caught.value.maybe_done, "what it had done by then stays done"
    assert "ended there" in caught.value.message.en
    assert remote.run(["true"]).ok


def test_a_short_wait_ends_it_soon_after_we_have_gone(
    remote: ssh.SshRemote, tmp_path: Path, there: Callable[[int], None]
) -> None:
    there(6)
    with pytest.raises(RemoteTimeout) as caught:
        remote.run(busy(tmp_path / "pids"), timeout=3)
    assert not isinstance(caught.value, ssh.CommandEnded)
    assert gone(tmp_path / "pids")


def test_a_broken_connection_leaves_nothing_running_for_ever(
    make_sshd: Callable[..., Sshd], tmp_path: Path, there: Callable[[int], None]
) -> None:
    server = make_sshd()
    there(6)

    def cut() -> None:
        begun(tmp_path / "pids")
        server.signal_sessions(signal.SIGKILL)

    with ssh.connect(server.target()) as remote:
        cutter = threading.Thread(target=cut)
        cutter.start()
        with pytest.raises(ssh.ConnectionLost):
            remote.run(busy(tmp_path / "pids"), timeout=60)
        cutter.join()
    assert gone(tmp_path / "pids")


@pytest.mark.parametrize(
    "stub", ["exit 127", "echo \"timeout: unrecognized option '-k'\" >&2; exit 1"], ids=["absent", "old busybox"]
)
def test_a_machine_without_timeout_runs_commands_as_ever_and_no_end_is_claimed(
    make_sshd: Callable[..., Sshd], tmp_path: Path, stub: str
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "timeout").write_text(f"#!/bin/sh\n{stub}\n")
    (programs / "timeout").chmod(0o755)
    with ssh.connect(make_sshd(programs=programs).target()) as remote, ExitStack() as after:
        done = remote.run(["sh", "-c", "cat; echo trouble >&2; exit 3"], stdin=b"text")
        assert (done.exit_code, done.stdout, done.stderr) == (3, "text", "trouble\n")
        assert remote.run(["no-such-command"]).exit_code == 127
        after.callback(lambda: [os.kill(pid, signal.SIGKILL) for pid in pids(tmp_path / "p")])
        with pytest.raises(RemoteTimeout) as caught:
            remote.run(busy(tmp_path / "p"), timeout=6)
        assert not isinstance(caught.value, ssh.CommandEnded)
        assert caught.value.maybe_done
        assert all(map(running, pids(tmp_path / "p")))


@pytest.mark.parametrize("code", [124, 137, 143])
def test_an_exit_code_that_timeout_uses_too_is_the_commands_own_when_there_was_time(
    remote: ssh.SshRemote, code: int
) -> None:
    assert remote.run(["sh", "-c", f"exit {code}"]).exit_code == code


def test_a_facts_script_that_hangs_is_ended(
    make_sshd: Callable[..., Sshd], tmp_path: Path, there: Callable[[int], None]
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "awk").write_text(f'#!/bin/sh\necho $$ $PPID >"{tmp_path}/pids"\nexec sleep {LONG}\n')
    (programs / "awk").chmod(0o755)
    there(6)

    class NoDocker:
        def version(self) -> None:
            raise DockerError(name="m1", what="version", reason="not asked here")

    with ssh.connect(make_sshd(programs=programs).target()) as remote:
        found = collect.collect_node(remote, lambda _: NoDocker(), collect.Wanted())  # type: ignore[arg-type, return-value]
    assert found.machine_error is not None
    assert found.machine_error["code"] == "remote-timeout-ended"
    assert gone(tmp_path / "pids")


def test_the_machine_is_given_less_time_than_we_wait() -> None:
    assert [seconds_there(seconds) for seconds in (0.2, 1, 5.5, 6, 30, 45.5)] == [1, 1, 6, 3, 27, 42]
