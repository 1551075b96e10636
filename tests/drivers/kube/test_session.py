"""How the API is reached, who must answer, and what becomes of answers that do not come."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from autorke.drivers import ssh
from autorke.drivers.base import KubeError, KubeUnreachable
from autorke.drivers.kube import Kube, KubeCaMismatch, KubeForbidden, KubeNotFound, KubeOutcomeUnknown
from autorke.drivers.kube.tls import fingerprint
from tests.drivers.kube.api_server import ApiServer, serving
from tests.drivers.kube.pki import Authority, kubeconfig
from tests.sshd import Sshd

VERSION = b'{"gitVersion": "v1.20.15"}'


def test_the_version(kube: Kube, api: ApiServer) -> None:
    api.answers["/version"] = (200, VERSION)

    assert kube.version() == "v1.20.15"


def test_a_token_is_an_identity_too(api: ApiServer) -> None:
    api.answers["/version"] = (200, VERSION)
    with Kube(kubeconfig(api.port, api.ca.pem, None, user={"token": "t0ken"})) as kube:
        kube.version()

    assert api.requests[-1][2]["Authorization"] == "Bearer t0ken"


def test_the_ca_of_the_server_is_told(kube: Kube, api: ApiServer) -> None:
    assert kube.server_ca_fingerprint() == fingerprint(api.ca.pem)
    assert api.requests == [], "a handshake is enough"


def test_of_two_cas_the_one_that_signed_is_told(api: ApiServer) -> None:
    other = Authority("old-ca")
    with Kube(kubeconfig(api.port, other.pem + api.ca.pem, api.ca.issue("kube-admin"))) as kube:
        assert kube.server_ca_fingerprint() == fingerprint(api.ca.pem)


def test_another_ca_ends_it_before_anything_is_sent(api: ApiServer) -> None:
    other = Authority("kube-ca")
    with Kube(kubeconfig(api.port, other.pem, other.issue("kube-admin"))) as kube:
        for call in (kube.version, kube.server_ca_fingerprint, lambda: kube.delete_node("m1")):
            with pytest.raises(KubeCaMismatch, match=fingerprint(other.pem)[:16]) as caught:
                call()
            assert caught.value.unreachable
            assert not caught.value.maybe_done

    assert api.requests == []


@pytest.mark.parametrize(("fault", "said"), [("name", "match"), ("expired", "expired")])
def test_a_certificate_that_is_wrong_in_another_way(tmp_path: Path, fault: str, said: str) -> None:
    api = ApiServer()
    address, days = ("10.9.9.9", 1) if fault == "name" else ("127.0.0.1", -1)
    identity = api.ca.issue("kube-apiserver", address=address, days=days)
    with serving(api, tmp_path, identity), Kube(_config(api)) as kube:
        with pytest.raises(KubeUnreachable, match=said) as caught:
            kube.version()
        with pytest.raises(KubeUnreachable, match=said):
            kube.server_ca_fingerprint()

    assert not isinstance(caught.value, KubeCaMismatch)


def test_a_server_name_other_than_the_address(tmp_path: Path) -> None:
    api = ApiServer()
    api.answers["/version"] = (200, VERSION)
    identity = api.ca.issue("kube-apiserver", address="10.9.9.9")
    config = {"tls-server-name": "kubernetes"}
    with serving(api, tmp_path, identity), Kube(_config(api, **config)) as kube:
        assert kube.version() == "v1.20.15"
        assert kube.server_ca_fingerprint() == fingerprint(api.ca.pem)


def test_nobody_listens(api: ApiServer) -> None:
    with Kube(kubeconfig(1, api.ca.pem, api.ca.issue("admin"))) as kube:
        for call in (kube.version, kube.server_ca_fingerprint, lambda: kube.delete_node("m1")):
            with pytest.raises(KubeUnreachable, match="refused") as caught:
                call()
            assert not caught.value.maybe_done


def test_a_server_that_accepts_and_says_nothing(api: ApiServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = kubeconfig(silent.getsockname()[1], api.ca.pem, api.ca.issue("admin"))
        with Kube(config, timeout=0.5) as kube:
            for call in (kube.version, kube.server_ca_fingerprint):
                with pytest.raises(KubeUnreachable, match=r"within 0\.5 s"):
                    call()


def test_a_server_that_speaks_no_tls(api: ApiServer, sshd: Sshd) -> None:
    with Kube(kubeconfig(sshd.port, api.ca.pem, api.ca.issue("admin"))) as kube:
        for call in (kube.version, kube.server_ca_fingerprint):
            with pytest.raises(KubeUnreachable):
                call()


def test_an_identity_of_another_ca_is_refused_by_the_server(api: ApiServer) -> None:
    stranger = Authority("other-ca").issue("kube-admin")
    with Kube(kubeconfig(api.port, api.ca.pem, stranger)) as kube, pytest.raises(KubeError):
        kube.version()


@pytest.mark.parametrize("status", [401, 403])
def test_too_few_rights(kube: Kube, api: ApiServer, status: int) -> None:
    api.answers["/api/v1/nodes"] = (status, b'{"message": "nodes is forbidden: User cannot list"}')

    with pytest.raises(KubeForbidden, match="cannot list"):
        kube.nodes()


def test_an_answer_without_end_is_an_error(kube: Kube, api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autorke.drivers.kube.session.ANSWER_LIMIT", 100_000)
    api.answers["/version"] = (200, b" " * 1_000_000)

    with pytest.raises(KubeError, match="longer than"):
        kube.version()


@pytest.mark.parametrize("answer", [b"", b"<html>login</html>", b"{", b"\xff", b"[" * 100_000, b"9" * 50_000])
def test_an_answer_that_makes_no_sense(kube: Kube, api: ApiServer, answer: bytes) -> None:
    api.answers["/version"] = (200, answer)

    with pytest.raises(KubeError, match="not JSON"):
        kube.version()


def test_the_bare_words_of_a_proxy_are_kept(kube: Kube, api: ApiServer) -> None:
    api.answers["/version"] = (502, b"upstream is gone")

    with pytest.raises(KubeError, match="upstream is gone"):
        kube.version()


@pytest.mark.parametrize(("fault", "seconds"), [("hang", 1), ("cut", 30)])
def test_a_change_without_answer_may_have_been_made_and_is_not_sent_again(
    api: ApiServer, config: str, fault: str, seconds: float
) -> None:
    api.add_node("m1")
    getattr(api, fault).add("/api/v1/nodes/m1")

    with Kube(config, timeout=seconds) as kube, pytest.raises(KubeOutcomeUnknown) as caught:
        kube.delete_node("m1")

    assert caught.value.maybe_done
    assert [method for method, *_ in api.requests] == ["DELETE"]


def test_a_busy_server_may_take_longer_to_answer_than_to_connect(api: ApiServer, config: str) -> None:
    """A change that is given up is unknown, and a person has to look: patience is cheaper."""
    api.add_node("m1")
    api.hang.add("/api/v1/nodes/m1")

    def answer_late() -> None:
        while not api.requests:
            time.sleep(0.02)
        time.sleep(2.5)
        api.released.set()

    with Kube(config, timeout=2) as kube:
        threading.Thread(target=answer_late, daemon=True).start()
        kube.delete_node("m1")
    assert [method for method, *_ in api.requests] == ["DELETE"]


def test_a_read_without_answer_changed_nothing(api: ApiServer, config: str) -> None:
    api.hang.add("/version")

    with Kube(config, timeout=0.5) as kube, pytest.raises(KubeUnreachable) as caught:
        kube.version()

    assert not caught.value.maybe_done


@pytest.mark.parametrize("name", ["", ".", "..", "...", "../nodes", "m1/status", "%2e%2e"])
def test_no_name_ever_means_the_whole_collection(kube: Kube, api: ApiServer, name: str) -> None:
    with pytest.raises(KubeNotFound):
        kube.resource("", "v1", "nodes").patch(name, {})
    kube.delete_node(name)
    kube.resource("", "v1", "nodes").delete(name)

    assert api.requests == []


@pytest.mark.parametrize("name", ["a?x=1", "$(id)", "a\nb", "变更", "a#b", "a;b"])
def test_a_hostile_name_is_one_segment(kube: Kube, api: ApiServer, name: str) -> None:
    assert kube.resource("", "v1", "nodes").get(name) is None

    sent = api.requests[-1][1]
    assert sent.startswith("/api/v1/nodes/")
    assert sent.count("/") == 4
    assert "?" not in sent


@pytest.mark.sshd
def test_an_api_that_only_a_bastion_can_reach(api: ApiServer, config: str, sshd: Sshd) -> None:
    api.answers["/version"] = (200, VERSION)
    with ssh.connect(sshd.target("bastion")) as bastion, Kube(config, via=bastion) as kube:
        assert kube.version() == "v1.20.15"
        assert kube.server_ca_fingerprint() == fingerprint(api.ca.pem)
        api.answers["/api/v1/nodes"] = (200, b'{"items": [{"metadata": {"name": "' + b"x" * 3_000_000 + b'"}}]}')
        assert len(kube.nodes()[0].name) == 3_000_000


@pytest.mark.sshd
def test_a_bastion_that_cannot_reach_it(api: ApiServer, make_sshd: Callable[..., Sshd]) -> None:
    config = kubeconfig(1, api.ca.pem, api.ca.issue("admin"))
    with ssh.connect(make_sshd().target("bastion")) as bastion, Kube(config, via=bastion) as kube:
        for call in (kube.version, kube.server_ca_fingerprint, lambda: kube.delete_node("m1")):
            with pytest.raises(KubeUnreachable, match="bastion") as caught:
                call()
            assert not caught.value.maybe_done


def test_values_are_frozen(kube: Kube, api: ApiServer) -> None:
    api.add_node("m1")

    with pytest.raises(dataclasses.FrozenInstanceError):
        kube.nodes()[0].name = "m2"  # type: ignore[misc]


def _config(api: ApiServer, **cluster: object) -> str:
    return kubeconfig(api.port, api.ca.pem, api.ca.issue("kube-admin"), **cluster)
