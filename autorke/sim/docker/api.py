"""The Docker Engine HTTP API of one machine, spoken over its `docker.sock`.

Calls the product and stock rke make are here; anything else is a 404 with Docker's own text. Every call is counted as
a read or a change, and a fault can strike it at `docker:<operation>[:<container or image>]`, before or after it took
effect.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
import struct
import tarfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autorke.sim.docker import render
from autorke.sim.docker.engine import Container, Engine, EngineError
from autorke.sim.docker.images import tagged
from autorke.sim.faults import Fault
from autorke.sim.http import Cut, Handler, Request, Response, json_response

if TYPE_CHECKING:
    from autorke.sim.machine.host import Host

Answer = Callable[["Host", Request, str], Awaitable[Response]]


@dataclass(frozen=True)
class Call:
    """One API operation. `key` (container or image) is the regular expression's first group, or a query parameter."""

    method: str
    path: re.Pattern[str]
    operation: str
    changes: bool
    answer: Answer
    key: str | None = None


def handler(host: Host) -> Handler:
    """What answers on the machine's docker.sock."""

    async def answer(request: Request) -> Response:
        headers = {"Api-Version": host.facts.docker.api, "Server": f"Docker/{host.facts.docker.version} (linux)"}
        try:
            response = await _dispatch(host, request)
        except EngineError as error:
            response = json_response({"message": error.message}, error.status)
        return Response(response.status, response.body, response.content_type, headers | dict(response.headers))

    return answer


async def _dispatch(host: Host, request: Request) -> Response:
    path = _unversioned(host, request.path)
    for call in _CALLS:
        found = call.path.fullmatch(path)
        if found is None or request.method != call.method:
            continue
        key = request.query.get(call.key, "") if call.key else (found[1] if found.re.groups else "")
        host.world.record.count(host.name, "docker_changes" if call.changes else "docker_reads")
        fault = host.strike("docker", call.operation, key.removeprefix("/"))
        if fault is not None:
            await _before(host, fault)
        response = await call.answer(host, request, key)
        if fault is not None and fault.kind == "cut_after":
            raise Cut
        return response
    raise EngineError(404, "page not found")


async def _before(host: Host, fault: Fault) -> None:
    if fault.kind == "hang":
        await fault.hold()
    elif fault.kind == "slow":
        await asyncio.sleep(fault.ms / 1000)
    elif fault.kind in {"fail", "refuse"}:
        raise EngineError(fault.status, fault.text)
    elif fault.kind == "die":
        host.die()
        raise Cut
    elif fault.kind in {"cut", "garbage"}:
        raise Cut


def _unversioned(host: Host, path: str) -> str:
    found = re.match(r"/v(\d+)\.(\d+)(/.*)", path)
    if found is None:
        return path
    asked = (int(found[1]), int(found[2]))
    docker = host.facts.docker
    if asked < _version(docker.min_api):
        raise EngineError(
            400,
            f"client version {found[1]}.{found[2]} is too old. Minimum supported API version is {docker.min_api}, "
            "please upgrade your client to a newer version",
        )
    if asked > _version(docker.api):
        raise EngineError(
            400, f"client version {found[1]}.{found[2]} is too new. Maximum supported API version is {docker.api}"
        )
    return found[3]


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor)


async def _ping(host: Host, _request: Request, _key: str) -> Response:
    headers = {
        "Docker-Experimental": "false",
        "Ostype": host.facts.docker.os_type,
        "Cache-Control": "no-cache, no-store, must-revalidate",
    }
    return Response(200, b"OK", "text/plain; charset=utf-8", headers)


async def _version_info(host: Host, _request: Request, _key: str) -> Response:
    return json_response(render.version(host.facts))


async def _info(host: Host, _request: Request, _key: str) -> Response:
    return json_response(render.info(host.engine, host.facts))


async def _list(host: Host, request: Request, _key: str) -> Response:
    filters = _filters(request)
    everything = request.flag("all") or "status" in filters
    shown = [
        render.summary(found, host.facts)
        for found in sorted(host.engine.all(), key=lambda entry: -entry.created)
        if (everything or found.state in {"running", "restarting"})
        and all(_passes(found, key, values) for key, values in filters.items())
    ]
    return json_response(shown)


def _passes(found: Container, key: str, values: list[str]) -> bool:
    if key == "name":
        return any(re.search(wanted, "/" + found.name) for wanted in values)
    if key == "status":
        return found.state in values
    if key == "label":
        labels = [f"{name}={value}" for name, value in (found.body.get("Labels") or {}).items()]
        return all(wanted in labels or any(label.startswith(wanted + "=") for label in labels) for wanted in values)
    return found.id in values


def _filters(request: Request) -> dict[str, list[str]]:
    try:
        given = json.loads(request.query.get("filters") or "{}")
        return {key: list(values) for key, values in given.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise EngineError(400, f"invalid filter: {error}") from error


async def _inspect(host: Host, _request: Request, key: str) -> Response:
    return json_response(render.inspect(host.engine.get(key), host.facts))


async def _create(host: Host, request: Request, key: str) -> Response:
    try:
        body = request.json()
    except ValueError as error:
        raise EngineError(500, f"invalid JSON: {error}") from error
    if not isinstance(body, dict):
        raise EngineError(400, "config cannot be empty in order to create a container")
    made = host.engine.create(key, body)
    return json_response({"Id": made.id, "Warnings": []}, 201)


async def _start(host: Host, _request: Request, key: str) -> Response:
    return Response(204 if host.engine.start(key) else 304)


async def _stop(host: Host, _request: Request, key: str) -> Response:
    return Response(204 if host.engine.stop(key) else 304)


async def _restart(host: Host, _request: Request, key: str) -> Response:
    host.engine.restart(key)
    return Response(204)


async def _kill(host: Host, request: Request, key: str) -> Response:
    host.engine.kill(key, request.query.get("signal", "SIGKILL"))
    return Response(204)


async def _rename(host: Host, request: Request, key: str) -> Response:
    host.engine.rename(key, request.query.get("name", ""))
    return Response(204)


async def _remove(host: Host, request: Request, key: str) -> Response:
    host.engine.remove(key, force=request.flag("force"))
    return Response(204)


async def _wait(host: Host, _request: Request, key: str) -> Response:
    return json_response({"StatusCode": await host.engine.wait(key)})


async def _logs(host: Host, request: Request, key: str) -> Response:
    found = host.engine.get(key)
    wanted = {stream for stream, name in ((1, "stdout"), (2, "stderr")) if request.flag(name)}
    if not wanted:
        raise EngineError(400, "Bad parameters: you must choose at least one stream")
    lines = [(stream, data) for stream, _moment, data in found.logs if stream in wanted]
    tail = request.query.get("tail", "all")
    if tail.isdigit():
        lines = lines[len(lines) - min(int(tail), len(lines)) :]
    if found.body.get("Tty"):
        return Response(200, b"".join(data for _stream, data in lines), "application/vnd.docker.raw-stream")
    framed = b"".join(struct.pack(">BxxxL", stream, len(data)) + data for stream, data in lines)
    return Response(200, framed, "application/vnd.docker.multiplexed-stream")


async def _images(host: Host, _request: Request, _key: str) -> Response:
    return json_response([found.summary() for found in host.engine.images.values()])


async def _image(host: Host, _request: Request, key: str) -> Response:
    try:
        return json_response(host.engine.image(key).inspect())
    except EngineError as error:
        raise EngineError(error.status, f"no such image: {tagged(key)}: {error.message}") from error


async def _remove_image(host: Host, _request: Request, key: str) -> Response:
    host.engine.remove_image(key)
    return json_response([{"Untagged": tagged(key)}])


async def _pull(host: Host, request: Request, key: str) -> Response:
    tag = request.query.get("tag", "")
    name = tagged(f"{key}:{tag}" if tag and not tag.startswith("sha256:") else key)
    docker = host.facts.docker
    if docker.registry == "unreachable":
        raise EngineError(500, f'Get "https://{_registry(name)}/v2/": dial tcp: i/o timeout')
    if docker.registry == "denied":
        repository = name.rpartition(":")[0]
        raise EngineError(
            404,
            f"pull access denied for {repository}, repository does not exist or may require 'docker login': denied: "
            "requested access to the resource is denied",
        )

    async def progress() -> AsyncIterator[bytes]:
        repository, _, version = name.rpartition(":")
        yield _line({"status": f"Pulling from {repository}", "id": version})
        await asyncio.sleep(docker.pull_seconds)
        fault = host.strike("docker", "pull-stream", name)
        if fault is not None:
            if fault.kind == "fail":
                yield _line({"errorDetail": {"message": fault.text}, "error": fault.text})
                return
            await _before(host, fault)
        host.engine.pulled(name)
        host.world.record.note(host.name, "docker.pull", image=name)
        yield _line({"status": f"Digest: {host.engine.image(name).id}"})
        yield _line({"status": f"Status: Downloaded newer image for {name}"})

    return Response(200, progress())


def _registry(name: str) -> str:
    head = name.partition("/")[0]
    return head if "." in head or ":" in head else "registry-1.docker.io"


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\r\n"


async def _load(host: Host, request: Request, _key: str) -> Response:
    try:
        names = _tar_names(request.body)
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise EngineError(500, f"Error processing tar file: {error}") from error
    for name in names:
        host.engine.add_image(name)
        host.world.record.note(host.name, "docker.load", image=name)
    return Response(200, b"".join(_line({"stream": f"Loaded image: {name}\n"}) for name in names))


def _tar_names(data: bytes) -> list[str]:
    """Image names in a `docker save` archive."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        manifest = archive.extractfile("manifest.json")
        if manifest is None:
            raise ValueError("manifest.json is not a file")
        return [name for entry in json.load(manifest) for name in entry.get("RepoTags") or []]


async def _events(host: Host, request: Request, _key: str) -> Response:
    since = float(request.query.get("since") or time.time())
    until = float(request.query["until"]) if request.query.get("until") else None
    return Response(200, _event_stream(host.engine, since, until))


async def _event_stream(engine: Engine, since: float, until: float | None) -> AsyncIterator[bytes]:
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    engine.listeners.add(queue)
    try:
        for event in list(engine.events):
            if since <= event["timeNano"] / 1e9 and (until is None or event["timeNano"] / 1e9 <= until):
                yield json.dumps(event).encode() + b"\n"
        while until is None or time.time() < until:
            left = None if until is None else max(0.0, until - time.time())
            try:
                yield json.dumps(await asyncio.wait_for(queue.get(), left)).encode() + b"\n"
            except TimeoutError:
                return
    finally:
        engine.listeners.discard(queue)


async def _auth(_host: Host, _request: Request, _key: str) -> Response:
    return json_response({"Status": "Login Succeeded", "IdentityToken": ""})


async def _top(host: Host, _request: Request, key: str) -> Response:
    found = host.engine.get(key)
    if found.state != "running":
        raise EngineError(409, f"Container {found.id} is not running")
    return json_response({"Titles": ["PID", "CMD"], "Processes": [["1", " ".join(found.argv)]]})


async def _archive(host: Host, request: Request, key: str) -> Response:
    host.engine.get(key)
    raise EngineError(404, f"Could not find the file {request.query.get('path', '')} in container {key}")


def _call(method: str, path: str, operation: str, changes: bool, answer: Answer, key: str | None = None) -> Call:
    return Call(method, re.compile(path), operation, changes, answer, key)


_CALLS = (
    _call("GET", "/_ping", "ping", False, _ping),
    _call("HEAD", "/_ping", "ping", False, _ping),
    _call("GET", "/version", "version", False, _version_info),
    _call("GET", "/info", "info", False, _info),
    _call("POST", "/auth", "auth", False, _auth),
    _call("GET", "/events", "events", False, _events),
    _call("GET", "/containers/json", "list", False, _list),
    _call("POST", "/containers/create", "create", True, _create, "name"),
    _call("GET", "/containers/([^/]+)/json", "inspect", False, _inspect),
    _call("POST", "/containers/([^/]+)/start", "start", True, _start),
    _call("POST", "/containers/([^/]+)/stop", "stop", True, _stop),
    _call("POST", "/containers/([^/]+)/restart", "restart", True, _restart),
    _call("POST", "/containers/([^/]+)/kill", "kill", True, _kill),
    _call("POST", "/containers/([^/]+)/rename", "rename", True, _rename),
    _call("POST", "/containers/([^/]+)/wait", "wait", False, _wait),
    _call("GET", "/containers/([^/]+)/logs", "logs", False, _logs),
    _call("GET", "/containers/([^/]+)/top", "top", False, _top),
    _call("GET", "/containers/([^/]+)/archive", "archive", False, _archive),
    _call("DELETE", "/containers/([^/]+)", "remove", True, _remove),
    _call("GET", "/images/json", "images", False, _images),
    _call("POST", "/images/create", "pull", True, _pull, "fromImage"),
    _call("POST", "/images/load", "load", True, _load),
    _call("GET", "/images/(.+)/json", "image", False, _image),
    _call("DELETE", "/images/(.+)", "remove-image", True, _remove_image),
)
