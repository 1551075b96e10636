"""One child process: how to start it so that it dies with us, how to tell that it is ready, how to stop it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autorke.embedded.account import Account
from autorke.embedded.errors import StartFailed

PR_SET_PDEATHSIG = 1
LINE_LIMIT = 300
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Service:
    """What to run. `stdin` is written once and closed: configuration that must not show in argv. Times in seconds."""

    name: str
    argv: tuple[str, ...]
    log: Path
    ready: Callable[[int], bool]
    """Called with the process id until it says True."""
    environ: Mapping[str, str] = field(repr=False)
    account: Account | None = None
    stdin: bytes = field(default=b"", repr=False)
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 2.5
    start_timeout: float = 240.0
    database: bool = False
    """Databases are stopped last."""
    once: bool = False
    """Work that has an end: it is not started again when it ends."""


Process = subprocess.Popen[bytes]


def spawn(service: Service) -> Process:
    """Start in a process group of its own, so that Ctrl-C reaches only us and stopping stays in order.

    Call it on the main thread only: the kernel sends the death signal when the *thread* that forked ends, and
    preexec_fn is safe only while no other thread holds a lock.
    """
    parent = os.getpid()

    def die_with_parent() -> None:  # runs in the child, after the change of user (which would clear the setting)
        _libc.prctl(PR_SET_PDEATHSIG, int(service.stop_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    drop = service.account if os.geteuid() == 0 else None
    with service.log.open("ab") as log:
        process = subprocess.Popen(
            service.argv,
            stdin=subprocess.PIPE if service.stdin else subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(service.environ),
            cwd="/" if drop else None,
            user=drop.uid if drop else None,
            group=drop.gid if drop else None,
            extra_groups=[] if drop else None,
            process_group=0,
            preexec_fn=die_with_parent,
        )
    if process.stdin:
        process.stdin.write(service.stdin)
        process.stdin.close()
    return process


@dataclass
class StopRequest:
    """Set by signal handlers. A plain flag: threading.Event takes a lock that the interrupted code may hold."""

    made: bool = False


def wait_ready(service: Service, process: Process, stop: StopRequest | None = None) -> None:
    """Until it is ready, or a stop is requested. Raises StartFailed when it exits or `start_timeout` passes."""
    stop = stop or StopRequest()
    started = time.monotonic()
    while not stop.made and not service.ready(process.pid):
        waited = time.monotonic() - started
        if process.poll() is not None:
            raise _failed(service, f"exit code {process.returncode}: {last_line(service.log)}")
        if waited > service.start_timeout:
            raise _failed(service, "no answer")
        time.sleep(0.01 if waited < 1 else 0.1)


def stop_all(running: Sequence[tuple[Service, Process]]) -> None:
    """Ask all at once, wait for each its `grace`, then kill what is left of their process groups."""
    asked = time.monotonic()
    for service, process in running:
        if process.poll() is None:
            process.send_signal(service.stop_signal)
    for service, process in running:
        try:
            process.wait(max(0.0, asked + service.grace - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
        end_group(process)
        process.wait()


def end_group(process: Process) -> None:
    """Kill what a dead child left in its group (pool processes of a worker); sessions of their own are not in it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def last_line(log: Path) -> str:
    """The last line a child wrote, for a one-line error text."""
    if not log.exists():
        return ""
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1].strip()[:LINE_LIMIT] if lines else ""


def _failed(service: Service, reason: str) -> StartFailed:
    return StartFailed(service=service.name, seconds=int(service.start_timeout), reason=reason, log=service.log)
