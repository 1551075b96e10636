"""A Kubernetes API in a few lines over HTTPS: objects with resourceVersions, lists in pages, merge patches, faults."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.drivers.kube.pki import Authority, Identity

Body = dict[str, Any]


@dataclass
class ApiServer:
    """`objects` by path; `before` is called with (method, path) before each request is carried out."""

    ca: Authority = field(default_factory=lambda: Authority("kube-ca"))
    objects: dict[str, Body] = field(default_factory=dict)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str], Body | None]] = field(default_factory=list)
    hang: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)
    before: Callable[[str, str], None] = lambda method, path: None
    released: threading.Event = field(default_factory=threading.Event)
    port: int = 0
    version: int = 100

    def put(self, path: str, body: Body) -> Body:
        """Store an object under a new resourceVersion."""
        self.version += 1
        body.setdefault("metadata", {}).update(name=path.rsplit("/", 1)[1], resourceVersion=str(self.version))
        self.objects[path] = body
        return body

    def add_node(self, name: str, *, hostname: str | None = None, ready: bool = True, **spec: Any) -> Body:
        labels = {"kubernetes.io/hostname": hostname or name}
        condition = {"type": "Ready", "status": str(ready), "message": "" if ready else "cni plugin not initialized"}
        addresses = [{"type": "InternalIP", "address": "10.0.0.9"}, {"type": "Hostname", "address": name}]
        status = {"conditions": [condition], "addresses": addresses, "nodeInfo": {"kubeletVersion": "v1.20.15"}}
        return self.put(f"/api/v1/nodes/{name}", {"metadata": {"labels": labels}, "spec": spec, "status": status})

    def carry_out(self, method: str, path: str, query: dict[str, str], body: Body | None) -> tuple[int, Any]:
        self.before(method, path)
        if path in self.answers:
            return self.answers[path]
        if method == "POST":
            return self._create(f"{path}/{(body or {})['metadata']['name']}", body or {})
        if path in self.objects:
            return self._on_object(method, path, body or {})
        members = {it: obj for it, obj in self.objects.items() if it.rsplit("/", 1)[0] == path}
        if method == "GET" and (members or path.endswith("s")):
            return self._page(list(members.values()), query)
        return _status(404, f'"{path.rsplit("/", 1)[1]}" not found')

    def _create(self, path: str, body: Body) -> tuple[int, Any]:
        return _status(409, "already exists") if path in self.objects else (201, self.put(path, body))

    def _on_object(self, method: str, path: str, body: Body) -> tuple[int, Any]:
        present = self.objects[path]
        if method == "GET":
            return 200, present
        if method == "DELETE":
            del self.objects[path]
            return 200, {"kind": "Status", "status": "Success"}
        wanted = (body.get("metadata") or {}).get("resourceVersion")
        if wanted not in (None, present["metadata"]["resourceVersion"]):
            return _status(409, "the object has been modified; please apply your changes to the latest version")
        return 200, self.put(path, body if method == "PUT" else _merged(present, body))

    def _page(self, found: list[Body], query: dict[str, str]) -> tuple[int, Any]:
        key, _, value = query.get("labelSelector", "").partition("=")
        if key:
            found = [it for it in found if (it["metadata"].get("labels") or {}).get(key) == value]
        name = query.get("fieldSelector", "").removeprefix("spec.nodeName=")
        if name:
            found = [it for it in found if it["spec"].get("nodeName") == name]
        start, limit = int(query.get("continue", 0)), int(query.get("limit", 10_000))
        more = {"continue": str(start + limit)} if start + limit < len(found) else {}
        return 200, {"kind": "List", "metadata": more, "items": found[start : start + limit]}


def _status(code: int, message: str) -> tuple[int, Any]:
    return code, {"kind": "Status", "status": "Failure", "message": message, "code": code}


def _merged(present: Body, change: Body) -> Body:
    result = dict(present)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = _merged(result.get(key) or {}, value)
        else:
            result[key] = value
    return result


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, api: ApiServer, context: ssl.SSLContext) -> None:
        self.api = api
        self._context = context
        super().__init__(("127.0.0.1", 0), _Exchange)

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(200)
        with contextlib.suppress(OSError), self._context.wrap_socket(request, server_side=True) as secured:
            _Exchange(secured, client_address, self)


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def handle_any(self) -> None:
        api = self.server.api
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), {key: it[0] for key, it in parse_qs(parts.query).items()}
        api.requests.append((self.command, self.path, dict(self.headers), body))
        if path in api.hang:
            api.released.wait(200)
        if not (self.connection.getpeercert() or "Authorization" in self.headers):  # type: ignore[attr-defined]
            return self._reply(*_status(401, "Unauthorized"))
        status, value = api.carry_out(self.command, path, query, body)
        if path in api.cut:
            self.close_connection = True
            return None
        return self._reply(status, value)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def _reply(self, status: int, value: Any) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@contextlib.contextmanager
def serving(server: ApiServer, directory: Path, identity: Identity | None = None) -> Iterator[ApiServer]:
    """Answer on a loopback port; `identity` replaces the certificate that the server's CA would issue for it."""
    certificate = identity or server.ca.issue("kube-apiserver", address="127.0.0.1")
    (directory / "api.pem").write_text(certificate.certificate + certificate.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "api.pem")
    context.load_verify_locations(cadata=server.ca.pem)
    context.verify_mode = ssl.CERT_OPTIONAL
    listener = _Listener(server, context)
    server.port = listener.server_address[1]
    threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.released.set()
        listener.shutdown()
        listener.server_close()
