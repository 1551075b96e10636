"""A Docker Engine in a few lines, on a Unix socket: enough state for the contract, and faults on request."""

from __future__ import annotations

import json
import re
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Handler = Callable[["FakeEngine", "Request"], tuple[int, Any]]


class Request:
    """One request as the engine saw it."""

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        parts = urlsplit(target)
        matched = re.match(r"/v(\d+\.\d+)(/.*)", parts.path)
        self.method = method
        self.api = matched.group(1) if matched else None
        self.path = matched.group(2) if matched else parts.path
        self.query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.headers = headers
        self.body = body


class FakeEngine:
    """State and behaviour. `hang` holds paths that never get an answer, `answers` fixed (status, body) for a path."""

    def __init__(self) -> None:
        self.version = {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"}
        self.containers: dict[str, dict[str, Any]] = {}
        self.images = {"busybox:1"}
        self.requests: list[Request] = []
        self.hang: set[str] = set()
        self.cut: set[str] = set()
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.events: list[dict[str, Any]] = []
        self.released = threading.Event()

    def answer(self, request: Request) -> tuple[int, Any]:
        self.requests.append(request)
        if request.path in self.hang:
            self.released.wait(30)
        if request.path in self.answers:
            return self.answers[request.path]
        for method, pattern, handler in _ROUTES:
            matched = re.fullmatch(pattern, request.path)
            if method == request.method and matched:
                return handler(self, request, *(unquote(group) for group in matched.groups()))
        return 404, {"message": "page not found"}

    def find(self, name: str) -> dict[str, Any] | None:
        for container in self.containers.values():
            if name in (container["Id"], container["Name"].lstrip("/")):
                return container
        return None

    def note(self, action: str, container: dict[str, Any]) -> None:
        self.events.append({"Type": "container", "Action": action, "id": container["Id"], "time": time.time()})


def _create(engine: FakeEngine, request: Request) -> tuple[int, Any]:
    name, body = request.query["name"], json.loads(request.body)
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", name):
        return 400, {"message": f"Invalid container name ({name})"}
    if engine.find(name):
        return 409, {"message": f'Conflict. The container name "/{name}" is already in use'}
    if body["Image"] not in engine.images:
        return 404, {"message": f"No such image: {body['Image']}"}
    number = f"{len(engine.requests):064x}"
    state = {"Running": False, "ExitCode": 0, "Status": "created"}
    container = {"Id": number, "Name": f"/{name}", "State": state, "Config": body, "HostConfig": body.get("HostConfig")}
    engine.containers[number] = container
    engine.note("create", container)
    return 201, {"Id": number, "Warnings": []}


def _with_container(work: Callable[[FakeEngine, Request, dict[str, Any]], tuple[int, Any]]) -> Callable[..., Any]:
    def handle(engine: FakeEngine, request: Request, name: str) -> tuple[int, Any]:
        container = engine.find(name)
        return work(engine, request, container) if container else (404, {"message": f"No such container: {name}"})

    return handle


def _inspect(engine: FakeEngine, request: Request, container: dict[str, Any]) -> tuple[int, Any]:
    return 200, container


def _start(engine: FakeEngine, request: Request, container: dict[str, Any]) -> tuple[int, Any]:
    if container["State"]["Running"]:
        return 304, None
    lasting = "sleep" in " ".join(container["Config"].get("Cmd") or [])
    container["State"].update(Running=lasting, Status="running" if lasting else "exited", ExitCode=0 if lasting else 7)
    engine.note("start", container)
    return 204, None


def _stop(engine: FakeEngine, request: Request, container: dict[str, Any]) -> tuple[int, Any]:
    if not container["State"]["Running"]:
        return 304, None
    container["State"].update(Running=False, Status="exited", ExitCode=137)
    engine.note("die", container)
    return 204, None


def _rename(engine: FakeEngine, request: Request, container: dict[str, Any]) -> tuple[int, Any]:
    if engine.find(request.query["name"]):
        return 409, {"message": "name already in use"}
    container["Name"] = "/" + request.query["name"]
    return 204, None


def _remove(engine: FakeEngine, request: Request, container: dict[str, Any]) -> tuple[int, Any]:
    if container["State"]["Running"] and request.query.get("force") != "1":
        return 409, {"message": "You cannot remove a running container. Stop the container or force remove"}
    del engine.containers[container["Id"]]
    engine.note("destroy", container)
    return 204, None


def _wait(engine: FakeEngine, request: Request, container: dict[str, Any]) -> tuple[int, Any]:
    while container["State"]["Running"] and not engine.released.wait(0.02):
        pass
    return 200, {"StatusCode": container["State"]["ExitCode"]}


def _logs(engine: FakeEngine, request: Request, container: dict[str, Any]) -> tuple[int, Any]:
    frames = [(1, b"out line\n"), (2, b"err line\n")]
    return 200, b"".join(bytes([kind, 0, 0, 0]) + len(text).to_bytes(4, "big") + text for kind, text in frames)


def _image(engine: FakeEngine, request: Request, name: str) -> tuple[int, Any]:
    return (200, {"RepoTags": [name]}) if name in engine.images else (404, {"message": f"No such image: {name}"})


def _pull(engine: FakeEngine, request: Request) -> tuple[int, Any]:
    name = f"{request.query['fromImage']}:{request.query['tag']}"
    if name.startswith("missing"):
        detail = {"message": "manifest unknown"}
        return 200, _lines({"status": "Pulling"}, {"errorDetail": detail, "error": "manifest unknown"})
    engine.images.add(name)
    return 200, _lines({"status": "Pulling"}, {"status": "Downloaded"})


def _load(engine: FakeEngine, request: Request) -> tuple[int, Any]:
    if not request.body.startswith(b"contract/") and b"manifest.json" not in request.body:
        return 200, _lines({"errorDetail": {"message": "invalid tar header"}, "error": "invalid tar header"})
    engine.images.add("autorke-contract:1")
    return 200, _lines({"stream": "Loaded image: autorke-contract:1"})


def _events(engine: FakeEngine, request: Request) -> tuple[int, Any]:
    since, until = float(request.query["since"]), float(request.query["until"])
    return 200, _lines(*[event for event in engine.events if since <= event["time"] <= until])


def _list(engine: FakeEngine, request: Request) -> tuple[int, Any]:
    every = request.query.get("all") == "1"
    found = [c for c in engine.containers.values() if every or c["State"]["Running"]]
    return 200, [{"Id": c["Id"], "Names": [c["Name"]], "State": c["State"]["Status"]} for c in found]


def _lines(*messages: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\r\n" for message in messages)


_ROUTES: list[tuple[str, str, Callable[..., tuple[int, Any]]]] = [
    ("GET", "/_ping", lambda engine, request: (200, b"OK")),
    ("GET", "/version", lambda engine, request: (200, engine.version)),
    ("GET", "/info", lambda engine, request: (200, {"ServerVersion": engine.version["Version"], "OSType": "linux"})),
    ("GET", "/events", _events),
    ("GET", "/containers/json", _list),
    ("POST", "/containers/create", _create),
    ("GET", "/containers/([^/]+)/json", _with_container(_inspect)),
    ("POST", "/containers/([^/]+)/start", _with_container(_start)),
    ("POST", "/containers/([^/]+)/stop", _with_container(_stop)),
    ("POST", "/containers/([^/]+)/rename", _with_container(_rename)),
    ("POST", "/containers/([^/]+)/wait", _with_container(_wait)),
    ("GET", "/containers/([^/]+)/logs", _with_container(_logs)),
    ("DELETE", "/containers/([^/]+)", _with_container(_remove)),
    ("POST", "/images/create", _pull),
    ("POST", "/images/load", _load),
    ("GET", "/images/(.+)/json", _image),
]


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, path: Path, engine: FakeEngine) -> None:
        self.engine = engine
        super().__init__(str(path), _Exchange)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the tests."""


class _Exchange(BaseHTTPRequestHandler):
    """Streams are sent in chunks, as Docker does."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, dict(self.headers), body)
        status, value = self.server.engine.answer(request)
        if request.path in self.server.engine.cut:
            self.close_connection = True
            return
        self._reply(status, value)

    do_GET = do_POST = do_DELETE = handle_any

    def _reply(self, status: int, value: Any) -> None:
        self.send_response(status)
        if value is None:
            self.end_headers()
            return
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(data), 1000):
            piece = data[start : start + 1000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@contextmanager
def serving(engine: FakeEngine, path: Path) -> Iterator[FakeEngine]:
    """Answer on a Unix socket at `path` until the block ends."""
    server = _Server(path, engine)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield engine
    finally:
        engine.released.set()
        server.shutdown()
        server.server_close()
