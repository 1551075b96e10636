"""Inventory, ssh_config, keys and pinned host keys of one run: files in memory, private, gone with the run.

Ansible reads one alias per machine; address, port, user, key, host key and bastion stand in the ssh_config, so that
neither a key nor a password is ever on a command line.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autorke.drivers.ansible.errors import NoLogin, NotInMemory
from autorke.drivers.ansible.passwords import Passwords
from autorke.drivers.base import HostKeyMissing, SshTarget

_PLAIN = re.compile(r"[A-Za-z0-9._:-]+\Z")


def require_memory(path: Path) -> None:
    """Raises NotInMemory unless the path lies on a tmpfs or ramfs (stack.md §D5)."""
    real = str(path.resolve())
    best, kind = "", ""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        point = left.split()[4].replace("\\040", " ")
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, right.split()[0]
    if kind not in ("tmpfs", "ramfs"):
        raise NotInMemory(path=real)


def private_file(path: Path, text: str) -> Path:
    """A file that was never readable by anybody else."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    return path


def _plain(value: str, name: str) -> str:
    """A word that ssh_config takes as it is; anything else is a hostile value that validation should have refused."""
    if not _PLAIN.match(value):
        raise ValueError(f"{name}: not a plain word")
    return value


def ways(target: SshTarget) -> str:
    """What ssh may log in with, in this order."""
    found = ["publickey"] if target.private_key is not None else []
    return ",".join([*found, *(["password", "keyboard-interactive"] if target.password is not None else [])])


class SshConfig:
    """Collects the machines of a run (bastions included) and writes the files."""

    def __init__(self, folder: Path, passwords: Passwords) -> None:
        self.folder = folder
        self.passwords = passwords
        self._sections: dict[str, str] = {}
        self._pins: list[str] = []

    def add(self, target: SshTarget) -> str:
        """The alias of a machine. Raises NoLogin, HostKeyMissing, SshTooOld."""
        if target.private_key is None and target.password is None:
            raise NoLogin(name=target.name)
        if not target.host_key:
            raise HostKeyMissing(name=target.name)
        alias = _plain(target.name, "name")
        jump = self.add(target.bastion) if target.bastion else None
        if alias in self._sections:
            return alias
        self.passwords.keep(alias, target)
        self._pins.append(f"{alias} {' '.join(target.host_key.split()[:2])}")
        lines = [
            f"Host {alias}",
            f"  HostName {_plain(target.address, 'address')}",
            f"  Port {target.port}",
            f"  User {_plain(target.user, 'user')}",
            *self._login(target),
            f"  HostKeyAlias {alias}",
            *([f"  ProxyJump {jump}"] if jump else []),
        ]
        self._sections[alias] = "\n".join(lines)
        return alias

    def _login(self, target: SshTarget) -> list[str]:
        """The key first, then the password, as our own driver does; nothing of the local user is offered."""
        lines = ["  IdentityFile none"]
        if target.private_key is not None:
            path = self.folder / f"key-{len(self._sections)}"
            lines = [f"  IdentityFile {private_file(path, target.private_key.rstrip(chr(10)) + chr(10))}"]
        if target.password is not None:
            lines += ["  BatchMode no", "  NumberOfPasswordPrompts 1", f"  PreferredAuthentications {ways(target)}"]
        return lines

    def write(self) -> Path:
        pins = private_file(self.folder / "known_hosts", "\n".join(self._pins) + "\n")
        common = [
            "Host *",
            "  StrictHostKeyChecking yes",
            f"  UserKnownHostsFile {pins}",
            "  GlobalKnownHostsFile /dev/null",
            "  IdentitiesOnly yes",
            "  BatchMode yes",
            "  ConnectTimeout 30",
            "  ServerAliveInterval 15",
            "  ServerAliveCountMax 4",
        ]
        return private_file(self.folder / "ssh_config", "\n".join([*self._sections.values(), "\n".join(common)]) + "\n")


def write_inventory(
    folder: Path,
    hosts: Mapping[str, Mapping[str, Any]],
    variables: Mapping[str, Any],
    ours: Mapping[str, Mapping[str, str]],
) -> Path:
    """A JSON inventory (YAML's subset): values stay values, nothing is parsed as a template but `ours`, by alias."""
    given = {alias: {**_unsafe_free(values), **ours[alias]} for alias, values in hosts.items()}
    tree = {"all": {"hosts": given, "vars": _unsafe_free(variables)}}
    return private_file(folder / "inventory.json", json.dumps(tree))


def _unsafe_free(value: Any) -> Any:
    """Refuse template marks in values: a host name or label is data, never an expression."""
    if isinstance(value, str) and ("{{" in value or "{%" in value):
        raise ValueError("a value with template marks was refused")
    if isinstance(value, Mapping):
        return {key: _unsafe_free(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_unsafe_free(item) for item in value]
    return value
