"""Playbooks on machines that only know passwords: real Ansible, a real sshd, no secret where others can look."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autorke.drivers import ansible
from autorke.drivers.ansible import passwords
from autorke.drivers.base import SshTarget
from tests.sshd import PlainUser, Sshd, make_sshd, plain_user
from tests.terminal import needs_terminal

__all__ = ["make_sshd", "plain_user"]

BECOME = "s3cret of sudo $(id) {{ 1 }}"
PLAYBOOK = """
- name: Look around
  hosts: all
  gather_facts: false
  tasks:
    - name: Say who logged in
      ansible.builtin.command: id -un
    - name: Say who acts
      when: become_too | bool
      become: true
      ansible.builtin.command: printenv WHO_ACTS
"""
# What sudo does with a password on standard input, for a machine that has no sudo or another policy.
SUDO = """#!/bin/sh
prompt=
while [ $# -gt 0 ]; do
    case $1 in
        -p) prompt=$2; shift 2 ;;
        -u) shift 2 ;;
        -*) shift ;;
        *) break ;;
    esac
done
printf '%s' "$prompt" >&2
IFS= read -r answer
[ "$answer" = 's3cret of sudo $(id) {{ 1 }}' ] || { echo 'sudo: 1 incorrect password attempt' >&2; exit 1; }
WHO_ACTS=root exec "$@"
"""


@pytest.fixture
def memory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="autorke-", dir="/dev/shm") as directory:
        yield Path(directory)


@pytest.fixture
def play(
    memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[dict[str, ansible.HostResult], list[str]]]:
    """Run the playbook above; results by machine, and every line that was told."""
    (tmp_path / "look.yml").write_text(PLAYBOOK)
    monkeypatch.setattr("autorke.drivers.ansible.run.playbook_path", lambda _name: tmp_path / "look.yml")

    def run(*targets: SshTarget, become: bool = False) -> tuple[dict[str, ansible.HostResult], list[str]]:
        told: list[str] = []
        hosts = [ansible.AnsibleHost(target, {"become_too": become}) for target in targets]
        found = ansible.run_playbook(
            "look",
            hosts,
            variables={},
            run_dir=memory,
            emit=lambda name, line: told.append(f"{name} {line}"),
            cancelled=lambda: False,
            timeout=120,
        )
        return found, told

    return run


@pytest.fixture
def server(make_sshd: Callable[..., Sshd], tmp_path: Path) -> Sshd:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "sudo").write_text(SUDO)
    for path in (tools / "sudo", tools, *tools.parents[:-2]):
        path.chmod(path.stat().st_mode | 0o555)
    return make_sshd(programs=tools, PasswordAuthentication="yes")


class Lookout(threading.Thread):
    """Reads, again and again, what others can read: argv and environment of every process, every file of the run."""

    def __init__(self, memory: Path, *secrets: str) -> None:
        super().__init__(daemon=True)
        self.memory, self.secrets = memory, [secret.encode() for secret in secrets]
        self.seen: set[str] = set()
        self.rounds = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            for path in (*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")):
                self._look(path)
            with contextlib.suppress(FileNotFoundError):  # the run may clear its directory away meanwhile
                for path in self.memory.rglob("*"):
                    if path.is_file() and not path.is_symlink():
                        self._look(path)
            self.rounds += 1

    def _look(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            content = path.read_bytes()
            if any(secret in content for secret in self.secrets):
                self.seen.add(str(path))

    def __enter__(self) -> Lookout:
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.over.set()
        self.join(30)


@needs_terminal
def test_a_password_and_the_one_of_sudo_reach_the_machine_and_nobody_else(
    server: Sshd, plain_user: PlainUser, play: Callable[..., Any], memory: Path
) -> None:
    target = server.target(user=plain_user.name, password=plain_user.password, become_password=BECOME, private_key=None)
    control = Lookout(memory, plain_user.name)
    with Lookout(memory, plain_user.password, BECOME) as lookout, control:
        found, told = play(target, become=True)
    assert found["m1"].ok, found
    assert found["m1"].ran == 2
    assert lookout.seen == set()
    assert lookout.rounds > 3
    assert control.seen  # the user's name is no secret: who looks, sees it
    assert plain_user.password not in "".join(told)
    assert BECOME not in "".join(told)
    assert list(memory.iterdir()) == []


@needs_terminal
def test_a_wrong_password_is_a_machine_that_was_not_reached(
    server: Sshd, plain_user: PlainUser, play: Callable[..., Any]
) -> None:
    found, told = play(server.target(user=plain_user.name, password="wrong horse", private_key=None))
    assert (found["m1"].ok, found["m1"].unreachable) == (False, True)
    assert "Permission denied" in found["m1"].message
    assert "wrong horse" not in "".join(told)


@needs_terminal
def test_a_wrong_password_of_sudo_is_a_failed_task(
    server: Sshd, plain_user: PlainUser, play: Callable[..., Any]
) -> None:
    wrong = {"user": plain_user.name, "password": plain_user.password, "become_password": "not it", "private_key": None}
    found, told = play(server.target(**wrong), become=True)
    assert (found["m1"].ok, found["m1"].failed_task) == (False, "Say who acts")
    assert "not it" not in "".join(told)


@needs_terminal
def test_each_machine_gets_its_own_password_also_behind_a_bastion(
    server: Sshd, make_sshd: Callable[..., Sshd], plain_user: PlainUser, play: Callable[..., Any]
) -> None:
    """A bastion that wants a password, behind it one machine with a key and one with a password."""
    bastion = server.target("gate", user=plain_user.name, password=plain_user.password, private_key=None)
    inner = make_sshd(PasswordAuthentication="yes")
    by_key = inner.target("by-key", bastion=bastion)
    by_word = inner.target(
        "by-word", user=plain_user.name, password=plain_user.password, private_key=None, bastion=bastion
    )
    found, _ = play(by_key, by_word)
    assert {name: result.ok for name, result in found.items()} == {"by-key": True, "by-word": True}, found


@needs_terminal
def test_a_machine_without_any_secret_is_refused(play: Callable[..., Any]) -> None:
    with pytest.raises(ansible.NoLogin):
        play(SshTarget("m1", "192.0.2.1", "root", host_key="ssh-ed25519 AAAA"))


@needs_terminal
def test_an_ssh_that_cannot_take_a_password_is_refused(
    play: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ssh").write_text("#!/bin/sh\necho 'OpenSSH_8.0p1, OpenSSL 1.1.1k' >&2\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(ansible.SshTooOld) as caught:
        play(SshTarget("m1", "192.0.2.1", "root", host_key="ssh-ed25519 AAAA", password="x"))
    assert "8.0p1" in caught.value.message.en


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("root@m1's password: ", "of m1"),
        ("(root@m1) Password: ", "of m1"),
        ("(root@m1) Password for root@m2: ", "of m1"),
        ("(root@m1) x@m2's password: ", "of m1"),
        ("(root@m1) Verification code: ", ""),
        ("Enter root@m1's old password: ", ""),
        ("Enter passphrase for key '/x': ", ""),
        ("root@../m1's password: ", ""),
        ("root@m3's password: ", ""),
        ("", ""),
    ],
)
def test_the_askpass_program_answers_for_the_machine_that_ssh_speaks_to(
    tmp_path: Path, question: str, answer: str
) -> None:
    """A machine that leads the dialogue may write what it likes into its question."""
    for name in ("m1", "m2"):
        (tmp_path / f"login-{name}").write_text(f"of {name}\n")
    environ = {"PATH": os.environ["PATH"], "AUTORKE_PASSWORDS": str(tmp_path)}
    done = subprocess.run([passwords.ASKPASS, question], env=environ, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == answer
    assert (done.returncode == 0) == bool(answer)
