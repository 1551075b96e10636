"""Files written through a command: it needs no sftp subsystem and works under sudo."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import Protocol

from autorke.drivers.base import Completed, SshTarget
from autorke.drivers.ssh.errors import BadArgument, RemoteCommandFailed

# A constant text; what varies arrives as $1 (final path), $2 (its directory), $3 (mode) and $4 (size in bytes).
# The size is checked because a broken connection looks like the end of the input. dd is here for its fsync.
_SCRIPT = """
set -eu
umask 077
new=$(mktemp -- "$2/.autorke.XXXXXXXX")
trap 'rm -f -- "$new"' EXIT
dd of="$new" bs=65536 conv=fsync
test "$(wc -c <"$new")" -eq "$4" || { echo "input was cut short" >&2; exit 75; }
chmod -- "$3" "$new"
mv -fT -- "$new" "$1"
trap - EXIT
sync "$2"
"""
_BASE_SECONDS = 30.0
_BYTES_PER_SECOND = 1_000_000  # the slowest link that is still worth waiting for


class _Runs(Protocol):
    @property
    def target(self) -> SshTarget: ...
    def run(
        self, argv: Sequence[str], *, stdin: bytes | None = None, timeout: float = 30.0, sudo: bool = False
    ) -> Completed: ...


def write_atomically(remote: _Runs, path: str, data: bytes, *, mode: int, sudo: bool) -> None:
    """Temporary file beside the final one, fsync, rename. The directory must exist."""
    if not path.startswith("/") or path.endswith("/"):
        raise BadArgument(name=remote.target.name, reason=f"not an absolute file path: {path!r}")
    done = remote.run(
        ["sh", "-c", _SCRIPT, "write_file", path, posixpath.dirname(path), f"{mode:04o}", str(len(data))],
        stdin=data,
        timeout=_BASE_SECONDS + len(data) / _BYTES_PER_SECOND,
        sudo=sudo,
    )
    if not done.ok:
        raise RemoteCommandFailed(
            name=remote.target.name, what=f"write {path}", code=done.exit_code, reason=done.stderr.strip()[-500:]
        )
