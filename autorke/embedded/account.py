"""Under which user a child runs, and whether that user can reach a file. PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autorke.embedded.errors import UnknownAccount

VARIABLE = "AUTORKE_EMBEDDED_USER"


@dataclass(frozen=True)
class Account:
    """A user with a passwd entry: PostgreSQL looks its own name up."""

    name: str
    uid: int
    gid: int

    def may_enter(self, directory: Path) -> bool:
        """Whether this account can traverse every directory from the root down to `directory` (ACLs not read)."""
        return all(self._may_search(part.stat()) for part in (directory, *directory.parents))

    def _may_search(self, found: os.stat_result) -> bool:
        if found.st_uid == self.uid:
            return bool(found.st_mode & stat.S_IXUSR)
        if found.st_gid == self.gid:
            return bool(found.st_mode & stat.S_IXGRP)
        return bool(found.st_mode & stat.S_IXOTH)


def database_account(environ: Mapping[str, str] = os.environ) -> Account:
    """Who runs the embedded databases: ourselves, or `AUTORKE_EMBEDDED_USER` (default nobody) when we are root."""
    if os.geteuid() != 0:
        entry = pwd.getpwuid(os.geteuid())
        return Account(entry.pw_name, os.geteuid(), os.getegid())
    name = environ.get(VARIABLE, "nobody")
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise UnknownAccount(name=name) from error
    if entry.pw_uid == 0:
        raise UnknownAccount(name=f"{name} (uid 0)")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def private_directory(path: Path, account: Account | None = None) -> Path:
    """Make `path` with mode 0700, owned by `account` (default: us); tighten it when it is already there."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if account is not None and os.geteuid() == 0:
        os.chown(path, account.uid, account.gid)
    path.chmod(0o700)
    return path
