"""Every way in which a machine cannot be reached has its own words, and none lasts longer than its limit."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL

from autorke.drivers import ssh
from autorke.drivers.base import AuthenticationRefused, ForwardingRefused, HostKeyMismatch, SshTarget, Unreachable
from tests.sshd import KeyPair, PlainUser, Sshd, make_key

pytestmark = pytest.mark.sshd

HASTY = ssh.Limits(connect=0.5, banner=2, login=0.5)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def at(port: int, **changes: object) -> SshTarget:
    target = SshTarget(name="m1", address="127.0.0.1", port=port, user="root", host_key=make_key().public, password="x")
    return dataclasses.replace(target, **changes)  # type: ignore[arg-type]


def test_a_refused_connection() -> None:
    with socket.socket() as bound:  # so that nobody else takes the port; nothing listens there
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable, match="refused"):
            ssh.connect(at(bound.getsockname()[1]))


def test_a_machine_that_accepts_and_says_nothing(listener: socket.socket) -> None:
    with pytest.raises(Unreachable, match=r"no SSH banner within 2 s"):
        ssh.connect(at(listener.getsockname()[1]), limits=HASTY)


def test_a_machine_that_swallows_packets() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as stack:
        for _ in range(3):  # a full queue drops further packets, as a firewall does
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        with pytest.raises(Unreachable, match=r"no answer within 0\.5 s"):
            ssh.connect(at(full.getsockname()[1]), limits=HASTY)


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.0 400 Bad Request\r\n\r\n", b"SSH-2.0-Broken\r\n"])
def test_something_that_is_no_ssh_server(listener: socket.socket, greeting: bytes) -> None:
    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.sendall(greeting)

    threading.Thread(target=serve, daemon=True).start()

    with pytest.raises(Unreachable):
        ssh.connect(at(listener.getsockname()[1]), limits=HASTY)


def test_a_machine_that_stops_after_its_banner(listener: socket.socket) -> None:
    over = threading.Event()

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            over.wait(200)

    threading.Thread(target=serve, daemon=True).start()

    with pytest.raises(Unreachable):
        ssh.connect(at(listener.getsockname()[1]), limits=HASTY)
    over.set()


@pytest.mark.parametrize("address", ["no-such-host.invalid", "$(id)", "a b", "x" * 300, "", "a\nb", "主机.invalid"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(Unreachable):
        ssh.connect(at(1, address=address))


def test_a_key_that_is_not_authorized(sshd: Sshd) -> None:
    with pytest.raises(AuthenticationRefused) as caught:
        ssh.connect(sshd.target(private_key=make_key().private))

    assert caught.value.unreachable


def test_a_user_that_does_not_exist(sshd: Sshd) -> None:
    with pytest.raises(AuthenticationRefused, match="no-such-user"):
        ssh.connect(sshd.target(user="no-such-user"))


def test_neither_the_agent_nor_a_key_of_the_local_user_is_tried(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_text(sshd.user_key.private)
    monkeypatch.setenv("HOME", str(tmp_path))
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent"))
        agent.listen()
        agent.setblocking(False)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))

        with pytest.raises(AuthenticationRefused):
            ssh.connect(sshd.target(private_key=None))
        with pytest.raises(BlockingIOError):
            agent.accept()


def test_a_password_logs_in(make_sshd: Callable[..., Sshd], plain_user: PlainUser) -> None:
    server = make_sshd(PasswordAuthentication="yes")
    target = server.target(user=plain_user.name, password=plain_user.password, private_key=None)

    with ssh.connect(target) as remote:
        assert remote.run(["id", "-un"]).stdout.strip() == plain_user.name
    with pytest.raises(AuthenticationRefused):
        ssh.connect(dataclasses.replace(target, password="wrong"))


def test_the_password_is_used_when_the_key_is_refused(make_sshd: Callable[..., Sshd], plain_user: PlainUser) -> None:
    server = make_sshd(PasswordAuthentication="yes")

    with ssh.connect(server.target(user=plain_user.name, password=plain_user.password)) as remote:
        assert remote.run(["true"]).ok


def test_a_machine_that_asks_for_the_password_in_a_dialogue(listener: socket.socket) -> None:
    with interactive_server(listener) as host_key:
        target = at(listener.getsockname()[1], host_key=host_key.public, password="correct horse")

        ssh.connect(target).close()
        with pytest.raises(AuthenticationRefused):
            ssh.connect(dataclasses.replace(target, password="wrong"))


def test_a_target_behind_a_bastion(sshd: Sshd, make_sshd: Callable[..., Sshd]) -> None:
    bastion = make_sshd()
    target = sshd.target(bastion=bastion.target("bastion"))

    with ssh.connect(target) as remote:
        assert remote.run(["echo", "hidden"]).stdout == "hidden\n"
        assert len(bastion.sessions()) == 1
    assert wait_until(lambda: not bastion.sessions()), "closing the machine closes its bastion"


def test_the_bastions_host_key_is_pinned_as_well(sshd: Sshd, make_sshd: Callable[..., Sshd]) -> None:
    bastion = make_sshd().target("bastion", host_key=make_key().public)

    with pytest.raises(HostKeyMismatch) as caught:
        ssh.connect(sshd.target(bastion=bastion))

    assert caught.value.values["name"] == "bastion"


def test_a_machine_that_its_bastion_cannot_reach(sshd: Sshd, make_sshd: Callable[..., Sshd]) -> None:
    bastion = make_sshd()

    with pytest.raises(ForwardingRefused) as caught:
        ssh.connect(sshd.target(port=1, bastion=bastion.target("bastion")))

    assert caught.value.values["name"] == "bastion"
    assert wait_until(lambda: not bastion.sessions())


def test_a_machine_that_hangs_behind_a_bastion(
    sshd: Sshd, make_sshd: Callable[..., Sshd], listener: socket.socket
) -> None:
    bastion = make_sshd().target("bastion")
    target = at(listener.getsockname()[1], bastion=bastion)

    with ssh.connect(bastion) as via, pytest.raises(Unreachable, match="no SSH banner within 2 s"):
        ssh.connect(target, limits=dataclasses.replace(HASTY, connect=60), via=via)


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


@contextlib.contextmanager
def interactive_server(listener: socket.socket) -> Iterator[KeyPair]:
    """OpenSSH offers keyboard-interactive only with PAM, so paramiko plays the server here."""
    key = make_key()

    class Dialogue(paramiko.ServerInterface):
        def get_allowed_auths(self, username: str) -> str:
            return "keyboard-interactive"

        def check_auth_interactive(self, username: str, submethods: object) -> paramiko.InteractiveQuery:
            return paramiko.InteractiveQuery("", "", ("Password: ", False))

        def check_auth_interactive_response(self, responses: list[str]) -> int:
            return AUTH_SUCCESSFUL if responses == ["correct horse"] else AUTH_FAILED

    transports: list[paramiko.Transport] = []

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(peer)
            transport.add_server_key(_load(key))
            transport.start_server(event=threading.Event(), server=Dialogue())
            transports.append(transport)

    threading.Thread(target=serve, daemon=True).start()
    yield key
    for transport in transports:
        transport.close()


def _load(key: KeyPair) -> paramiko.PKey:
    return paramiko.Ed25519Key.from_private_key(io.StringIO(key.private))
