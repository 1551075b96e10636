"""Passwords of one run: in the memory of this process, read there by ssh's askpass program and by Ansible's sudo.

stack.md §D5 asks for no password on disk, in argv, in the environment or in an event. ansible-runner's own ways write
vaults or want one password for all machines and the program sshpass; an anonymous file of the kernel (memfd) needs
neither: it has no name in any file system, and is gone with this process even after kill -9.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from autorke.drivers.ansible.errors import SshTooOld
from autorke.drivers.base import SshTarget

ASKPASS = Path(__file__).parent / "askpass"
OLDEST_SSH = (8, 4)
"""Since then ssh may be told to ask a program although it has a terminal (SSH_ASKPASS_REQUIRE)."""


class Passwords:
    """Holds the passwords that a run needs. Used as a context manager; afterwards nothing can read them any more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: list[int] = []
        self._becoming: set[str] = set()

    def keep(self, alias: str, target: SshTarget) -> None:
        """Both passwords of a machine, as far as it has them. Raises SshTooOld."""
        if target.password is not None:
            if not self._open:
                require_askpass()
            self._hold(f"login-{alias}", target.password)
        if target.become_password is not None:
            self._hold(f"become-{alias}", target.become_password)
            self._becoming.add(alias)

    def variables(self, alias: str) -> dict[str, str]:
        """What Ansible must know of the machine: where to read the password that sudo asks for."""
        if alias not in self._becoming:
            return {}
        command = f'cat -- "$AUTORKE_PASSWORDS/become-{alias}"'
        return {"ansible_become_password": "{{ lookup('ansible.builtin.pipe', '" + command + "') }}"}

    def environment(self) -> dict[str, str]:
        """For ssh and Ansible: the program to ask and the way to the passwords, never a password."""
        return {
            "SSH_ASKPASS": str(ASKPASS),
            "SSH_ASKPASS_REQUIRE": "force",
            "DISPLAY": "none",  # ssh asks no program without one
            "AUTORKE_PASSWORDS": str(self.folder),
        }

    def _hold(self, name: str, secret: str) -> None:
        if (self.folder / name).is_symlink():
            return
        handle = os.memfd_create(name)
        self._open.append(handle)
        os.write(handle, f"{secret}\n".encode())
        (self.folder / name).symlink_to(f"/proc/{os.getpid()}/fd/{handle}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._open:
            os.close(self._open.pop())


def require_askpass() -> None:
    """Raises SshTooOld where the ssh of this worker host cannot take a password from a program."""
    try:
        said = subprocess.run(["ssh", "-V"], capture_output=True, text=True, timeout=10, check=False).stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SshTooOld(version=str(error)) from error
    found = re.match(r"OpenSSH_(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_SSH:
        raise SshTooOld(version=said.strip()[:100] or "no version")
    if not os.access(ASKPASS, os.X_OK):
        raise SshTooOld(version=f"{ASKPASS} may not be executed")
