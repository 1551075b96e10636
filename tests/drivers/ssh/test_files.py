"""A file on a machine is the old one or the new one, never a piece."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from autorke.drivers import ssh
from autorke.drivers.ssh.files import _SCRIPT
from tests.sshd import Sshd

pytestmark = pytest.mark.sshd


def test_a_new_file_is_private_unless_said_otherwise(sshd: Sshd, tmp_path: Path) -> None:
    with ssh.connect(sshd.target()) as remote:
        remote.write_file(f"{tmp_path}/secret", b"x")

    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_a_link_is_replaced_and_not_followed(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with ssh.connect(sshd.target()) as remote:
        remote.write_file(f"{tmp_path}/link", b"new")

    assert (tmp_path / "real").read_text() == "old"
    assert not (tmp_path / "link").is_symlink()


def test_a_directory_is_not_written_into(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "kubernetes").mkdir()

    with ssh.connect(sshd.target()) as remote, pytest.raises(ssh.RemoteCommandFailed):
        remote.write_file(f"{tmp_path}/kubernetes", b"x")

    assert list((tmp_path / "kubernetes").iterdir()) == []
    assert os.listdir(tmp_path) == ["kubernetes"]


def test_input_that_was_cut_short_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    words = ["sh", "-c", _SCRIPT, "write_file", f"{tmp_path}/file", str(tmp_path), "0600", "1000"]

    done = subprocess.run(words, input=b"only this", capture_output=True, check=False)

    assert done.returncode == 75
    assert (tmp_path / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("path", ["relative", "", "/etc/", "-rf"])
def test_a_path_that_is_no_file_is_refused(sshd: Sshd, path: str) -> None:
    with ssh.connect(sshd.target()) as remote, pytest.raises(ssh.BadArgument):
        remote.write_file(path, b"x")


def test_a_failure_never_quotes_the_content(sshd: Sshd) -> None:
    with ssh.connect(sshd.target()) as remote, pytest.raises(ssh.RemoteCommandFailed) as caught:
        remote.write_file("/no/such/directory/file", b"hunter2")

    assert "hunter2" not in str(caught.value.as_json())


def test_sudo_writes_where_the_user_may_not(make_sshd: Callable[..., Sshd], tmp_path: Path) -> None:
    stub = tmp_path / "sudo"
    stub.write_text(
        '#!/bin/sh\n[ "$1 $2" = "-n --" ] || exit 9\nshift 2\necho used >"' + str(tmp_path) + '/log"\nexec "$@"\n'
    )
    stub.chmod(0o755)
    server = make_sshd(programs=tmp_path)

    with ssh.connect(server.target()) as remote:
        remote.write_file(f"{tmp_path}/file", b"data" * 100_000, sudo=True)

    assert (tmp_path / "file").read_bytes() == b"data" * 100_000
    assert (tmp_path / "log").read_text() == "used\n"
