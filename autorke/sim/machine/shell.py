"""The login shell of a simulated machine: one command line in, an exit code and two outputs out.

Not a shell: it knows the commands that the product sends, in the form in which it sends them. Anything else is exit
127, and is counted as `unknown_commands` so that a test can insist on zero. Add a command by putting a function into
`commands.COMMANDS`.
"""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING, Any

from autorke.drivers.ssh.commands import LIMITED
from autorke.sim import http
from autorke.sim.docker import api as docker_api
from autorke.sim.machine import ansible, commands
from autorke.sim.machine.result import Result, Run

if TYPE_CHECKING:
    from autorke.sim.machine.host import Host

ENOUGH = 64 * 1024 * 1024
"""Bytes of standard input that are kept."""


class Shell:
    """Serves one `exec` request of one SSH session."""

    def __init__(self, host: Host, user: str, process: Any) -> None:
        self.host = host
        self.user = user
        self.process = process

    async def serve(self) -> None:
        host, process = self.host, self.process
        line = process.command
        if line is None:
            process.exit(1)
            return
        host.world.record.count(host.name, "execs")
        words = _unlimited(_words(line))
        if words is None:
            self._end(Result(2, stderr=f"sh: syntax error: {line[:100]!r}"))
            return
        if not await self._fault(words):
            return
        if words[-3:] == ["docker", "system", "dial-stdio"]:
            await http.serve(process.stdin, process.stdout, docker_api.handler(host))
            process.exit(0)
            return
        early = ansible.greeting(Run(host, self.user, words))
        if early:
            process.stdout.write(early.encode())
        stdin = await self._input() if commands.reads_input(_without_sudo(words)) else b""
        result = run(Run(host, self.user, words, stdin))
        if result.seconds:
            await asyncio.sleep(result.seconds)
        self._end(result)

    async def _input(self) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while piece := await self.process.stdin.read(65536):
            size += len(piece)
            if size <= ENOUGH:
                pieces.append(piece)
        return b"".join(pieces)

    async def _fault(self, words: list[str]) -> bool:
        """Apply a scripted fault; False when the command is not to be run any more."""
        fault = self.host.strike("exec", next(iter(_without_sudo(words)), ""))
        if fault is None:
            return True
        if fault.kind == "slow":
            await asyncio.sleep(fault.ms / 1000)
            return True
        if fault.kind == "hang":
            await fault.hold()
            return True
        if fault.kind == "die":
            self.host.die()
            return False
        if fault.kind in {"cut", "cut_after"}:
            if fault.kind == "cut_after":
                run(Run(self.host, self.user, words, await self._input()))
            self.process.channel.get_connection().abort()
            return False
        if fault.kind == "garbage":
            self._end(Result(0, "\x00\x01 half an ans"))
            return False
        self._end(Result(fault.status if 0 < fault.status < 256 else 1, stderr=fault.text))
        return False

    def _end(self, result: Result) -> None:
        if result.stdout:
            self.process.stdout.write(result.stdout.encode())
        if result.stderr:
            self.process.stderr.write(result.stderr.encode())
        self.process.exit(result.code)


def _without_sudo(words: list[str]) -> list[str]:
    return words[words.index("--") + 1 :] if words[:2] == ["sudo", "-n"] and "--" in words else words


def _unlimited(words: list[str] | None) -> list[str] | None:
    """What the product runs under the machine's `timeout`; a simulated command that hangs outlasts that, too."""
    return words[4:] if words is not None and words[:3] == ["sh", "-c", LIMITED] else words


def _words(line: str) -> list[str] | None:
    try:
        return shlex.split(line)
    except ValueError:
        return None


def run(call: Run) -> Result:
    """Run one command; `sudo` is taken off first."""
    words = call.words
    if words and words[0] == "sudo":
        if call.user != "root" and call.host.facts.sudo != "nopasswd":
            return Result(1, stderr="sudo: a password is required\n")
        words = words[1:]
        while words and words[0].startswith("-"):
            if words.pop(0) == "--":
                break
        call = Run(call.host, "root", words, call.stdin)
    return commands.execute(call)
