"""The console's built files (`autorke/web/dist`), served by the api: no second server, no second origin.

It answers what no route answered, so it can never hide one. Only files that were there when the directory was read are
served, each by its own name: no path of a request is ever joined to a directory.
"""

from __future__ import annotations

import hashlib
import logging
import mimetypes
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)

DIST = Path(__file__).parent / "dist"
ENCODINGS = {"br": ".br", "gzip": ".gz"}  # best first
FOREVER = "public, max-age=31536000, immutable"  # the name holds a hash of the content
ASK_EACH_TIME = "no-cache"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
NOT_BUILT = """<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>AutoRke</title>
<h1>控制台尚未构建 / The console is not built</h1>
<p>在项目目录运行 <code>./run ui build</code>，然后刷新本页；接口可正常使用。</p>
<p>Run <code>./run ui build</code> in the project, then reload; the API works meanwhile.
</p></html>
"""


@dataclass(frozen=True)
class Built:
    """One file and its compressed copies."""

    path: Path
    etag: str
    media_type: str
    copies: dict[str, Path] = field(default_factory=dict)


def _accepts(header: str) -> set[str]:
    """Encodings that the browser takes; `;q=0` is a refusal."""
    found = set()
    for part in header.lower().split(","):
        name, _, parameters = part.strip().partition(";")
        if parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            found.add(name.strip())
    return found


def read_dist(dist: Path) -> dict[str, Built]:
    """URL path → file. Compressed copies belong to their original."""
    names = {path for path in dist.rglob("*") if path.is_file()} if dist.is_dir() else set()
    found = {}
    for path in names - {one for one in names if one.suffix in ENCODINGS.values()}:
        copies = {name: Path(f"{path}{suffix}") for name, suffix in ENCODINGS.items()}
        found["/" + path.relative_to(dist).as_posix()] = Built(
            path,
            etag=f'"{hashlib.sha256(path.read_bytes()).hexdigest()[:32]}"',
            media_type=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
            copies={name: copy for name, copy in copies.items() if copy in names},
        )
    return found


class Console:
    """ASGI application in front of the router's own "not found"."""

    def __init__(self, dist: Path, not_found: ASGIApp) -> None:
        self.dist = dist
        self.not_found = not_found
        self._stamp = 0
        self._files: dict[str, Built] = {}

    @property
    def files(self) -> dict[str, Built]:
        """Read again when the build was: `./run ui build` needs no restart of the api."""
        try:
            stamp = (self.dist / "index.html").stat().st_mtime_ns
        except OSError:
            stamp = 0
        if stamp != self._stamp:
            self._files, self._stamp = (read_dist(self.dist) if stamp else {}), stamp
        return self._files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answer(scope) if scope["type"] == "http" else None
        await (answer or self.not_found)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response | None:
        path, headers = scope["path"], Headers(scope=scope)
        if scope["method"] not in ("GET", "HEAD") or path == "/api" or path.startswith("/api/"):
            return None
        found = self.files.get(path)
        if found is not None and path != "/index.html":
            return _file(found, headers, FOREVER if path.startswith("/assets/") else ASK_EACH_TIME)
        # An old chunk must fail as such, so that the page reloads; as HTML it would be a script with a syntax error.
        wants_page = path == "/" or "text/html" in headers.get("accept", "")
        if path.startswith("/assets/") or not wants_page:
            return None
        index = self.files.get("/index.html")
        if index is None:
            return HTMLResponse(NOT_BUILT, status_code=503, headers={"Cache-Control": "no-store"})
        page = _file(index, headers, ASK_EACH_TIME)
        page.headers["Content-Security-Policy"] = PAGE_POLICY
        return page


def _file(built: Built, headers: Headers, caching: str) -> Response:
    accepted = _accepts(headers.get("accept-encoding", ""))
    encoding = next((name for name in built.copies if name in accepted), None)
    # A copy in another encoding is another representation; without a suffix a cache could mix them up.
    etag = built.etag if encoding is None else f'{built.etag[:-1]}-{encoding}"'
    told = {"Cache-Control": caching, "Vary": "Accept-Encoding", "ETag": etag}
    if etag in (one.strip().removeprefix("W/") for one in headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=told)
    if encoding is not None:
        told["Content-Encoding"] = encoding
    path = built.path if encoding is None else built.copies[encoding]
    return FileResponse(path, media_type=built.media_type, headers=told)


def install(app: FastAPI, dist: Path = DIST) -> None:
    """Serve the console where no route answers."""
    if not (dist / "index.html").exists():
        log.warning("the console is not built: ./run ui build", extra={"dist": str(dist)})
    app.router.default = Console(dist, app.router.default)
