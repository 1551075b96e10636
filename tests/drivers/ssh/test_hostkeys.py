"""A machine that does not prove the pinned key is never logged in to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from autorke.drivers import ssh
from autorke.drivers.base import HostKeyMismatch, HostKeyMissing, SshTarget
from tests.sshd import Sshd, make_key

pytestmark = pytest.mark.sshd


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_the_machine_is_asked_for_the_type_that_is_pinned(sshd: Sshd, kind: str) -> None:
    with ssh.connect(sshd.target(host_key=sshd.host_keys[kind].public)) as remote:
        assert remote.run(["true"]).ok


def test_a_comment_after_the_pinned_key_is_fine(sshd: Sshd) -> None:
    with ssh.connect(sshd.target(host_key=sshd.host_key + " root@m1\n")) as remote:
        assert remote.run(["true"]).ok


@pytest.mark.parametrize("nothing", [None, "", "  \n"])
def test_without_a_pinned_key_nobody_is_contacted(nothing: str | None) -> None:
    target = dataclasses.replace(_nowhere(), host_key=nothing)

    with pytest.raises(HostKeyMissing):
        ssh.connect(target)


@pytest.mark.parametrize(
    "text", ["ssh-ed25519", "ssh-ed25519 %%%", "ssh-dss AAAA", "AAAA", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIMKu"]
)
def test_an_unusable_pin_is_named(text: str) -> None:
    with pytest.raises(ssh.HostKeyUnreadable):
        ssh.connect(dataclasses.replace(_nowhere(), host_key=text))


def test_a_machine_that_lost_the_pinned_type_shows_what_it_has(make_sshd: Callable[..., Sshd]) -> None:
    server = make_sshd(host_key_kinds=("rsa",))
    pinned = make_key("ed25519").public

    with pytest.raises(HostKeyMismatch) as caught:
        ssh.connect(server.target(host_key=pinned))

    assert caught.value.values["pinned"] == f"ssh-ed25519 {ssh.fingerprint(pinned)}"
    assert caught.value.values["seen"] == f"ssh-rsa {ssh.fingerprint(server.host_key)}"
    assert caught.value.unreachable


def test_a_mismatch_ends_before_any_login(make_sshd: Callable[..., Sshd]) -> None:
    server = make_sshd(LogLevel="VERBOSE")

    with pytest.raises(HostKeyMismatch):
        ssh.connect(server.target(host_key=make_key().public, password="hunter2"))

    assert "hunter2" not in server.log()
    assert "publickey" not in server.log()
    assert "Accepted" not in server.log()


def test_a_scan_returns_the_key_that_can_be_pinned(make_sshd: Callable[..., Sshd]) -> None:
    server = make_sshd(host_key_kinds=("ecdsa",))

    scanned = ssh.scan_host_key("127.0.0.1", server.port)

    assert scanned == server.host_key
    assert ssh.fingerprint(scanned).startswith("SHA256:")


def _nowhere() -> SshTarget:
    """A target whose contact would fail in another way than these tests expect."""
    return SshTarget(name="m1", address="127.0.0.1", port=1, user="root")
