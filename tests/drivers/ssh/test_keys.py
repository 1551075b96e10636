"""Private keys in every form that people have them in."""

from __future__ import annotations

import pytest

from autorke.drivers import ssh
from tests.sshd import Sshd, make_key

pytestmark = pytest.mark.sshd


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
@pytest.mark.parametrize("pem", [False, True], ids=["openssh", "pkcs8"])
@pytest.mark.parametrize("passphrase", [None, "口令 with spaces"], ids=["open", "locked"])
def test_a_key_logs_in(sshd: Sshd, kind: str, pem: bool, passphrase: str | None) -> None:
    key = make_key(kind, passphrase, pem=pem)
    sshd.authorize(key.public)

    with ssh.connect(sshd.target(private_key=key.private, passphrase=passphrase)) as remote:
        assert remote.run(["true"]).ok


def test_carriage_returns_of_a_pasted_key_do_not_matter(sshd: Sshd) -> None:
    pasted = "\n  \r\n" + sshd.user_key.private.replace("\n", "\r\n")

    with ssh.connect(sshd.target(private_key=pasted)) as remote:
        assert remote.run(["true"]).ok


@pytest.mark.parametrize("passphrase", [None, "wrong"])
def test_a_wrong_passphrase_is_said(sshd: Sshd, passphrase: str | None) -> None:
    key = make_key("ed25519", "right")

    with pytest.raises(ssh.BadPrivateKey, match="passphrase"):
        ssh.connect(sshd.target(private_key=key.private, passphrase=passphrase))


@pytest.mark.parametrize("text", ["hunter2", "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n", "\0", "钥匙"])
def test_a_damaged_key_is_said_without_quoting_it(sshd: Sshd, text: str) -> None:
    with pytest.raises(ssh.BadPrivateKey) as caught:
        ssh.connect(sshd.target(private_key=text))

    assert "hunter2" not in f"{caught.value} {caught.value.__cause__} {caught.value.as_json()}"


def test_secrets_are_not_part_of_a_targets_text(sshd: Sshd) -> None:
    text = repr(sshd.target(password="hunter2", passphrase="hunter3"))

    assert "hunter" not in text
    assert "PRIVATE" not in text
