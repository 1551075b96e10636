"""What `Remote` promises, on every edge: a machine of the simulator, of the lab, or a plain sshd must not differ."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Iterator

import pytest

from autorke.drivers import ssh
from autorke.drivers.base import AuthenticationRefused, ForwardingRefused, HostKeyMismatch, RemoteTimeout
from tests.contract.edges import Edge
from tests.sshd import make_key

pytestmark = pytest.mark.sshd

HOSTILE = ["$(touch /tmp/pwned)", "`id`", "a'b\"c", "two\nlines", "; exit 9", "*", "-n", "变更", "", "A=b", "\\", "!x"]


@pytest.fixture(scope="module")
def remote(edge: Edge) -> Iterator[ssh.SshRemote]:
    with ssh.connect(edge.target) as connected:
        yield connected


def test_a_command_returns_its_output_and_exit_code(remote: ssh.SshRemote) -> None:
    done = remote.run(["sh", "-c", "echo seen; echo trouble >&2; exit 3"])

    assert (done.exit_code, done.stdout, done.stderr) == (3, "seen\n", "trouble\n")


def test_a_command_that_does_not_exist_fails_with_127(remote: ssh.SshRemote) -> None:
    assert remote.run(["no-such-command-here"]).exit_code == 127


@pytest.mark.parametrize("word", HOSTILE)
def test_every_word_arrives_as_it_was_given(remote: ssh.SshRemote, word: str) -> None:
    assert remote.run(["printf", "%s", word]).stdout == word


def test_input_reaches_the_command(remote: ssh.SshRemote) -> None:
    assert remote.run(["cat"], stdin="输入\n".encode()).stdout == "输入\n"


def test_a_command_that_takes_too_long_is_given_up(remote: ssh.SshRemote) -> None:
    """This test's own time is over long before the command's."""
    with pytest.raises(RemoteTimeout) as caught:
        remote.run(["sleep", "600"], timeout=3)

    assert caught.value.maybe_done
    assert remote.run(["true"]).ok, "the connection serves the next command"


@pytest.mark.parametrize("name", ["plain", "with 'quotes' and $(id)", "two\nlines", "-n"])
def test_a_file_is_written_with_content_and_mode(remote: ssh.SshRemote, edge: Edge, name: str) -> None:
    path = f"{edge.directory}/{name}"
    data = bytes(range(256)) * 300

    remote.write_file(path, data, mode=0o640)
    remote.write_file(path, data + b"again", mode=0o640)

    assert base64.b64decode(remote.run(["base64", path]).stdout) == data + b"again"
    assert remote.run(["stat", "-c", "%a", path]).stdout == "640\n"
    remote.run(["rm", "-f", "--", path])
    assert remote.run(["ls", "-A", edge.directory]).stdout == "", "no temporary file is left"


def test_a_file_in_a_missing_directory_is_refused(remote: ssh.SshRemote, edge: Edge) -> None:
    with pytest.raises(ssh.RemoteCommandFailed):
        remote.write_file(f"{edge.directory}/none/file", b"x")


def test_a_unix_socket_is_a_stream(remote: ssh.SshRemote, edge: Edge) -> None:
    stream = remote.open_unix(edge.target.docker_socket)
    stream.settimeout(60)
    stream.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")

    assert stream.recv(1 << 16).split(b" ")[1] == b"200"
    stream.close()


def test_a_unix_socket_that_is_not_there_is_refused(remote: ssh.SshRemote, edge: Edge) -> None:
    with pytest.raises(ForwardingRefused):
        remote.open_unix(f"{edge.directory}/none.sock")


def test_a_tcp_port_of_the_machine_is_a_stream(remote: ssh.SshRemote, edge: Edge) -> None:
    stream = remote.open_tcp("127.0.0.1", edge.ssh_port)
    stream.settimeout(60)

    assert stream.recv(4) == b"SSH-"
    stream.close()


def test_a_tcp_port_where_nobody_listens_is_refused(remote: ssh.SshRemote) -> None:
    with pytest.raises(ForwardingRefused):
        remote.open_tcp("127.0.0.1", 1)


def test_another_host_key_is_refused(edge: Edge) -> None:
    pinned = make_key().public

    with pytest.raises(HostKeyMismatch) as caught:
        ssh.connect(dataclasses.replace(edge.target, host_key=pinned))

    assert ssh.fingerprint(pinned) in str(caught.value)
    assert ssh.fingerprint(str(edge.target.host_key)) in str(caught.value)


def test_another_user_key_is_refused(edge: Edge) -> None:
    with pytest.raises(AuthenticationRefused):
        ssh.connect(dataclasses.replace(edge.target, private_key=make_key().private))


def test_the_scanned_host_key_is_the_pinned_one(edge: Edge) -> None:
    assert ssh.scan_host_key(edge.target.address, edge.target.port) == " ".join(str(edge.target.host_key).split()[:2])
