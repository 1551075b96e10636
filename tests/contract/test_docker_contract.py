"""What `DockerApi` promises, on every edge: the fake engine, the simulator, a real dockerd, the lab's machines."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from autorke.drivers import ssh
from autorke.drivers.base import DockerError
from autorke.drivers.docker import Docker, DockerConflict, DockerNotFound, DockerTimeout, docker_over
from tests.contract import image
from tests.contract.edges import Edge

pytestmark = pytest.mark.sshd


@pytest.fixture(scope="module")
def docker(edge: Edge) -> Iterator[Docker]:
    with ssh.connect(edge.target) as remote:
        docker = docker_over(remote)
        docker.load(image.archive())
        yield docker


@pytest.fixture
def name(docker: Docker) -> Iterator[str]:
    name = f"contract-{uuid.uuid4().hex[:8]}"
    yield name
    docker.remove(name, force=True)


def body(script: str) -> dict[str, Any]:
    return {"Image": image.NAME, "Cmd": ["/bin/sh", "-c", script], "HostConfig": {"NetworkMode": "none"}}


SLEEP = "/bin/sleep 600"
SPEAK = "echo out line; echo err line >&2; exit 7"


def test_it_answers(docker: Docker) -> None:
    docker.ping()

    assert docker.version()["ApiVersion"]
    assert docker.info()["OSType"] == "linux"


def test_a_loaded_image_is_there_and_another_is_not(docker: Docker) -> None:
    assert image.NAME in (docker.image(image.NAME) or {})["RepoTags"]
    assert docker.image("no-such-image:1") is None


def test_a_broken_archive_is_refused(docker: Docker) -> None:
    with pytest.raises(DockerError):
        docker.load(b"this is no tar archive" * 100)


def test_a_container_lives_from_create_to_remove(docker: Docker, name: str) -> None:
    number = docker.create(name, body(SLEEP))
    assert docker.inspect(name)["State"]["Running"] is False  # type: ignore[index]

    docker.start(name)
    docker.start(name)
    assert docker.inspect(number)["State"]["Running"] is True  # type: ignore[index]
    assert [f"/{name}"] in [container["Names"] for container in docker.containers(all=False)]

    docker.stop(name, grace=0)
    docker.stop(name, grace=0)
    assert docker.inspect(name)["State"]["Running"] is False  # type: ignore[index]
    assert [f"/{name}"] not in [container["Names"] for container in docker.containers(all=False)]
    assert [f"/{name}"] in [container["Names"] for container in docker.containers()]

    docker.remove(name)
    docker.remove(name)
    assert docker.inspect(name) is None


def test_the_exit_code_and_the_logs_of_a_container_that_ended(docker: Docker, name: str) -> None:
    docker.create(name, body(SPEAK))
    docker.start(name)

    assert docker.wait(name) == 7
    assert sorted(docker.logs(name).splitlines()) == ["err line", "out line"]


def test_waiting_for_a_container_ends_in_time(docker: Docker, name: str) -> None:
    docker.create(name, body(SLEEP))
    docker.start(name)

    with pytest.raises(DockerTimeout) as caught:
        docker.wait(name, timeout=3)

    assert not caught.value.maybe_done, "waiting changes nothing"


def test_a_name_that_is_taken_is_a_conflict(docker: Docker, name: str) -> None:
    docker.create(name, body(SLEEP))

    with pytest.raises(DockerConflict):
        docker.create(name, body(SLEEP))


def test_a_running_container_is_removed_only_by_force(docker: Docker, name: str) -> None:
    docker.create(name, body(SLEEP))
    docker.start(name)

    with pytest.raises(DockerConflict):
        docker.remove(name)
    docker.remove(name, force=True, volumes=True)

    assert docker.inspect(name) is None


def test_a_container_is_renamed(docker: Docker, name: str) -> None:
    docker.create(f"{name}-old", body(SLEEP))

    docker.rename(f"{name}-old", name)

    assert docker.inspect(name) is not None
    assert docker.inspect(f"{name}-old") is None


def test_a_missing_image_is_named(docker: Docker, name: str) -> None:
    with pytest.raises(DockerNotFound, match="no-such-image"):
        docker.create(name, {"Image": "no-such-image:1"})


@pytest.mark.parametrize(
    "hostile", ["../../etc", "..", "a?b=c", "$(id)", "a\nb", "x/json?size=1", "变更", ".", "%2e%2e"]
)
def test_a_hostile_name_is_data(docker: Docker, hostile: str) -> None:
    with pytest.raises(DockerError):
        docker.create(hostile, body(SLEEP))
    with pytest.raises(DockerError):
        docker.start(hostile)


def test_events_tell_what_was_done_and_reads_cause_none(docker: Docker, name: str) -> None:
    since = time.time() - 0.001
    docker.create(name, body(SLEEP))
    docker.remove(name)
    middle = time.time()
    docker.inspect(name)
    docker.containers()
    docker.image(image.NAME)
    until = time.time()

    changes = [event["Action"] for event in docker.events(since=since, until=middle)]
    assert [action for action in changes if action in ("create", "destroy")] == ["create", "destroy"]
    assert docker.events(since=middle, until=until) == []
