"""One run of one of our playbooks: events become log lines per host, the end becomes one result per host."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autorke.core import contact
from autorke.drivers.ansible.errors import AnsibleAbsent, NoTerminal, PlaybookFailed
from autorke.drivers.ansible.inventory import SshConfig, private_file, require_memory, ways, write_inventory
from autorke.drivers.ansible.passwords import Passwords
from autorke.drivers.ansible.playbooks import CONTENT, playbook_path
from autorke.drivers.base import Emit, SshTarget

MESSAGE_LIMIT = 2000
SOCKET_PATH_LIMIT = 48
CONNECT_SECONDS = 30
ANSWER_SECONDS = 60
"""Ansible itself gives a machine 10 s to connect and 12 s until sudo has answered: too little for a busy one."""


@dataclass(frozen=True)
class AnsibleHost:
    """A machine and what differs on it. Variables are shown in plans and logs: no secrets."""

    target: SshTarget
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HostResult:
    """How the playbook ended on one host. `ran` and `changed` count tasks."""

    ok: bool
    unreachable: bool = False
    ran: int = 0
    changed: int = 0
    failed_task: str | None = None
    message: str = ""


def run_playbook(
    name: str,
    hosts: Sequence[AnsibleHost],
    *,
    variables: Mapping[str, Any],
    run_dir: Path,
    emit: Emit,
    cancelled: Callable[[], bool],
    timeout: float,
    forks: int = 20,
) -> dict[str, HostResult]:
    """Run a playbook on hosts, by name of target. A host that never spoke is missing from the answer.

    `run_dir` must lie in memory and be private. `timeout` in seconds is for the whole run; `cancelled` is asked often
    and ends the run at once. Raises NotInMemory, AnsibleAbsent, NoTerminal, SshTooOld, NoLogin, HostKeyMissing,
    KeyError before anything is touched, and PlaybookFailed when no host was reached at all.
    """
    playbook = playbook_path(name)
    require_ready(run_dir)
    folder = run_dir / f"a{len(list(run_dir.iterdir()))}"
    folder.mkdir(mode=0o700)
    listener = _Listener(emit)
    try:
        with Passwords(folder) as passwords:
            config = SshConfig(folder, passwords)
            aliases = {config.add(host.target): dict(host.variables) for host in hosts}
            ssh_args = f"-F {config.write()} -o ConnectTimeout={CONNECT_SECONDS} {_sharing(folder)}"
            ours = {config.add(host.target): _ours(host.target, ssh_args, passwords) for host in hosts}
            inventory = write_inventory(folder, aliases, variables, ours)
            environment = _environment(folder, ssh_args, min(forks, len(hosts))) | passwords.environment()
            _run(folder, playbook, inventory, environment, listener, cancelled, timeout)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    results = listener.results()
    if not results:
        raise PlaybookFailed(name=name, task="-", reason=" ".join(listener.said)[-MESSAGE_LIMIT:] or "no output")
    return results


def _ours(target: SshTarget, ssh_args: str, passwords: Passwords) -> dict[str, str]:
    """Variables that make Ansible log in as we do. It forbids passwords to an ssh for which it has none itself, but
    ssh heeds what was said first."""
    found = passwords.variables(target.name)
    if target.password is not None:
        said = f"-o PreferredAuthentications={ways(target)}"
        found["ansible_ssh_args"] = (
            f"{ssh_args} -o PasswordAuthentication=yes -o KbdInteractiveAuthentication=yes {said}"
        )
    return found


def require_ready(run_dir: Path) -> None:
    """Whether this worker host can run a playbook at all. Raises NotInMemory, AnsibleAbsent, NoTerminal."""
    require_memory(run_dir)
    bin_dir()
    try:
        for end in os.openpty():
            os.close(end)
    except OSError as error:
        raise NoTerminal(reason=error.strerror or str(error)) from error


def _run(
    folder: Path,
    playbook: Path,
    inventory: Path,
    environment: dict[str, str],
    listener: _Listener,
    cancelled: Callable[[], bool],
    timeout: float,
) -> None:
    import ansible_runner  # 0.4 s: only steps that run a playbook pay for it

    contact.made()
    ansible_runner.run(
        private_data_dir=str(folder),
        playbook=str(playbook),
        inventory=str(inventory),
        ident="run",
        event_handler=listener.event,
        cancel_callback=cancelled,
        settings={"job_timeout": int(timeout), "suppress_ansible_output": True, "pexpect_use_poll": True},
        envvars=environment,
        quiet=True,
    )


def bin_dir() -> Path:
    """Where ansible-playbook is: AUTORKE_ANSIBLE_BIN, else beside this Python. Raises AnsibleAbsent."""
    folder = Path(os.environ.get("AUTORKE_ANSIBLE_BIN") or Path(sys.executable).parent)
    if not (folder / "ansible-playbook").exists():
        raise AnsibleAbsent(where=str(folder))
    return folder


def _environment(folder: Path, ssh_args: str, forks: int) -> dict[str, str]:
    """All of Ansible's settings by environment; the user's own ansible.cfg and collections play no part."""
    return {
        "PATH": f"{bin_dir()}:{os.environ.get('PATH', '/usr/bin:/bin')}",
        "HOME": str(folder),
        "ANSIBLE_CONFIG": str(private_file(folder / "ansible.cfg", "")),
        "ANSIBLE_ROLES_PATH": str(CONTENT / "roles"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_SSH_ARGS": ssh_args,
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder),
        "ANSIBLE_SSH_CONTROL_PATH": "%(directory)s/%%C",
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_SSH_TRANSFER_METHOD": "piped",  # needs no sftp subsystem on the machine
        "ANSIBLE_FORKS": str(forks),
        "ANSIBLE_TIMEOUT": str(ANSWER_SECONDS),
        "ANSIBLE_GATHERING": "smart",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "ANSIBLE_INTERPRETER_PYTHON": "auto_silent",
    }


def _sharing(folder: Path) -> str:
    """One connection per machine for all tasks, where its socket's path fits: ssh adds 58 characters of 107."""
    fits = len(str(folder)) <= SOCKET_PATH_LIMIT
    return "-o ControlMaster=auto -o ControlPersist=30s" if fits else "-o ControlMaster=no"


class _Listener:
    """Turns ansible-runner's events into lines and results."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self._ran: dict[str, int] = {}
        self._changed: dict[str, int] = {}
        self._failed: dict[str, tuple[str, str, bool]] = {}
        self._over = False
        self.said: list[str] = []

    def event(self, event: dict[str, Any]) -> bool:
        kind, data = event.get("event", ""), event.get("event_data", {})
        if kind in ("verbose", "error", "warning") and event.get("stdout"):
            self.said.append(str(event["stdout"])[:MESSAGE_LIMIT])
        host, task = data.get("host"), data.get("task", "")
        if kind == "playbook_on_stats":
            self._over = True
        if not host:
            return True
        result = data.get("res") or {}
        if kind == "runner_on_ok":
            self._ran[host] = self._ran.get(host, 0) + 1
            changed = bool(result.get("changed"))
            self._changed[host] = self._changed.get(host, 0) + changed
            self.emit(host, f"{'changed' if changed else 'ok'}: {task}")
        elif kind == "runner_on_skipped":
            self.emit(host, f"skipped: {task}")
        elif kind == "runner_on_unreachable" or (kind == "runner_on_failed" and not data.get("ignore_errors")):
            self._failed[host] = (task, _message(result), kind == "runner_on_unreachable")
            self.emit(host, f"failed: {task}: {self._failed[host][1]}")
        return True

    def results(self) -> dict[str, HostResult]:
        """A host is ok when it spoke, did not fail, and the playbook came to its end."""
        found = {}
        for host in {*self._ran, *self._failed}:
            task, message, unreachable = self._failed.get(host, (None, "", False))
            ok = task is None and self._over
            if task is None and not ok:
                message = "the run was ended before its last task"
            counts = {"ran": self._ran.get(host, 0), "changed": self._changed.get(host, 0)}
            found[host] = HostResult(ok, unreachable, failed_task=task, message=message, **counts)
        return found


def _message(result: Mapping[str, Any]) -> str:
    """The most telling part of a failed task's result."""
    for key in ("msg", "stderr", "module_stderr", "stdout"):
        text = str(result.get(key) or "").strip()
        if text:
            return text[:MESSAGE_LIMIT]
    return "no message"
