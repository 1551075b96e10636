"""`Docker`: the part of the Engine API that we need, of one machine: Docker 1.12 (API 1.24) up to Engine 29."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from autorke.drivers.base import DockerError, Remote
from autorke.drivers.docker.errors import DockerConflict, DockerNotFound, DockerOutcomeUnknown, DockerTimeout
from autorke.drivers.docker.messages import failure_in, json_lines, log_text, registry_auth, split_image, version_tuple
from autorke.drivers.docker.socket import DockerSocket
from autorke.drivers.docker.wire import Answer, AnswerTooLarge, ask

# The newest API that any rke speaks (rke.md §8). A daemon gives containers other defaults to clients of newer versions
# (private cgroup namespace, for one), so we ask as rke does, or for the oldest that the daemon still serves.
PREFERRED_API = (1, 41)

# 304 on start and stop. Other 3xx mean that the daemon corrected the path: a hostile name, and nothing was done.
_ALREADY_SO = 304

_LOAD_SECONDS = 900.0


def docker_over(remote: Remote, *, read_seconds: float = 30.0, change_seconds: float = 60.0) -> Docker:
    """The Docker Engine of a connected machine. Nothing is sent before the first call. A read is given up after
    `read_seconds`, a change after `change_seconds`; pull, load and wait have limits of their own."""
    return Docker(remote, read_seconds, change_seconds)


class Docker:
    """Implements `drivers.base.DockerApi`. Every call opens its own stream, so calls may be made from many threads.

    Raises DockerAbsent, DockerSocketDenied, DockerNotFound, DockerConflict, DockerError; DockerTimeout for a read,
    DockerOutcomeUnknown for a change that got no answer; Unreachable when the SSH connection is gone.
    """

    def __init__(self, remote: Remote, read_seconds: float, change_seconds: float) -> None:
        self._remote = remote
        self._read_seconds = read_seconds
        self._change_seconds = change_seconds
        self._socket = DockerSocket(remote)
        self._prefix: str | None = None

    def ping(self) -> None:
        self._send("GET", "/_ping", versioned=False)

    def version(self) -> dict[str, Any]:
        """Unversioned, so that it is answered by every daemon."""
        return self._object(self._send("GET", "/version", versioned=False), "version")

    def info(self) -> dict[str, Any]:
        return self._object(self._send("GET", "/info"), "info")

    def containers(self, *, all: bool = True) -> list[dict[str, Any]]:
        return self._objects(self._send("GET", "/containers/json", query={"all": int(all)}), "list containers")

    def inspect(self, name: str) -> dict[str, Any] | None:
        """None when there is no such container."""
        return self._maybe(f"/containers/{_segment(name)}/json", f"inspect {name}")

    def create(self, name: str, body: Mapping[str, Any]) -> str:
        """Post the body as it is; the id. DockerConflict when the name is taken, DockerNotFound without the image."""
        answer = self._send("POST", "/containers/create", query={"name": name}, body=_json(body), what=f"create {name}")
        return str(self._object(answer, f"create {name}")["Id"])

    def start(self, name: str) -> None:
        """A running container stays as it is."""
        self._send("POST", f"/containers/{_segment(name)}/start", what=f"start {name}")

    def stop(self, name: str, *, grace: int = 5) -> None:
        """SIGTERM, then SIGKILL after `grace` seconds; a stopped container stays as it is."""
        path = f"/containers/{_segment(name)}/stop"
        self._send("POST", path, query={"t": grace}, what=f"stop {name}", seconds=self._change_seconds + grace)

    def rename(self, name: str, new_name: str) -> None:
        path = f"/containers/{_segment(name)}/rename"
        self._send("POST", path, query={"name": new_name}, what=f"rename {name}")

    def remove(self, name: str, *, force: bool = False, volumes: bool = False) -> None:
        """A container that is gone already is fine."""
        query = {"force": int(force), "v": int(volumes)}
        try:
            self._send("DELETE", f"/containers/{_segment(name)}", query=query, what=f"remove {name}")
        except DockerNotFound:
            return

    def wait(self, name: str, *, timeout: float = 300.0) -> int:
        """The exit code, once it has ended. DockerTimeout when it goes on for longer than `timeout` seconds."""
        path, what = f"/containers/{_segment(name)}/wait", f"wait for {name}"
        answer = self._send("POST", path, what=what, seconds=timeout, changes=False)
        return int(self._object(answer, what)["StatusCode"])

    def logs(self, name: str, *, tail: int = 200) -> str:
        """The last lines, stdout and stderr in the order in which they were written."""
        query = {"stdout": 1, "stderr": 1, "tail": tail}
        return log_text(
            self._send("GET", f"/containers/{_segment(name)}/logs", query=query, what=f"logs of {name}").body
        )

    def image(self, name: str) -> dict[str, Any] | None:
        """None when the machine does not have it."""
        return self._maybe(f"/images/{quote(name, safe='/:@')}/json", f"inspect image {name}")

    def pull(self, name: str, *, auth: Mapping[str, str] | None = None, timeout: float = 600.0) -> None:
        """`auth` holds username, password and serveraddress; it travels in a header and is never logged."""
        repository, tag = split_image(name)
        headers = {"X-Registry-Auth": registry_auth(auth)} if auth else {}
        query = {"fromImage": repository, "tag": tag}
        answer = self._send(
            "POST", "/images/create", query=query, headers=headers, what=f"pull {name}", seconds=timeout
        )
        self._check_stream(answer, f"pull {name}")

    def load(self, tar: bytes) -> None:
        """Images from a `docker save` archive."""
        headers = {"Content-Type": "application/x-tar"}
        answer = self._send(
            "POST",
            "/images/load",
            query={"quiet": 1},
            body=tar,
            headers=headers,
            what="load images",
            seconds=_LOAD_SECONDS,
        )
        self._check_stream(answer, "load images")

    def events(self, *, since: float, until: float) -> list[dict[str, Any]]:
        """What happened between two points of Unix time (the machine's clock), both in the past."""
        query = {"since": f"{since:.9f}", "until": f"{until:.9f}"}
        return json_lines(self._send("GET", "/events", query=query, what="events").body)

    def _maybe(self, path: str, what: str) -> dict[str, Any] | None:
        try:
            return self._object(self._send("GET", path, what=what), what)
        except DockerNotFound:
            return None

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        what: str = "",
        seconds: float | None = None,
        changes: bool | None = None,
        versioned: bool = True,
    ) -> Answer:
        what = what or path.strip("/_")
        changes = method != "GET" if changes is None else changes
        seconds = seconds or (self._change_seconds if changes else self._read_seconds)
        url = (self._api() if versioned else "") + path + (f"?{urlencode(query)}" if query else "")
        stream = self._socket.open()
        try:
            answer = ask(stream, method, url, body=body, headers=_headers(body, headers), timeout=seconds)
        except (OSError, http.client.HTTPException, AnswerTooLarge) as error:
            raise self._no_answer(what, seconds, error, changes) from error
        if answer.status >= 300 and answer.status != _ALREADY_SO:
            raise self._refusal(answer, what)
        return answer

    def _api(self) -> str:
        """`/v1.41`: what we prefer, within what the daemon serves. Old daemons do not tell their minimum."""
        if self._prefix is None:
            told = self.version()
            try:
                newest = version_tuple(str(told["ApiVersion"]))
                oldest = version_tuple(str(told.get("MinAPIVersion") or "1.12"))
            except (KeyError, ValueError) as error:
                raise self._error(DockerError, "version", "it does not tell its API version") from error
            major, minor = max(oldest, min(PREFERRED_API, newest))
            self._prefix = f"/v{major}.{minor}"
        return self._prefix

    def _no_answer(self, what: str, seconds: float, error: Exception, changed: bool) -> DockerError:
        timed_out = isinstance(error, TimeoutError)
        if changed:
            reason = f"no answer within {seconds:g} s" if timed_out else "the connection broke"
            return self._error(DockerOutcomeUnknown, what, reason)
        if timed_out:
            return DockerTimeout(name=self._remote.target.name, what=what, seconds=f"{seconds:g}")
        return self._error(DockerError, what, f"the answer broke off ({type(error).__name__})")

    def _refusal(self, answer: Answer, what: str) -> DockerError:
        kind: type[DockerError] = {404: DockerNotFound, 409: DockerConflict}.get(answer.status, DockerError)
        return self._error(kind, what, _message(answer))

    def _check_stream(self, answer: Answer, what: str) -> None:
        reason = failure_in(json_lines(answer.body))
        if reason:
            raise self._error(DockerError, what, reason)

    def _object(self, answer: Answer, what: str) -> dict[str, Any]:
        value = self._value(answer, what)
        if not isinstance(value, dict):
            raise self._error(DockerError, what, "the answer is not a JSON object")
        return value

    def _objects(self, answer: Answer, what: str) -> list[dict[str, Any]]:
        value = self._value(answer, what)
        if not isinstance(value, list):
            raise self._error(DockerError, what, "the answer is not a JSON list")
        return value

    def _value(self, answer: Answer, what: str) -> Any:
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise self._error(DockerError, what, "the answer is not JSON") from error

    def _error(self, kind: type[DockerError], what: str, reason: str) -> DockerError:
        return kind(name=self._remote.target.name, what=what, reason=reason)


def _segment(name: str) -> str:
    """A container's name as one piece of a path: it can neither leave its place nor add a query."""
    return quote(name, safe="")


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def _headers(body: bytes | None, headers: Mapping[str, str] | None) -> dict[str, str]:
    kind = {"Content-Type": "application/json"} if body is not None else {}
    return {**kind, **(headers or {})}


def _message(answer: Answer) -> str:
    """Docker's own words: {"message": …}, or plain text from an older daemon."""
    text = answer.body.decode(errors="replace").strip()
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return text[:500] or f"HTTP {answer.status}"
