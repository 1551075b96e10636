"""Credentials: checked on the way in, shown without their secret, opened on the record, lost to nobody."""

from __future__ import annotations

import io
import logging
from typing import Any
from uuid import UUID

import paramiko
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from autorke.core import crypto
from autorke.core.crypto import EnvelopeBroken, KeyMissing
from autorke.core.ids import new_id
from autorke.core.settings import get_settings
from autorke.credentials import service
from autorke.credentials.errors import WrongKind
from autorke.credentials.models import Credential
from autorke.users.models import AuditEntry
from tests.api import V1, Api
from tests.credentials import keys

URL = f"{V1}/credentials"
MARK = "hunter2-Sekret/+&"


def _create(client: TestClient, name: str = "ops", **secret: object) -> Any:
    return client.post(URL, json={"name": name, "secret": secret})


def _password(client: TestClient, name: str = "ops", password: str = MARK) -> Any:
    return _create(client, name, kind="ssh_password", user="ops", password=password)


def _open(session: Session, credential_id: str, **more: Any) -> service.Secret:
    return service.open_secret(session, UUID(credential_id), purpose="test", actor=None, **more)


@pytest.fixture
def admin(api: Api) -> TestClient:
    return api.caller("admin", name="root")


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("ed25519", "openssh"),
        ("ed25519", "pkcs8"),
        ("ecdsa", "openssh"),
        ("ecdsa", "traditional"),
        ("rsa", "openssh"),
        ("rsa", "traditional"),
        ("rsa", "pkcs8"),
    ],
)
@pytest.mark.parametrize("passphrase", [None, keys.PASSPHRASE])
def test_an_ssh_key_is_checked_and_only_its_public_side_is_shown(
    admin: TestClient, session: Session, kind: str, form: str, passphrase: str | None
) -> None:
    private = keys.text(kind, form, passphrase)
    answer = _create(admin, kind="ssh_key", user="ops", private_key=private, passphrase=passphrase)
    assert answer.status_code == 201, answer.text
    public = answer.json()["public"]
    assert public["user"] == "ops"
    opened = _open(session, answer.json()["id"]).values["private_key"]
    loaded = {"ed25519": paramiko.Ed25519Key, "ecdsa": paramiko.ECDSAKey, "rsa": paramiko.RSAKey}[kind]
    usable = loaded.from_private_key(io.StringIO(opened))
    assert f"{usable.get_name()} {usable.get_base64()}" == public["public_key"]
    assert public["fingerprint"] == usable.fingerprint
    assert "PRIVATE" not in answer.text


@pytest.mark.parametrize(
    ("private", "passphrase", "code"),
    [
        ("garbage", None, "ssh-key-unreadable"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ ops@host", None, "ssh-key-unreadable"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", None, "ssh-key-unreadable"),
        ("-----BEGIN RSA PRIVATE KEY-----\n\n-----END RSA PRIVATE KEY-----", None, "ssh-key-unreadable"),
        (lambda: keys.text("ed25519", "openssh", keys.PASSPHRASE), None, "ssh-key-unreadable"),
        (lambda: keys.text("ed25519", "openssh", keys.PASSPHRASE), "wrong", "ssh-key-unreadable"),
        (lambda: keys.text("ed25519", "openssh")[:200], None, "ssh-key-unreadable"),
        (lambda: keys.text("rsa1024", "pkcs8"), None, "ssh-key-too-weak"),
        (lambda: keys.text("dsa", "pkcs8"), None, "ssh-key-too-weak"),
    ],
)
def test_garbage_instead_of_a_key_is_refused(
    admin: TestClient, private: Any, passphrase: str | None, code: str
) -> None:
    private = private() if callable(private) else private
    answer = _create(admin, kind="ssh_key", user="ops", private_key=private, passphrase=passphrase)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["field"] == "secret.private_key"
    assert admin.get(URL).json()["items"] == []


def test_a_kubeconfig_is_shown_by_server_and_ca(admin: TestClient, session: Session) -> None:
    answer = _create(admin, kind="kubeconfig", kubeconfig=keys.kubeconfig())
    assert answer.json()["public"] == {
        "context": "north",
        "server": "https://10.0.0.1:6443",
        "user": "kube-admin",
        "ca_sha256": keys.ca_digest(),
    }
    assert "hunter2" not in answer.text
    assert "hunter2-token" in _open(session, answer.json()["id"]).values["kubeconfig"]


EXEC = {"exec": {"command": "/bin/sh", "args": ["-c", "reboot"]}}


@pytest.mark.parametrize(
    ("config", "word"),
    [
        (lambda: "{", "YAML"),
        (lambda: "just text", "mapping"),
        (lambda: "[" * 5000, "YAML"),
        (lambda: "!!python/object/apply:os.system ['reboot']", "YAML"),
        (lambda: keys.kubeconfig(user=EXEC), "command"),
        (lambda: keys.kubeconfig(user={"auth-provider": {"name": "gcp"}}), "command"),
        (lambda: keys.kubeconfig(user={"client-key": "/etc/shadow"}), "path"),
        (lambda: keys.kubeconfig(user={"tokenFile": "/etc/shadow"}), "path"),
        (lambda: keys.kubeconfig(cluster={"server": "https://a", "certificate-authority": "/x"}), "path"),
        (lambda: keys.kubeconfig(cluster={"server": "https://a", "insecure-skip-tls-verify": True}), "insecure"),
        (lambda: keys.kubeconfig(cluster={"server": "http://a"}), "https"),
        (lambda: keys.kubeconfig(cluster={"server": "https://a", "certificate-authority-data": "%"}), "base64"),
        (lambda: keys.kubeconfig(cluster={"server": "https://a", "certificate-authority-data": "eA=="}), "certificate"),
        (lambda: keys.kubeconfig(user={"client-key-data": "%"}), "base64"),
        (lambda: keys.kubeconfig(**{"current-context": "south"}), "current-context"),
        (lambda: keys.kubeconfig(contexts=[{"name": "north", "context": {"cluster": "x", "user": "y"}}]), "names"),
        (lambda: keys.kubeconfig(users=[]), "users"),
        (lambda: keys.kubeconfig(users=["x"]), "users"),
        (lambda: keys.kubeconfig(clusters={"a": 1}), "clusters"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_safely_is_refused(admin: TestClient, config: Any, word: str) -> None:
    answer = _create(admin, kind="kubeconfig", kubeconfig=config())
    assert (answer.status_code, answer.json()["code"]) == (422, "kubeconfig-refused"), answer.text
    assert word in answer.json()["cause"]["en"]


@pytest.mark.parametrize(
    ("secret", "public", "values"),
    [
        ({"kind": "ssh_password", "user": "ops", "password": MARK}, {"user": "ops"}, {"password": MARK}),
        (
            {"kind": "ssh_password", "user": "ops", "password": "x", "become_password": MARK},
            {"user": "ops", "become": True},
            {"password": "x", "become_password": MARK},
        ),
        (
            {"kind": "registry", "url": "reg.example.com:5000/k8s", "username": "u", "password": MARK},
            {"url": "reg.example.com:5000/k8s", "username": "u"},
            {"password": MARK},
        ),
        ({"kind": "token", "token": MARK}, {}, {"token": MARK}),
        ({"kind": "password", "username": "u", "password": MARK}, {"username": "u"}, {"password": MARK}),
    ],
)
def test_the_other_kinds(
    admin: TestClient, session: Session, secret: dict[str, str], public: dict[str, str], values: dict[str, str]
) -> None:
    made = _create(admin, **secret).json()
    assert made["public"] == public
    assert _open(session, made["id"]).values == values


@pytest.mark.parametrize(
    ("secret", "field"),
    [
        ({"kind": "plaintext", "password": "x"}, "secret"),
        ({"user": "ops", "password": "x"}, "secret"),
        ({"kind": "ssh_password", "user": "$(reboot)", "password": "x"}, "secret.ssh_password.user"),
        ({"kind": "ssh_password", "user": "-oProxyCommand=x", "password": "x"}, "secret.ssh_password.user"),
        ({"kind": "ssh_password", "user": "ops"}, "secret.ssh_password.password"),
        ({"kind": "ssh_password", "user": "ops", "password": 7}, "secret.ssh_password.password"),
        ({"kind": "ssh_password", "user": "ops", "password": "two\nlines"}, "secret.ssh_password.password"),
        (
            {"kind": "ssh_password", "user": "ops", "password": "x", "become_password": "two\nlines"},
            "secret.ssh_password.become_password",
        ),
        ({"kind": "token", "token": "x", "more": 1}, "secret.token.more"),
        ({"kind": "registry", "url": "http://a b", "username": "u", "password": "x"}, "secret.registry.url"),
        (None, "secret"),
    ],
)
def test_bad_secrets_are_refused_by_field(admin: TestClient, secret: Any, field: str) -> None:
    answer = admin.post(URL, json={"name": "ops", "secret": secret})
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_no_answer_log_or_table_ever_holds_a_secret(
    admin: TestClient, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        made = _password(admin)
        credential_id = made.json()["id"]
        replacement = {"version": 1, "secret": {"kind": "ssh_password", "user": "ops", "password": MARK + "2"}}
        answers = [
            made,
            _password(admin),
            _password(admin, password=MARK * 100),
            admin.get(URL),
            admin.get(f"{URL}/{credential_id}"),
            admin.put(f"{URL}/{credential_id}/secret", json=replacement),
            admin.put(f"{URL}/{credential_id}/secret", json=replacement),
            admin.post(
                URL,
                content='{"name": "x", "secret": {"password": "' + MARK,
                headers={"content-type": "application/json"},
            ),
            admin.get(f"{V1}/audit?limit=500"),
        ]
        opened = _open(session, credential_id)
    assert [answer.status_code for answer in answers] == [201, 409, 422, 200, 200, 200, 409, 400, 200]
    for answer in answers:
        assert "hunter2" not in answer.text
    assert "hunter2" not in caplog.text
    assert not any("hunter2" in str(vars(record)) for record in caplog.records)
    assert "hunter2" not in repr(opened)
    assert opened.values["password"] == MARK + "2"
    for table in session.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all():
        rows = session.execute(text(f'SELECT t::text FROM "{table}" t')).scalars().all()  # noqa: S608
        assert not any("hunter2" in row or MARK.encode().hex() in row for row in rows), table


def test_a_stale_replacement_is_refused_and_the_kind_stays(admin: TestClient, session: Session) -> None:
    made = _password(admin).json()
    url = f"{URL}/{made['id']}/secret"
    new = {"version": 1, "secret": {"kind": "ssh_password", "user": "ops", "password": "second"}}
    assert admin.put(url, json=new).json()["version"] == 2
    stale = admin.put(url, json=new | {"secret": new["secret"] | {"password": "third"}})  # type: ignore[operator]
    assert (stale.status_code, stale.json()["code"]) == (409, "stale-credential")
    other = admin.put(url, json={"version": 2, "secret": {"kind": "token", "token": "x"}})
    assert (other.status_code, other.json()["code"]) == (409, "credential-kind-differs")
    assert _open(session, made["id"]).values["password"] == "second"


def test_opening_is_audited_with_its_purpose(api: Api, admin: TestClient, session: Session) -> None:
    made = _password(admin).json()
    _open(session, made["id"])
    session.commit()
    entry = session.execute(select(AuditEntry).where(AuditEntry.action == "secret.open")).scalar_one()
    assert (entry.object_id, entry.actor_name) == (made["id"], "system")
    assert entry.detail == {"purpose": "test", "version": 1}
    assert admin.get(f"{URL}/{made['id']}").json()["used_at"] is not None


def test_only_a_fitting_kind_is_opened(admin: TestClient, session: Session) -> None:
    made = _create(admin, kind="token", token="x").json()
    with pytest.raises(WrongKind, match="ssh_key, ssh_password"):
        _open(session, made["id"], kinds=("ssh_key", "ssh_password"))
    assert session.execute(select(AuditEntry).where(AuditEntry.action == "secret.open")).first() is None


def test_an_envelope_copied_to_another_row_or_an_old_one_put_back_does_not_open(
    admin: TestClient, session: Session
) -> None:
    first, second = _password(admin, "a").json(), _password(admin, "b", "other").json()
    rows = {name: session.get_one(Credential, UUID(row["id"])) for name, row in (("a", first), ("b", second))}
    old = rows["a"].envelope
    rows["a"].envelope = rows["b"].envelope
    with pytest.raises(EnvelopeBroken):
        _open(session, first["id"])
    rows["a"].envelope, rows["a"].version = old, 2
    with pytest.raises(EnvelopeBroken):
        _open(session, first["id"])


def test_keys_rotate(admin: TestClient, session: Session, secret_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _password(admin).json()
    new = crypto.new_key()
    monkeypatch.setenv("AUTORKE_SECRET_KEY", f"{new}\n{secret_key}")
    get_settings.cache_clear()
    assert service.rotate(session) == 1
    assert service.rotate(session) == 0
    session.commit()
    monkeypatch.setenv("AUTORKE_SECRET_KEY", new)
    get_settings.cache_clear()
    session.expire_all()
    assert _open(session, made["id"]).values["password"] == MARK


def test_without_a_key_nothing_is_stored(admin: TestClient, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTORKE_SECRET_KEY")
    get_settings.cache_clear()
    answer = _password(admin)
    assert (answer.status_code, answer.json()["code"]) == (503, KeyMissing.code)
    assert session.execute(select(Credential)).first() is None


def test_describe_and_delete(admin: TestClient) -> None:
    made, other = _password(admin, "a").json(), _password(admin, "b").json()
    changed = admin.patch(f"{URL}/{made['id']}", json={"name": "c", "note": "north"}).json()
    assert (changed["name"], changed["note"], changed["version"]) == ("c", "north", 1)
    clash = admin.patch(f"{URL}/{made['id']}", json={"name": "b"})
    assert (clash.status_code, clash.json()["code"]) == (409, "credential-exists")
    assert admin.delete(f"{URL}/{other['id']}").status_code == 204
    gone = admin.get(f"{URL}/{other['id']}")
    assert (gone.status_code, gone.json()["field"]) == (404, "credential_id")


def test_a_credential_in_use_is_not_deleted(admin: TestClient, session: Session) -> None:
    made = _create(admin, kind="kubeconfig", kubeconfig=keys.kubeconfig()).json()
    session.execute(
        text(
            "INSERT INTO cluster(id, name, kubernetes_version, api_url, ca_fingerprint, kubeconfig_credential_id)"
            " VALUES (:id, 'north', 'v1.24.17', 'https://a', 'x', :credential)"
        ),
        {"id": new_id(), "credential": made["id"]},
    )
    session.commit()
    answer = admin.delete(f"{URL}/{made['id']}")
    assert (answer.status_code, answer.json()["code"]) == (409, "credential-in-use")


def test_the_list_filters_by_what_is_shown(admin: TestClient) -> None:
    for name in ("a", "b"):
        _password(admin, name)
    _create(admin, "c", kind="token", token="x")
    assert [item["name"] for item in admin.get(f"{URL}?filter=user:eq:ops&sort=-name").json()["items"]] == ["b", "a"]
    assert [item["name"] for item in admin.get(f"{URL}?filter=kind:in:token,registry").json()["items"]] == ["c"]
