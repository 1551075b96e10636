"""Which API version is spoken, what travels, and what becomes of answers that do not come."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from autorke.drivers.base import DockerError
from autorke.drivers.docker import (
    Docker,
    DockerConflict,
    DockerNotFound,
    DockerOutcomeUnknown,
    DockerTimeout,
)
from tests.contract.fake_engine import FakeEngine

pytestmark = pytest.mark.sshd

BODY = {"Image": "busybox:1", "Cmd": ["sleep", "1"], "HostConfig": {"Binds": ["/a:/b:z", "/c:/d:rw,shared"]}}


@pytest.mark.parametrize(
    ("told", "spoken"),
    [
        ({"ApiVersion": "1.24"}, "1.24"),
        ({"ApiVersion": "1.38", "MinAPIVersion": "1.12"}, "1.38"),
        ({"ApiVersion": "1.41", "MinAPIVersion": "1.12"}, "1.41"),
        ({"ApiVersion": "1.47", "MinAPIVersion": "1.24"}, "1.41"),
        ({"ApiVersion": "1.52", "MinAPIVersion": "1.44"}, "1.44"),
    ],
    ids=["docker-1.12", "18.09", "20.10", "27", "29"],
)
def test_the_daemons_version_decides(docker: Docker, engine: FakeEngine, told: dict[str, str], spoken: str) -> None:
    engine.version = {"Version": "x", **told}

    docker.info()
    docker.containers()

    assert [request.api for request in engine.requests] == [None, spoken, spoken], "asked for once"


@pytest.mark.parametrize("told", [{}, {"ApiVersion": "new"}, {"ApiVersion": "1.41", "MinAPIVersion": "?"}])
def test_a_daemon_that_tells_no_version_is_refused(docker: Docker, engine: FakeEngine, told: dict[str, str]) -> None:
    engine.version = told

    with pytest.raises(DockerError, match="API version"):
        docker.info()


def test_a_body_travels_as_it_is(docker: Docker, engine: FakeEngine) -> None:
    docker.create("kubelet", BODY)

    assert json.loads(engine.requests[-1].body) == BODY
    assert engine.requests[-1].headers["Content-Type"] == "application/json"


def test_credentials_of_a_registry_travel_in_their_header_only(
    docker: Docker, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    auth = {"username": "u", "password": "hunter2", "serveraddress": "r.example"}

    docker.pull("r.example:5000/rancher/hyperkube:v1", auth=auth)

    request = engine.requests[-1]
    assert json.loads(base64.urlsafe_b64decode(request.headers["X-Registry-Auth"])) == auth
    assert request.query == {"fromImage": "r.example:5000/rancher/hyperkube", "tag": "v1"}
    assert "hunter2" not in caplog.text
    assert request.headers["X-Registry-Auth"] not in caplog.text


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("busybox", {"fromImage": "busybox", "tag": "latest"}),
        ("r:5000/a", {"fromImage": "r:5000/a", "tag": "latest"}),
        ("a/b@sha256:00", {"fromImage": "a/b", "tag": "sha256:00"}),
    ],
)
def test_an_image_without_tag_is_never_all_tags(
    docker: Docker, engine: FakeEngine, name: str, query: dict[str, str]
) -> None:
    docker.pull(name)

    assert engine.requests[-1].query == query


def test_a_pull_that_fails_in_its_stream_is_a_failure(docker: Docker) -> None:
    with pytest.raises(DockerError, match="manifest unknown"):
        docker.pull("missing:1", auth={"username": "u", "password": "hunter2"})


def test_dockers_own_words_are_kept(docker: Docker, engine: FakeEngine) -> None:
    with pytest.raises(DockerNotFound, match="No such image: none:1"):
        docker.create("a1", {"Image": "none:1"})
    docker.create("a1", BODY)
    with pytest.raises(DockerConflict, match="already in use"):
        docker.create("a1", BODY)
    engine.answers["/info"] = (500, b"plain words of an old daemon\n")
    with pytest.raises(DockerError, match="plain words of an old daemon"):
        docker.info()


@pytest.mark.parametrize("answer", [b"", b"[]", b"{", b"null", b"\xff\xfe", b"[" * 100_000, b"9" * 50_000])
def test_an_answer_that_makes_no_sense_is_an_error(docker: Docker, engine: FakeEngine, answer: bytes) -> None:
    engine.answers["/info"] = (200, answer)

    with pytest.raises(DockerError, match="the answer is not"):
        docker.info()


def test_an_answer_without_end_is_an_error(docker: Docker, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autorke.drivers.docker.wire.ANSWER_LIMIT", 10_000)
    engine.answers["/info"] = (200, b" " * 20_000)

    with pytest.raises(DockerError, match="AnswerTooLarge"):
        docker.info()


def test_a_read_without_answer_changed_nothing(limited: Callable[[float, float], Docker], engine: FakeEngine) -> None:
    engine.hang.add("/info")

    with pytest.raises(DockerTimeout) as caught:
        limited(0.5, 60).info()

    assert not caught.value.maybe_done


@pytest.mark.parametrize(("fault", "seconds"), [("hang", 2), ("cut", 60)])
def test_a_change_without_answer_may_have_been_made(
    limited: Callable[[float, float], Docker], engine: FakeEngine, fault: str, seconds: float
) -> None:
    getattr(engine, fault).add("/containers/create")
    docker = limited(60, seconds)

    with pytest.raises(DockerOutcomeUnknown) as caught:
        docker.create("kubelet", BODY)

    assert caught.value.maybe_done
    if fault == "cut":
        assert docker.inspect("kubelet") is not None, "it was made indeed"


def test_a_daemon_that_hangs_up_on_a_read(docker: Docker, engine: FakeEngine) -> None:
    engine.cut.add("/info")

    with pytest.raises(DockerError) as caught:
        docker.info()

    assert not caught.value.maybe_done


def test_logs_of_a_container_with_a_terminal_are_plain(docker: Docker, engine: FakeEngine) -> None:
    docker.create("a1", BODY)
    engine.answers["/containers/a1/logs"] = (200, b"plain text\r\n")

    assert docker.logs("a1") == "plain text\r\n"


def test_a_large_archive_arrives_whole(docker: Docker, engine: FakeEngine) -> None:
    archive = b"contract/" + bytes(5_000_000)

    docker.load(archive)

    assert engine.requests[-1].body == archive
