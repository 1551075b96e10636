"""What goes into a simulated command, and what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autorke.sim.machine.host import Host


@dataclass(frozen=True)
class Result:
    """What a command prints, its exit code, and how many seconds it takes."""

    code: int = 0
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Run:
    """One command as it is to run: `words` without sudo, by which user, with what on standard input."""

    host: Host
    user: str
    words: list[str]
    stdin: bytes = b""

    @property
    def args(self) -> list[str]:
        return self.words[1:]

    @property
    def operands(self) -> list[str]:
        """Arguments that are not options; after `--` everything is one."""
        args = self.args
        end = args.index("--") if "--" in args else len(args)
        return [word for word in args[:end] if not word.startswith("-")] + args[end + 1 :]


Command = Callable[[Run], Result | None]
"""A command of the table. None: this form of it is not known here."""
