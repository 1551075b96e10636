"""The proof that a failed piece of work touched nothing: quiet only when it really was, in doubt never."""

from __future__ import annotations

import ast
import contextvars
import threading
from pathlib import Path

import pytest

from autorke.core import contact
from autorke.drivers.base import SshTarget, Unreachable
from autorke.drivers.fanout import fan_out
from autorke.drivers.ssh import connect

AUTORKE = Path(contact.__file__).parents[1]
WAYS_OUT = {
    "ansible_runner", "asyncio", "asyncssh", "ftplib", "http", "httpx", "kubernetes", "multiprocessing", "paramiko",
    "pexpect", "pty", "requests", "smtplib", "socket", "subprocess", "telnetlib", "urllib", "urllib3", "websockets",
}  # fmt: skip
# These have a way out in their hands and never open it themselves: what they get was opened by a module that tells.
INSIDE = {
    "drivers/ansible/passwords.py": "asks the ssh of this host for its version",
    "credentials/kubeconfig.py": "takes a URL apart",
    "drivers/docker/client.py": "HTTP over a stream of SshRemote",
    "drivers/docker/wire.py": "HTTP over a stream of SshRemote",
    "drivers/kube/kubeconfig.py": "takes a URL apart",
    "drivers/kube/tunnel.py": "a stream of SshRemote, and a pair of sockets within this process",
    "drivers/ssh/commands.py": "talks over a channel of SshRemote",
    "drivers/ssh/connecting.py": "logs in over the socket of dialing.py",
    "drivers/ssh/hostkeys.py": "reads a key over the socket of dialing.py",
    "drivers/ssh/keys.py": "reads key texts",
    "drivers/ssh/ordered.py": "sends what is said over a channel of SshRemote",
    "drivers/ssh/stream.py": "wraps a channel of SshRemote",
    "drivers/streamlocal.py": "opens a channel for SshRemote",
    "integrations/cmdb/__init__.py": "names a type",
    "integrations/cmdb/config.py": "takes a URL apart",
    "integrations/cmdb/guard.py": "resolves a name",
    "users/oidc.py": "signs people in; no step of a flow does",
    "cmdb/service.py": "names a type",
    "cmdb/sync.py": "names a type",
}
NO_STEPS = {"app.py", "__main__.py", "cli", "core", "embedded", "sim", "stuck", "web", "worker"}
"""What no step of a flow is made of: processes, who watches them, the way in, and the simulated outside."""


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def edges() -> dict[str, str]:
    """Text of every module that a step may run and that could speak to the outside, by its path."""
    modules = {str(path.relative_to(AUTORKE)): path for path in AUTORKE.rglob("*.py")}
    return {
        name: path.read_text()
        for name, path in modules.items()
        if name.split("/")[0] not in NO_STEPS and imports(path) & WAYS_OUT
    }


def test_every_way_out_tells_that_it_is_taken() -> None:
    silent = {name for name, text in edges().items() if "contact.made()" not in text}
    assert silent == set(INSIDE), "say contact.made() before speaking, or state here why it is not an edge"


def test_no_step_starts_a_thread_that_its_piece_of_work_would_not_know() -> None:
    """`drivers.fanout` hands the context on; the others carry bytes of a stream that was told of before, or read logs
    for a page, which no step does."""
    threads = {
        str(path.relative_to(AUTORKE))
        for path in AUTORKE.rglob("*.py")
        if path.relative_to(AUTORKE).parts[0] not in NO_STEPS
        and any(word in path.read_text() for word in ("Thread(", "ThreadPoolExecutor(", "Timer(", "os.fork("))
    }
    assert threads == {
        "drivers/fanout.py", "drivers/kube/tunnel.py", "drivers/ssh/commands.py", "drivers/ssh/remote.py",
        "workflow/execute.py", "workflow/logread.py", "workflow/logstore.py",
    }  # fmt: skip


def test_a_piece_that_spoke_to_nobody_is_sealed_and_stays_so() -> None:
    with contact.watched() as watch:
        late = contextvars.copy_context()
        assert watch.sealed()
        with pytest.raises(contact.TooLate):
            late.run(contact.made)
        assert watch.sealed()


def test_a_piece_that_spoke_is_never_sealed() -> None:
    with contact.watched() as watch:
        contact.made()
        assert not watch.sealed()
        contact.made()  # and may go on speaking
    assert not watch.sealed()


def test_pieces_side_by_side_are_told_apart_and_inner_ones_count_for_outer_ones() -> None:
    with contact.watched() as outer:
        with contact.watched() as quiet:
            pass
        assert quiet.sealed()
        with contact.watched() as inner:
            contact.made()
        assert not inner.sealed()
        assert not outer.sealed()


def test_a_contact_of_nobody_counts_for_everybody() -> None:
    with contact.watched() as watch:
        thread = threading.Thread(target=contact.made)
        thread.start()
        thread.join()
        assert not watch.sealed()


def test_a_machine_that_was_tried_counts_as_contacted_also_from_a_fan_out() -> None:
    nobody = SshTarget(name="m1", address="127.0.0.1", port=1, user="root", host_key="ssh-ed25519 " + KEY)
    with contact.watched() as watch:
        outcome = fan_out([nobody], connect)[0]
        assert isinstance(outcome.error, Unreachable)
        assert not watch.sealed()


KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIJ7MbGzmJtpvZmPNBZm5gKQZb9nAUpVdCPaLP/hTkXyA"
