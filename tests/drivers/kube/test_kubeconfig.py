"""A kubeconfig is input: it may neither read our files, nor run our programs, nor weaken TLS."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import serialization

from autorke.drivers.kube import Kube, KubeconfigUnusable, read_kubeconfig
from tests.drivers.kube.pki import Authority, Identity, kubeconfig

CA = Authority()
ADMIN = CA.issue("kube-admin")
GOOD = kubeconfig(6443, CA.pem, ADMIN)


def test_what_rke_writes_is_understood() -> None:
    access = read_kubeconfig(GOOD)

    assert (access.server, access.host, access.port) == ("https://127.0.0.1:6443", "127.0.0.1", 6443)
    assert access.ca_pem == CA.pem
    assert "BEGIN" not in repr(access).replace(repr(access.ca_pem), "")


def test_a_path_and_a_server_name_are_kept() -> None:
    access = read_kubeconfig(
        kubeconfig(
            1, CA.pem, ADMIN, server="https://[fd00::1]:8443/k8s/clusters/c-1/", **{"tls-server-name": "kubernetes"}
        )
    )

    assert access.server == "https://[fd00::1]:8443/k8s/clusters/c-1"
    assert (access.host, access.server_name) == ("fd00::1", "kubernetes")


def test_the_only_context_needs_no_name() -> None:
    document = yaml.safe_load(GOOD)
    del document["current-context"]

    assert read_kubeconfig(yaml.safe_dump(document)).port == 6443


@pytest.mark.parametrize(
    "user",
    [
        {"exec": {"command": "touch", "args": ["/tmp/pwned"]}},
        {"auth-provider": {"name": "oidc"}},
        {"client-certificate": "/etc/shadow"},
        {"client-key": "/etc/shadow"},
        {"tokenFile": "/etc/shadow"},
        {"username": "admin", "password": "hunter2"},
    ],
)
def test_programs_files_and_passwords_are_refused(user: dict[str, str]) -> None:
    with pytest.raises(KubeconfigUnusable) as caught:
        read_kubeconfig(kubeconfig(6443, CA.pem, ADMIN, user=user))

    assert next(iter(user)) in str(caught.value)
    assert "hunter2" not in str(caught.value.as_json())


@pytest.mark.parametrize(
    "cluster",
    [
        {"insecure-skip-tls-verify": True},
        {"certificate-authority": "/etc/ssl/certs/ca-certificates.crt"},
        {"proxy-url": "http://127.0.0.1:3128"},
        {"certificate-authority-data": ""},
        {"certificate-authority-data": "%%%"},
        {"server": "http://127.0.0.1:6443"},
        {"server": "https://"},
        {"server": "https://user:hunter2@127.0.0.1"},
        {"server": "https://127.0.0.1:99999"},
        {"server": "file:///etc/shadow"},
        {"server": 6443},
    ],
)
def test_what_weakens_tls_or_is_no_address_is_refused(cluster: dict[str, object]) -> None:
    with pytest.raises(KubeconfigUnusable) as caught:
        read_kubeconfig(kubeconfig(6443, CA.pem, ADMIN, **cluster))

    assert "hunter2" not in str(caught.value.as_json())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "hunter2",
        "a: [",
        "clusters: 1",
        "current-context: x\ncontexts: [1, {name: x}]",
        "x" * 2_000_000,
        "\0",
        "[" * 5000,
    ],
)
def test_what_is_no_kubeconfig_is_refused(text: str) -> None:
    with pytest.raises(KubeconfigUnusable):
        read_kubeconfig(text)


def test_nobody_to_log_in_as_is_refused() -> None:
    with pytest.raises(KubeconfigUnusable, match="neither"):
        read_kubeconfig(kubeconfig(6443, CA.pem, None))


@pytest.mark.parametrize(
    "key", [CA.issue("other").key, "not a key", ADMIN.certificate], ids=["another", "none", "a certificate"]
)
def test_a_key_that_is_not_the_certificates_is_refused(key: str) -> None:
    with pytest.raises(KubeconfigUnusable, match="client certificate"):
        Kube(kubeconfig(6443, CA.pem, Identity(ADMIN.certificate, key)))


def test_a_locked_key_is_refused_without_asking_at_the_terminal() -> None:

    key = serialization.load_pem_private_key(ADMIN.key.encode(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"hunter2")
    )

    with pytest.raises(KubeconfigUnusable):
        Kube(kubeconfig(6443, CA.pem, Identity(ADMIN.certificate, locked.decode())))


def test_a_ca_that_is_no_certificate_is_refused() -> None:
    with pytest.raises(KubeconfigUnusable, match="CA"):
        Kube(kubeconfig(6443, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ADMIN))


def test_no_secret_is_written_to_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("tempfile.mkstemp", lambda *_, **__: pytest.fail("a temporary file was made"))

    Kube(GOOD).close()

    assert list(tmp_path.iterdir()) == []
