"""Commands: words stay words, output is bounded, and nothing lasts longer than it may."""

from __future__ import annotations

import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import paramiko
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autorke.drivers import ssh
from autorke.drivers.base import RemoteTimeout, Unreachable
from autorke.drivers.fanout import fan_out
from autorke.drivers.ssh import commands
from autorke.drivers.ssh.commands import OUTPUT_LIMIT, command_line
from tests.sshd import Sshd

pytestmark = pytest.mark.sshd

WORD = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1)


@pytest.fixture
def remote(sshd: Sshd) -> Iterator[ssh.SshRemote]:
    with ssh.connect(sshd.target()) as connected:
        yield connected


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


@given(st.lists(WORD, min_size=1, max_size=4))
def test_a_shell_reads_back_exactly_the_words(words: list[str]) -> None:
    line = command_line(["printf", "%s\\0", *words])

    seen = subprocess.run(["sh", "-c", line], capture_output=True, check=True).stdout  # the shell is what is tested

    assert seen == b"".join(word.encode() + b"\0" for word in words)
    assert shlex.split(line.decode())[2:] == words


@pytest.mark.parametrize("first", ["A=b", "if", "=ls", "~", "exit", "-x", ":;id"])
def test_the_first_word_is_a_command_and_nothing_else(first: str) -> None:
    assert command_line([first]).decode() == f"'{first}'"


def test_sudo_never_asks_and_takes_the_words_as_a_command() -> None:
    assert shlex.split(command_line(["-u", "x"], sudo=True).decode()) == ["sudo", "-n", "--", "-u", "x"]


def test_a_sudo_that_asks_gets_its_password_and_never_as_input_of_a_command_that_reads(
    make_sshd: Callable[..., Sshd], tmp_path: Path
) -> None:
    (tmp_path / "sudo").write_text('#!/bin/sh\necho "$*"\ncat\n')
    (tmp_path / "sudo").chmod(0o755)
    server = make_sshd(programs=tmp_path)
    with ssh.connect(server.target(become_password="s3cret")) as remote:
        assert remote.run(["id"], sudo=True).stdout == "-S -p  -- id\ns3cret\n"
        assert remote.run(["tee", "/x"], sudo=True, stdin=b"text").stdout == "-n -- tee /x\ntext"
        assert remote.run(["cat"]).stdout == ""
    with ssh.connect(server.target()) as remote:
        assert remote.run(["id"], sudo=True).stdout == "-n -- id\n"


@pytest.mark.parametrize("argv", [[], [""], ["echo", "a\0b"], ["echo", "\ud800"]])
def test_what_no_command_can_receive_is_refused(remote: ssh.SshRemote, argv: list[str]) -> None:
    with pytest.raises(ssh.BadArgument):
        remote.run(argv)
    with pytest.raises(ssh.BadArgument):
        remote.open_command(argv)


def test_sudo_runs_the_command_as_root(make_sshd: Callable[..., Sshd], tmp_path: Path) -> None:
    stub = tmp_path / "sudo"
    stub.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    stub.chmod(0o755)
    server = make_sshd(programs=tmp_path)

    with ssh.connect(server.target()) as remote:
        assert remote.run(["touch", "a b"], sudo=True).stdout == "-n|--|touch|a b|"


def test_a_command_ended_by_a_signal_has_no_exit_code(remote: ssh.SshRemote) -> None:
    done = remote.run(["sh", "-c", "echo before; kill -9 $$"])

    assert (done.exit_code, done.stdout) == (-1, "before\n")
    assert not done.ok


def test_output_beyond_the_limit_is_dropped_and_the_command_ends(remote: ssh.SshRemote) -> None:
    done = remote.run(["sh", "-c", "head -c 6000000 /dev/zero; head -c 6000000 /dev/zero >&2; exit 5"], timeout=120)

    assert (done.exit_code, len(done.stdout), len(done.stderr)) == (5, OUTPUT_LIMIT, OUTPUT_LIMIT)


def test_much_input_and_much_output_do_not_block_each_other(remote: ssh.SshRemote) -> None:
    data = bytes(8_000_000)

    assert len(remote.run(["cat"], stdin=data, timeout=120).stdout) == OUTPUT_LIMIT
    assert remote.run(["wc", "-c"], stdin=data, timeout=120).stdout == "8000000\n"


def test_input_that_nobody_reads_is_no_failure(remote: ssh.SshRemote) -> None:
    assert remote.run(["true"], stdin=bytes(8_000_000), timeout=120).ok


def test_a_line_that_is_cut_while_input_is_written_raises_nothing_beside_the_reader() -> None:
    """paramiko says EOFError, not OSError, when the transport dies under a write."""

    class Cut:
        def sendall(self, _data: bytes) -> None:
            raise EOFError

    commands._feed(cast(paramiko.Channel, Cut()), b"input")


def test_output_that_is_not_text_is_kept_readable(remote: ssh.SshRemote) -> None:
    assert remote.run(["printf", r"ok\377"]).stdout == "ok�"


def test_more_threads_than_sshd_has_sessions_for_take_turns(remote: ssh.SshRemote) -> None:
    outcomes = fan_out(range(30), lambda number: remote.run(["sh", "-c", f"sleep 0.1; echo {number}"]).stdout)

    assert [outcome.value for outcome in outcomes] == [f"{number}\n" for number in range(30)]


def test_waiting_for_a_turn_is_part_of_the_time_limit(remote: ssh.SshRemote, tmp_path: Path) -> None:
    script = 'touch "$1/$2"; until [ -e "$1/over" ]; do sleep 0.05; done'
    commands = [["sh", "-c", script, "sh", str(tmp_path), f"begun-{number}"] for number in range(8)]
    threads = [threading.Thread(target=remote.run, args=(one,), kwargs={"timeout": 120}) for one in commands]
    for thread in threads:
        thread.start()
    assert wait_until(lambda: len(list(tmp_path.glob("begun-*"))) == 8)

    with pytest.raises(RemoteTimeout):
        remote.run(["true"], timeout=0.3)
    (tmp_path / "over").touch()
    for thread in threads:
        thread.join()


def test_a_frozen_machine_costs_no_more_than_the_time_limit(make_sshd: Callable[..., Sshd]) -> None:
    server = make_sshd()
    with ssh.connect(server.target()) as remote:
        remote.run(["true"])
        server.signal_sessions(signal.SIGSTOP)

        with pytest.raises((RemoteTimeout, Unreachable), match=r"0\.5 s"):
            remote.run(["true"], timeout=0.5)
        with pytest.raises(Unreachable, match=r"no answer within 0\.5 s"):
            remote.open_unix("/nowhere", timeout=0.5)
        with pytest.raises(Unreachable, match=r"no answer within 0\.5 s"):
            remote.open_tcp("127.0.0.1", 1, timeout=0.5)


def test_a_connection_that_breaks_leaves_the_outcome_open(make_sshd: Callable[..., Sshd], tmp_path: Path) -> None:
    server = make_sshd()

    def cut() -> None:
        wait_until((tmp_path / "begun").exists)
        server.signal_sessions(signal.SIGKILL)

    with ssh.connect(server.target()) as remote:
        cutter = threading.Thread(target=cut)
        cutter.start()

        with pytest.raises(ssh.ConnectionLost) as caught:
            remote.run(["sh", "-c", 'touch "$1"; sleep 20', "sh", str(tmp_path / "begun")], timeout=90)

        cutter.join()
        assert caught.value.maybe_done
        assert caught.value.unreachable


def test_after_it_broke_nothing_can_have_happened(make_sshd: Callable[..., Sshd]) -> None:
    server = make_sshd()
    with ssh.connect(server.target()) as remote:
        server.signal_sessions(signal.SIGKILL)
        assert wait_until(lambda: not remote.alive)

        with pytest.raises(Unreachable) as caught:
            remote.run(["true"])

        assert not caught.value.maybe_done
        assert not remote.alive
