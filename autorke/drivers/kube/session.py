"""One cluster's API as requests and JSON: the official client sends, every failure becomes an error of ours."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from autorke.core import contact
from autorke.drivers.base import DriverError, KubeError, KubeUnreachable, Remote
from autorke.drivers.kube.errors import (
    KubeCaMismatch,
    KubeConflict,
    KubeForbidden,
    KubeNotFound,
    KubeOutcomeUnknown,
)
from autorke.drivers.kube.kubeconfig import Access
from autorke.drivers.kube.tls import certificates_in, client_context, fingerprint, is_other_ca
from autorke.drivers.kube.tunnel import connect_through, pool_through

MERGE_PATCH = "application/merge-patch+json"
ANSWER_LIMIT = 64 * 1024 * 1024
"""Bytes of an answer that are kept: 500 large nodes are ten megabytes."""
_PIECE = 1 << 16
_PAGE = 500
_PATIENCE = re.compile(r"timeout=([0-9.]+)\)")
_ANSWER_FACTOR = 3
"""An answer may take longer than a connection: a busy API server is no reason to leave a change unknown."""

Caught = TypeVar("Caught", bound=BaseException)
_BY_STATUS: dict[int, type[KubeError]] = {401: KubeForbidden, 403: KubeForbidden, 404: KubeNotFound, 409: KubeConflict}


class AnswerTooLarge(Exception):
    """The other side would not stop talking."""


@dataclass(frozen=True)
class Reply:
    """An answer of the API."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def path(*segments: str) -> str:
    """Segments as one path; each stays one segment whatever it holds.

    Raises KubeNotFound for what Kubernetes allows in no name: empty or dots (DELETE of `nodes/.` would delete every
    node), a slash or a percent sign (the server decodes before it splits).
    """
    for segment in segments:
        if not segment.strip(".") or "/" in segment or "%" in segment:
            raise KubeNotFound(what=f"find {'/'.join(segments)}", reason=f"{segment!r} is no name")
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


class KubeSession:
    """Keeps connections open between requests; safe to use from several threads. Nothing is ever sent twice."""

    def __init__(self, access: Access, timeout: float, via: Remote | None) -> None:
        from kubernetes.client import Configuration  # a launcher has loaded it for its runners; others seldom need it
        from kubernetes.client.rest import RESTClientObject

        self.access = access
        self._timeout = timeout
        self._via = via
        self._rest: Any = RESTClientObject(Configuration())
        pool = urllib3.PoolManager(
            num_pools=1,
            maxsize=8,
            retries=False,
            ssl_context=client_context(access),
            server_hostname=access.server_name,
        )
        if via is not None:
            pool.pool_classes_by_scheme = {"https": pool_through(via, timeout)}
        self._rest.pool_manager = pool

    def close(self) -> None:
        self._rest.pool_manager.clear()

    def get(self, where: str, *, what: str, **query: str) -> Any:
        return self._json(self.send("GET", where, what=what, query=query), what)

    def items(self, where: str, *, what: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every object of a list, page by page, so that thousands of nodes never come as one answer."""
        query = {key: value for key, value in query.items() if value} | {"limit": str(_PAGE)}
        while True:
            page = self.get(where, what=what, **query)
            yield from page.get("items") or ()
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            query["continue"] = token

    def change(
        self, method: str, where: str, body: Any, *, what: str, content_type: str = "application/json"
    ) -> dict[str, Any]:
        """POST, PUT, PATCH or DELETE; the object as it is afterwards."""
        reply = self.send(method, where, what=what, body=body, content_type=content_type)
        value = self._json(reply, what)
        return value if isinstance(value, dict) else {}

    def send(
        self,
        method: str,
        where: str,
        *,
        what: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept_failure: bool = False,
    ) -> Reply:
        """One request. Raises KubeUnreachable, KubeCaMismatch, KubeForbidden, KubeNotFound, KubeConflict, KubeError;
        KubeOutcomeUnknown for a change that got no answer."""
        url = self.access.server + where + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": "autorke"}
        if self.access.token:
            headers["Authorization"] = f"Bearer {self.access.token}"
        reply = self._exchange(method, url, headers, body, what)
        if reply.status >= 300 and not accept_failure:
            kind = _BY_STATUS.get(reply.status, KubeError)
            raise kind(what=what, reason=_message(reply))
        return reply

    def server_ca_fingerprint(self) -> str:
        """SHA-256 (hex, of the DER bytes) of the CA that the API server's certificate proves to come from, out of
        those in the kubeconfig. A handshake, no request. Raises KubeCaMismatch, KubeUnreachable."""
        mismatch: KubeError | None = None
        for pem in certificates_in(self.access.ca_pem):
            try:
                self._shake_hands(client_context(self.access, ca_pem=pem))
            except KubeCaMismatch as error:
                mismatch = error
            else:
                return fingerprint(pem)
        raise mismatch or self._mismatch()

    def _shake_hands(self, context: ssl.SSLContext) -> None:
        host, port = self.access.host, self.access.port
        contact.made()
        try:
            if self._via is not None:
                connection = connect_through(self._via, host, port, self._timeout)
            else:
                connection = socket.create_connection((host, port), timeout=self._timeout)
            with connection, context.wrap_socket(connection, server_hostname=self.access.server_name):
                return
        except (OSError, UnicodeError) as error:
            raise self._no_answer("GET", "handshake", error) from error
        except DriverError as error:  # the bastion's
            raise KubeUnreachable(reason=error.message.en) from error

    def _exchange(self, method: str, url: str, headers: dict[str, str], body: Any, what: str) -> Reply:
        from kubernetes.client.exceptions import ApiException

        contact.made()
        try:
            patience = (self._timeout, self._timeout * _ANSWER_FACTOR)
            response = self._rest.request(method, url, headers=headers, body=body, _request_timeout=patience)
            return Reply(response.status, dict(response.headers), _bounded(response.response))
        except AnswerTooLarge as error:
            raise self._no_answer(method, what, error) from error
        except (HTTPError, ApiException, OSError, UnicodeError) as error:
            raise self._no_answer(method, what, error) from error
        except DriverError as error:  # the bastion's
            raise KubeUnreachable(reason=error.message.en) from error

    def _no_answer(self, method: str, what: str, error: Exception) -> KubeError:
        if is_other_ca(error):
            return self._mismatch()
        tls = _found(error, ssl.SSLError)
        if isinstance(error, AnswerTooLarge) and method == "GET":
            return KubeError(what=what, reason=f"the answer is longer than {ANSWER_LIMIT} bytes")
        if tls is not None:
            return KubeUnreachable(reason=f"TLS: {getattr(tls, 'verify_message', '') or tls.reason or tls}")
        never_sent = isinstance(error, NewConnectionError | ConnectTimeoutError)
        if method == "GET" or never_sent:
            return KubeUnreachable(reason=self._why(error))
        return KubeOutcomeUnknown(what=what, reason=self._why(error))

    def _mismatch(self) -> KubeError:
        known = certificates_in(self.access.ca_pem)
        return KubeCaMismatch(
            address=f"{self.access.host}:{self.access.port}", ca=fingerprint(known[0])[:16] if known else "-"
        )

    def _why(self, error: Exception) -> str:
        address = f"{self.access.host}:{self.access.port}"
        refused = _found(error, OSError)
        if refused is not None and refused.strerror:
            return f"{address}: {refused.strerror}"
        if isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError):
            found = _PATIENCE.search(str(error))  # urllib3 knows in which phase it was, and tells only in words
            return f"no answer from {address} within {float(found[1]) if found else self._timeout:g} s"
        return f"{address}: the connection broke"

    def _json(self, reply: Reply, what: str) -> Any:
        try:
            return json.loads(reply.body)
        except (ValueError, RecursionError) as error:
            raise KubeError(what=what, reason="the answer is not JSON") from error


def _bounded(response: urllib3.BaseHTTPResponse) -> bytes:
    """The whole body, unpacked; raises AnswerTooLarge before more than a piece above the limit is in memory."""
    data = bytearray()
    for piece in response.stream(_PIECE, decode_content=True):
        data += piece
        if len(data) > ANSWER_LIMIT:
            response.close()
            raise AnswerTooLarge
    return bytes(data)


def _found(error: BaseException | None, kind: type[Caught]) -> Caught | None:
    """The first exception of that kind among an error and its causes."""
    while error is not None:
        if isinstance(error, kind):
            return error
        error = error.__cause__ or error.__context__
    return None


def _message(reply: Reply) -> str:
    """The message of a Status object, or the bare text of a proxy in between."""
    text = reply.body.decode(errors="replace").strip()
    try:
        return str(json.loads(text)["message"])[:1000]
    except (ValueError, KeyError, TypeError, RecursionError):
        return text[:300] or f"HTTP {reply.status}"
