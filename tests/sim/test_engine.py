"""The simulated engine beside a real one: the same requests, the same answers in every field that somebody reads."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from autorke.drivers import ssh
from autorke.drivers.base import ByteStream
from autorke.drivers.docker import wire
from autorke.sim.rke import containers
from autorke.sim.rke.versions import versions_of
from tests.contract import image
from tests.contract.real_engine import running_dockerd, why_not
from tests.sim.conftest import Target

Answer = tuple[int, Any]
Ask = Callable[..., Answer]

BODIES: dict[str, dict[str, Any]] = {
    **containers.worker(versions_of("v1.20.15-rancher2-1"), "w1", ["10.0.0.1"], "/var/lib/docker"),
    "tty": {"Image": "", "Cmd": ["sh", "-c", "echo a"], "Tty": True, "Env": ["A=b"], "Labels": {"q": "w"}},
    "plain": {"Image": ""},
}
READ = {
    "": ("Name", "Path", "Args", "RestartCount", "LogPath", "AppArmorProfile"),
    "State": ("Status", "Running", "Restarting", "Dead", "Pid", "ExitCode", "StartedAt", "FinishedAt"),
    "Config": ("User", "Tty", "Env", "Cmd", "Image", "Volumes", "Entrypoint", "Labels"),
    "HostConfig": (
        *("Binds", "VolumesFrom", "NetworkMode", "PidMode", "IpcMode", "Privileged", "PortBindings", "RestartPolicy"),
        *("SecurityOpt", "LogConfig", "AutoRemove"),
    ),
}
REFUSALS = [
    ("POST", "/containers/create?name=plain", {"Image": image.NAME}),
    ("POST", "/containers/create?name=zz", {"Image": "nope:1"}),
    ("POST", "/containers/create?name=zz", {"Image": image.NAME, "HostConfig": {"VolumesFrom": ["nope"]}}),
    ("POST", "/containers/create?name=../x", {"Image": image.NAME}),
    ("POST", "/containers/nope/start", None),
    ("POST", "/containers/plain/stop", None),
    ("POST", "/containers/plain/kill", None),
    ("POST", "/containers/plain/rename?name=tty", None),
    ("POST", "/containers/plain/rename?name=", None),
    ("GET", "/containers/nope/json", None),
    ("GET", "/containers/plain/logs", None),
    ("GET", "/images/nope:1/json", None),
    ("DELETE", "/containers/nope", None),
    ("GET", "/nothing", None),
]


def _ask(stream: ByteStream, method: str, path: str, body: Any = None) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
    kind = "application/x-tar" if isinstance(body, bytes) else "application/json"
    answer = wire.ask(stream, method, f"/v1.41{path}", body=data, headers={"Content-Type": kind}, timeout=30)
    try:
        return answer.status, json.loads(answer.body)
    except ValueError:
        return answer.status, None


def _filled(ask: Ask) -> Ask:
    assert ask("POST", "/images/load", image.archive())[0] == 200
    for name, body in BODIES.items():
        assert ask("POST", f"/containers/create?name={name}", {**body, "Image": image.NAME})[0] == 201
    return ask


@pytest.fixture(scope="module")
def real() -> Iterator[Ask]:
    reason = why_not()
    if reason:
        pytest.skip(f"SKIPPED: {reason}")
    with running_dockerd() as path:

        def ask(method: str, where: str, body: Any = None) -> Answer:
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(str(path))
            return _ask(sock, method, where, body)

        yield _filled(ask)


@pytest.fixture(scope="module")
def simulated(target: Target) -> Iterator[Ask]:
    with ssh.connect(target("free-001")) as remote:

        def ask(method: str, where: str, body: Any = None) -> Answer:
            return _ask(remote.open_unix("/var/run/docker.sock"), method, where, body)

        yield _filled(ask)


def _fields(document: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for part, names in READ.items():
        inside = document[part] if part else document
        found |= {f"{part}.{name}": inside.get(name) for name in names}
    return found


@pytest.mark.parametrize("name", list(BODIES))
def test_inspect_says_the_same(real: Ask, simulated: Ask, name: str) -> None:
    theirs, ours = (_fields(ask("GET", f"/containers/{name}/json")[1]) for ask in (real, simulated))
    # the contract's image has no environment of its own, ours has a PATH
    for found in (theirs, ours):
        found["Config.Env"] = [entry for entry in found["Config.Env"] or [] if not entry.startswith("PATH=")]
    assert ours == theirs


@pytest.mark.parametrize(("method", "path", "body"), REFUSALS)
def test_refusals_have_the_same_status_and_words(
    real: Ask, simulated: Ask, method: str, path: str, body: dict[str, Any] | None
) -> None:
    theirs, ours = (ask(method, path, body) for ask in (real, simulated))
    assert _anonymous(ours) == _anonymous(theirs)


def _anonymous(answer: Answer) -> tuple[int, str]:
    return answer[0], re.sub(r"[0-9a-f]{64}", "<id>", json.dumps(answer[1]))


def test_lists_and_infos_have_the_keys_of_a_real_one(real: Ask, simulated: Ask) -> None:
    for path in ("/info", "/version", "/containers/json?all=1", f"/images/{image.NAME}/json", "/images/json"):
        theirs, ours = (ask("GET", path)[1] for ask in (real, simulated))
        if isinstance(theirs, list):
            theirs, ours = theirs[0], ours[0]
        unknown = set(ours) - set(theirs)
        assert not unknown, f"{path}: {unknown}"


def test_order_and_states_in_a_list(real: Ask, simulated: Ask) -> None:
    for ask in (real, simulated):
        assert ask("GET", "/containers/json")[1] == []
        names = [entry["Names"][0] for entry in ask("GET", "/containers/json?all=1")[1]]
        assert sorted(names) == sorted(f"/{name}" for name in BODIES)
        assert {entry["State"] for entry in ask("GET", "/containers/json?all=1")[1]} == {"created"}
