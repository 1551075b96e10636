"""`SshRemote`: the `Remote` of a real machine."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

import paramiko

from autorke.core import contact
from autorke.drivers.base import ByteStream, Completed, ForwardingRefused, Remote, RemoteTimeout, SshTarget
from autorke.drivers.ssh.commands import command_line, converse, seconds_there
from autorke.drivers.ssh.dialing import unreachable
from autorke.drivers.ssh.errors import BadArgument, CommandEnded, ConnectionLost
from autorke.drivers.ssh.files import write_atomically
from autorke.drivers.ssh.ordered import in_order
from autorke.drivers.ssh.stream import ChannelStream
from autorke.drivers.streamlocal import open_streamlocal

# sshd's MaxSessions is 10 by default and counts commands, not forwarded streams: two are left for people.
_COMMANDS_AT_ONCE = 8
_SECONDS_FOR_A_SESSION = 5.0
_ENDED_THERE = frozenset({124, 137, 143, -1})
"""What `timeout` reports when the time is up: 124, or that it went down together with what it had to kill."""

Opened = TypeVar("Opened")


class SshRemote:
    """An authenticated connection. Made by `connect`; closing it also closes the bastion connection it opened."""

    def __init__(self, target: SshTarget, transport: paramiko.Transport, bastion: Remote | None = None) -> None:
        self._target = target
        self._transport = transport
        self._bastion = bastion
        self._commands = threading.BoundedSemaphore(_COMMANDS_AT_ONCE)

    @property
    def target(self) -> SshTarget:
        return self._target

    @property
    def alive(self) -> bool:
        return self._transport.is_active()

    def run(
        self, argv: Sequence[str], *, stdin: bytes | None = None, timeout: float = 30.0, sudo: bool = False
    ) -> Completed:
        """Run one command and wait for its end. `exit_code` is -1 when a signal ended it.

        With `sudo` and nothing on stdin, the machine's become password is given to sudo where there is one: a sudo
        that does not want it leaves it to the command, which must therefore be one that reads no input of ours.
        The machine itself ends a command that takes too long, also when the connection broke, where it has `timeout`.
        Raises CommandEnded (it was, and told us), RemoteTimeout (its channel is closed; the command may go on),
        ConnectionLost, BadArgument.
        """
        secret = self._target.become_password if sudo and stdin is None else None
        limit, what = seconds_there(timeout), argv[0] if argv else ""
        line = self._line(argv, sudo, ask=secret is not None, limit=limit)
        stdin = stdin if secret is None else f"{secret}\n".encode()
        deadline = time.monotonic() + timeout
        if not self._commands.acquire(timeout=timeout):
            raise RemoteTimeout(name=self._target.name, seconds=timeout, what=what)
        try:
            with self._session(timeout) as channel, _closed_at(deadline, channel) as expired:
                started = time.monotonic()
                completed = self._carry_out(channel, line, stdin)
                took = time.monotonic() - started
        finally:
            self._commands.release()
        if completed is not None and took >= limit and completed.exit_code in _ENDED_THERE:
            raise CommandEnded(name=self._target.name, seconds=limit, what=what)
        if completed is not None:
            return completed
        if expired():
            raise RemoteTimeout(name=self._target.name, seconds=timeout, what=what)
        raise ConnectionLost(name=self._target.name, what=what)

    def open_command(self, argv: Sequence[str], *, timeout: float = 10.0, sudo: bool = False) -> ByteStream:
        """A stream to stdin and stdout of a command that runs until the stream is closed."""
        line = self._line(argv, sudo)
        channel = self._open_session(timeout)
        with _closed_at(time.monotonic() + timeout, channel):
            self._open(argv[0], lambda: channel.exec_command(line), timeout)
        return ChannelStream(channel)

    def open_unix(self, path: str, *, timeout: float = 10.0) -> ByteStream:
        """Raises ForwardingRefused: socket missing, denied or unattended, or forwarding forbidden (sshd tells not)."""
        opened = self._open(path, lambda: open_streamlocal(self._transport, path, timeout), timeout)
        return ChannelStream(in_order(opened))

    def open_tcp(self, host: str, port: int, *, timeout: float = 10.0) -> ByteStream:
        """Raises ForwardingRefused: nobody listens there, or forwarding is forbidden."""
        origin = ("127.0.0.1", 0)
        opened = self._open(
            f"{host}:{port}",
            lambda: self._transport.open_channel("direct-tcpip", (host, port), origin, timeout=timeout),
            timeout,
        )
        return ChannelStream(in_order(opened))

    def write_file(self, path: str, data: bytes, *, mode: int = 0o600, sudo: bool = False) -> None:
        """Replace the file at once, or leave it untouched. Raises RemoteCommandFailed."""
        write_atomically(self, path, data, mode=mode, sudo=sudo)

    def close(self) -> None:
        self._transport.close()
        if self._bastion is not None:
            self._bastion.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _line(self, argv: Sequence[str], sudo: bool, *, ask: bool = False, limit: int | None = None) -> bytes:
        try:
            return command_line(argv, sudo=sudo, ask=ask, limit=limit)
        except ValueError as error:
            raise BadArgument(name=self._target.name, reason=str(error)) from None

    @contextlib.contextmanager
    def _session(self, timeout: float) -> Iterator[paramiko.Channel]:
        """A channel for one command. Nothing has been run when this raises."""
        channel = self._open_session(timeout)
        try:
            yield channel
        finally:
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                channel.close()

    def _open_session(self, timeout: float) -> paramiko.Channel:
        """sshd counts a command that we are done with until it has noticed, so a refusal is asked again for a while."""
        patience = time.monotonic() + min(timeout, _SECONDS_FOR_A_SESSION)
        while True:
            try:
                opened = self._open("a session", lambda: self._transport.open_session(timeout=timeout), timeout)
                return in_order(opened)
            except ForwardingRefused:
                if time.monotonic() > patience:
                    raise
                time.sleep(0.05)

    def _carry_out(self, channel: paramiko.Channel, line: bytes, stdin: bytes | None) -> Completed | None:
        """None when the channel went away before the command told how it ended."""
        try:
            channel.exec_command(line)
            stdout, stderr = converse(channel, stdin)
        except (paramiko.SSHException, OSError, EOFError):
            return None
        code = channel.recv_exit_status()
        if code == -1 and not (channel.eof_received and self._still_alive()):
            return None
        return Completed(code, stdout.decode(errors="replace"), stderr.decode(errors="replace"))

    def _still_alive(self) -> bool:
        """Whether the connection outlived a command without exit code; a broken one takes a moment to be noticed."""
        self._transport.join(0.2)
        return self._transport.is_active()

    def _open(self, what: str, opener: Callable[[], Opened], timeout: float) -> Opened:
        """Everything that is done on the machine begins with a channel."""
        contact.made()
        try:
            return opener()
        except paramiko.ChannelException as error:
            raise ForwardingRefused(name=self._target.name, what=what, reason=error.text) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            reason = str(error) or "the connection is closed"
            if isinstance(error, TimeoutError) or "Timeout" in reason:
                reason = f"no answer within {timeout:g} s while opening {what}"
            raise unreachable(self._target, reason) from error


@contextlib.contextmanager
def _closed_at(deadline: float, channel: paramiko.Channel) -> Iterator[Callable[[], bool]]:
    """Close the channel at the deadline, which frees whoever waits on it: paramiko's own waits have no time limit."""
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            channel.close()

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), expire)
    timer.daemon = True
    timer.start()
    try:
        yield expired.is_set
    finally:
        timer.cancel()
