"""The generic HTTP adapter: asks page after page and hands out rows as the CMDB sent them."""

from __future__ import annotations

import base64
import ssl
import time
from collections.abc import Iterator
from typing import Any

import httpx

from autorke.core import contact
from autorke.integrations.cmdb.config import (
    BasicAuth,
    BearerAuth,
    Cursor,
    HeaderAuth,
    HttpSource,
    NextLink,
    Offsets,
    OnePage,
    PageNumbers,
)
from autorke.integrations.cmdb.errors import (
    CmdbError,
    CmdbIncomplete,
    CmdbMalformed,
    CmdbRefused,
    CmdbTooLarge,
    CmdbUnreachable,
)
from autorke.integrations.cmdb.guard import resolve
from autorke.integrations.cmdb.mapping import MISSING, dig, parse_json

ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})
"""One layer: of two, each unpacks a thousand times what came, before anybody could count it."""
PATIENCE = 10
"""Of the time limit between two reads: how long a whole page may take, so that a trickle ends."""
RETRIED = frozenset({502, 503, 504})
PAUSES = (0.5, 1.5)


def _auth_headers(source: HttpSource, secret: str | None) -> dict[str, str]:
    auth = source.auth
    if secret is not None and not isinstance(auth, BasicAuth) and not (secret.isascii() and secret.isprintable()):
        raise CmdbError(field="credential_id", reason="the secret holds characters that no header can carry")
    if isinstance(auth, BearerAuth):
        return {"Authorization": f"Bearer {secret or ''}"}
    if isinstance(auth, BasicAuth):
        pair = base64.b64encode(f"{auth.username}:{secret or ''}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    if isinstance(auth, HeaderAuth):
        return {auth.name: secret or ""}
    return {}


def _client(source: HttpSource, secret: str | None, transport: httpx.BaseTransport | None) -> httpx.Client:
    """No proxies from the environment, no redirects: the configured URL is the only place we talk to."""
    context = ssl.create_default_context(cadata=source.ca_pem) if source.ca_pem else ssl.create_default_context()
    return httpx.Client(
        transport=transport,
        verify=context,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(source.timeout_seconds, connect=min(10, source.timeout_seconds)),
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            **source.headers,
            **_auth_headers(source, secret),
        },
    )


class _Reader:
    """One reading of one CMDB: keeps the connection and the announced total."""

    def __init__(self, source: HttpSource, client: httpx.Client, *, resolving: bool) -> None:
        self.source = source
        self.client = client
        self.origin = httpx.URL(source.url)
        self.resolving = resolving
        self.total: int | None = None

    def page(self, url: httpx.URL, parameters: dict[str, Any]) -> tuple[Any, list[object]]:
        """(answer, rows) of one page; retries what a busy gateway may answer."""
        for pause in (*PAUSES, None):
            try:
                return self._page(url, parameters)
            except (CmdbUnreachable, CmdbRefused) as error:
                if pause is None or error.values.get("status_code", 503) not in RETRIED:
                    raise
                time.sleep(pause)
        raise AssertionError("the last round returns or raises")

    def _page(self, url: httpx.URL, parameters: dict[str, Any]) -> tuple[Any, list[object]]:
        answer = self._json(self._request(url, parameters))
        rows = dig(answer, self.source.items)
        if not isinstance(rows, list):
            raise CmdbMalformed(field="source.items", reason=f"no list at '{self.source.items}'")
        if self.source.total is not None:
            total = dig(answer, self.source.total)
            if isinstance(total, bool) or not isinstance(total, int):
                raise CmdbMalformed(field="source.total", reason=f"no number at '{self.source.total}'")
            self.total = total
        return answer, rows

    def _request(self, url: httpx.URL, parameters: dict[str, Any]) -> httpx.Request:
        body = None
        query = {**self.source.query}
        if self.source.method == "POST":
            body = {**(self.source.body or {}), **parameters}
        else:
            query |= {name: str(value) for name, value in parameters.items()}
        if query:
            url = url.copy_merge_params(query)
        if not self.resolving:
            return self.client.build_request(self.source.method, url, json=body)
        port = url.port or (443 if url.scheme == "https" else 80)
        address = resolve(url.host, port, allow_loopback=self.source.allow_loopback)
        request = self.client.build_request(
            self.source.method,
            url.copy_with(host=address),
            json=body,
            headers={"Host": url.netloc.decode()},
            extensions={"sni_hostname": url.host} if url.scheme == "https" else None,
        )
        return request

    def _json(self, request: httpx.Request) -> Any:
        limit = self.source.max_page_bytes
        chunks: list[bytes] = []
        size = 0
        ends = time.monotonic() + PATIENCE * self.source.timeout_seconds
        contact.made()
        try:
            response = self.client.send(request, stream=True)
            try:
                if response.status_code != 200:
                    raise CmdbRefused(field="source.url", status_code=response.status_code)
                if response.headers.get("content-encoding", "").strip().lower() not in ENCODINGS:
                    raise CmdbMalformed(field="source", reason="packed in a way that was not asked for")
                for chunk in response.iter_bytes():
                    size += len(chunk)
                    if size > limit:
                        raise CmdbTooLarge(field="source.max_page_bytes", limit=f"{limit} bytes")
                    if time.monotonic() > ends:
                        raise CmdbUnreachable(field="source.url", reason="the answer does not end")
                    chunks.append(chunk)
            finally:
                response.close()
        except (httpx.HTTPError, httpx.StreamError, ssl.SSLError) as error:
            raise CmdbUnreachable(field="source.url", reason=f"{type(error).__name__}: {error}"[:300]) from error
        try:
            return parse_json(b"".join(chunks))
        except (ValueError, RecursionError) as error:
            raise CmdbMalformed(field="source", reason=f"not JSON: {error}"[:300]) from error


def _same_origin(reader: _Reader, text: object) -> httpx.URL:
    try:
        url = reader.origin.join(str(text))
    except (httpx.InvalidURL, ValueError) as error:
        raise CmdbMalformed(field="source.paging.next", reason=f"not a URL: {text!r}"[:300]) from error
    if (url.scheme, url.host, url.port) != (reader.origin.scheme, reader.origin.host, reader.origin.port):
        raise CmdbMalformed(field="source.paging.next", reason=f"the next page is on another host: {url.host}"[:300])
    return url


def _counted(reader: _Reader, paging: PageNumbers | Offsets) -> Iterator[list[object]]:
    received = 0
    for number in range(reader.source.max_pages):
        if isinstance(paging, PageNumbers):
            parameters = {paging.page: paging.first + number, paging.size: paging.rows}
        else:
            parameters = {paging.offset: received, paging.limit: paging.rows}
        _, rows = reader.page(reader.origin, parameters)
        if not rows:
            return
        received += len(rows)
        yield rows
        if reader.total is not None and received >= reader.total:
            return
    raise CmdbTooLarge(field="source.max_pages", limit=f"{reader.source.max_pages} pages")


def _linked(reader: _Reader, paging: Cursor | NextLink) -> Iterator[list[object]]:
    url, parameters = reader.origin, dict[str, Any]()
    seen: set[str] = set()
    for _ in range(reader.source.max_pages):
        answer, rows = reader.page(url, parameters)
        yield rows
        following = dig(answer, paging.next)
        if following is MISSING or following is None or following == "":
            return
        if str(following) in seen:
            raise CmdbMalformed(field="source.paging.next", reason="the next page was read before: a loop")
        seen.add(str(following))
        if isinstance(paging, Cursor):
            parameters = {paging.param: following}
        else:
            url = _same_origin(reader, following)
    raise CmdbTooLarge(field="source.max_pages", limit=f"{reader.source.max_pages} pages")


def _pages(reader: _Reader) -> Iterator[list[object]]:
    paging = reader.source.paging
    if isinstance(paging, OnePage):
        yield reader.page(reader.origin, {})[1]
    elif isinstance(paging, PageNumbers | Offsets):
        yield from _counted(reader, paging)
    else:
        yield from _linked(reader, paging)


def fetch_rows(
    source: HttpSource, *, secret: str | None, transport: httpx.BaseTransport | None = None
) -> Iterator[list[object]]:
    """Pages of rows, to the last one. Raises a CmdbError as soon as the answer is not whole.

    `transport` replaces the network in tests; with it no name is resolved.
    """
    received = 0
    with _client(source, secret, transport) as client:
        reader = _Reader(source, client, resolving=transport is None)
        for rows in _pages(reader):
            received += len(rows)
            if received > source.max_rows:
                raise CmdbTooLarge(field="source.max_rows", limit=f"{source.max_rows} rows")
            yield rows
        if reader.total is not None and reader.total != received:
            raise CmdbIncomplete(field="source.total", expected=reader.total, received=received)
