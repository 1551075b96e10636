from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from autorke.integrations.cmdb import http as adapter
from autorke.integrations.cmdb.config import HttpSource
from autorke.integrations.cmdb.errors import (
    AddressDenied,
    CmdbError,
    CmdbIncomplete,
    CmdbMalformed,
    CmdbRefused,
    CmdbTooLarge,
    CmdbUnreachable,
)

Answer = Callable[[httpx.Request], httpx.Response]


def _source(**fields: Any) -> HttpSource:
    return HttpSource.model_validate({"kind": "http", "url": "http://cmdb.test/hosts", **fields})


def _read(source: HttpSource, answer: Answer, secret: str | None = None) -> list[object]:
    pages = adapter.fetch_rows(source, secret=secret, transport=httpx.MockTransport(answer))
    return [row for page in pages for row in page]


def _json(value: Any) -> httpx.Response:
    return httpx.Response(200, text=json.dumps(value))


ROWS = list(range(25))


def test_one_page() -> None:
    assert _read(_source(), lambda request: _json(ROWS)) == ROWS


def test_page_numbers_go_on_until_an_empty_page_even_when_the_server_caps_the_size() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["p"])
        return _json(ROWS[page * 10 : page * 10 + 10])  # asked for 500

    source = _source(paging={"kind": "page", "page": "p", "size": "n", "rows": 500, "first": 0})
    assert _read(source, answer) == ROWS


def test_offsets_advance_by_what_was_received() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        at = int(request.url.params["offset"])
        return _json(ROWS[at : at + 7])

    assert _read(_source(paging={"kind": "offset", "rows": 10}), answer) == ROWS


def test_cursor_in_a_post_body() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        assert body["kind"] == "host"
        at = int(body.get("after", 0))
        return _json({"rows": ROWS[at : at + 10], "next": at + 10 if at + 10 < 25 else None})

    paging = {"kind": "cursor", "param": "after", "next": "next"}
    assert _read(_source(method="POST", body={"kind": "host"}, items="rows", paging=paging), answer) == ROWS


def _linked(following: str) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        second = request.url.params.get("page") == "2"
        return _json({"rows": ROWS[10:] if second else ROWS[:10], "links": {"next": None if second else following}})

    return answer


LINKS = {"items": "rows", "paging": {"kind": "link", "next": "links.next"}}


@pytest.mark.parametrize("following", ["/hosts?page=2", "http://cmdb.test/hosts?page=2", "?page=2"])
def test_links_are_followed_on_the_same_origin(following: str) -> None:
    assert _read(_source(**LINKS), _linked(following)) == ROWS


@pytest.mark.parametrize("following", ["http://evil.test/x?page=2", "https://cmdb.test/hosts?page=2", "//evil.test/"])
def test_a_link_to_another_host_never_gets_the_secret(following: str) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return _linked(following)(request)

    with pytest.raises(CmdbMalformed):
        _read(_source(**LINKS, auth={"kind": "bearer"}), answer, secret="s3cret-token")
    assert asked == ["cmdb.test"]


def test_a_loop_of_links_ends() -> None:
    with pytest.raises(CmdbMalformed, match="loop"):
        _read(_source(**LINKS), lambda request: _json({"rows": [1], "links": {"next": "/hosts?page=9"}}))


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"kind": "bearer"}, "authorization", "Bearer s3cret"),
        ({"kind": "basic", "username": "sync"}, "authorization", "Basic c3luYzpzM2NyZXQ="),
        ({"kind": "header", "name": "X-Api-Key"}, "x-api-key", "s3cret"),
    ],
)
def test_the_secret_travels_in_the_configured_header(auth: dict[str, str], header: str, value: str) -> None:
    seen = {}

    def answer(request: httpx.Request) -> httpx.Response:
        seen.update(request.headers)
        return _json([])

    _read(_source(auth=auth), answer, secret="s3cret")
    assert seen[header] == value


@pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 404, 500])
def test_any_other_status_is_refused_and_redirects_are_not_followed(status: int) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(status, headers={"location": "http://169.254.169.254/"})

    with pytest.raises(CmdbRefused) as refused:
        _read(_source(), answer)
    assert (refused.value.values["status_code"], len(asked)) == (status, 1)


def test_a_busy_gateway_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "PAUSES", (0.0, 0.0))
    answers = [httpx.Response(503), httpx.Response(502), _json(ROWS)]
    assert _read(_source(), lambda request: answers.pop(0)) == ROWS


@pytest.mark.parametrize(
    "text", ["", "[", "<html/>", '{"items": 3}', "[NaN]", "[1e999]", "[" * 100_000, '{"rows": [], "total": "many"}']
)
def test_what_is_not_the_announced_json_is_malformed(text: str) -> None:
    with pytest.raises(CmdbMalformed):
        _read(_source(items="rows", total="total"), lambda request: httpx.Response(200, text=text))


@pytest.mark.parametrize("total", [24, 26, 0])
def test_a_total_that_differs_from_what_came_is_incomplete(total: int) -> None:
    with pytest.raises(CmdbIncomplete):
        _read(_source(items="rows", total="total"), lambda request: _json({"rows": ROWS, "total": total}))


@pytest.mark.parametrize(
    "limits",
    [{"max_rows": 20}, {"max_page_bytes": 1000, "query": {"big": "1"}}, {"max_pages": 2, "paging": {"kind": "page"}}],
)
def test_limits_hold(limits: dict[str, Any]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return _json(["x" * 100] * 25 if "big" in request.url.params else ROWS)

    with pytest.raises(CmdbTooLarge):
        _read(_source(**limits), answer)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://cmdb/", "http://user:pw@cmdb/", "http://a b/", ""])
def test_only_plain_http_urls_are_accepted(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        _source(url=url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://[::1]/", "http://localhost/", "http://169.254.169.254/latest/meta-data",
        "http://100.100.100.200/", "http://[fd00:ec2::254]/", "http://[::ffff:169.254.169.254]/", "http://0.0.0.0/",
        "http://[fe80::1]/", "http://2130706433/", "http://0x7f.1/", "http://224.0.0.1/",
    ],
)  # fmt: skip
def test_metadata_and_loopback_addresses_are_denied_before_a_connection(url: str) -> None:
    with pytest.raises(AddressDenied):
        list(adapter.fetch_rows(_source(url=url), secret=None))


class _Handler(http.server.BaseHTTPRequestHandler):
    seen: list[dict[str, str]]

    def do_GET(self) -> None:
        type(self).seen.append(dict(self.headers))
        body = json.dumps(ROWS).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[tuple[int, list[dict[str, str]]]]:
    _Handler.seen = []
    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield found.server_address[1], _Handler.seen
    found.shutdown()
    found.server_close()


def test_a_real_connection_keeps_the_host_name_and_ignores_proxies(
    server: tuple[int, list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, seen = server
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    source = _source(url=f"http://localhost:{port}/hosts", allow_loopback=True)
    assert list(adapter.fetch_rows(source, secret=None)) == [ROWS]
    assert seen[0]["Host"] == f"localhost:{port}"


def test_nobody_listening_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "PAUSES", ())
    with pytest.raises(CmdbUnreachable):
        list(adapter.fetch_rows(_source(url="http://127.0.0.1:1/", allow_loopback=True), secret=None))
    with pytest.raises(CmdbUnreachable):
        list(adapter.fetch_rows(_source(url="http://no-such-host.invalid/"), secret=None))


def test_a_secret_that_no_header_can_carry_is_an_error_of_ours() -> None:
    for secret in ("geheim-ä", "two\nlines"):
        with pytest.raises(CmdbError):
            _read(_source(auth={"kind": "bearer"}), lambda request: _json([]), secret=secret)
