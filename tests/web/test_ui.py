"""The console's files: caching, compression, security headers, and never in the way of the api."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from autorke.web import problems, ui
from autorke.web.middleware import RequestContext

SCRIPT = "console.log('a');\n" * 100
HTML = {"Accept": "text/html,*/*;q=0.8"}


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<!doctype html><title>the console</title>")
    (dist / "favicon.svg").write_text("<svg/>")
    script = dist / "assets" / "app-1a2b.js"
    script.write_text(SCRIPT)
    Path(f"{script}.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    (tmp_path / "secret.txt").write_text("outside")
    return dist


@pytest.fixture
def client(dist: Path) -> TestClient:
    return console(dist)


def console(dist: Path) -> TestClient:
    app = FastAPI(redirect_slashes=False)
    app.add_middleware(RequestContext)
    problems.install(app)

    @app.get("/api/v1/thing")
    def thing() -> str:
        return "here"

    ui.install(app, dist)
    return TestClient(app)


def test_every_page_of_the_console_is_the_same_file_and_asked_for_each_time(client: TestClient) -> None:
    for path in ("/", "/machines", "/tickets/0190-aa/log", "/hosts/a.b.c", "/index.html"):
        answer = client.get(path, headers=HTML)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache"), path
        assert "the console" in answer.text


def test_a_page_that_is_known_is_not_sent_again(client: TestClient) -> None:
    tag = client.get("/", headers=HTML).headers["etag"]
    again = client.get("/", headers={**HTML, "If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/", headers={**HTML, "If-None-Match": '"other"'}).status_code == 200


def test_no_script_but_our_own_and_no_frame_around_us(client: TestClient) -> None:
    answer = client.get("/", headers=HTML)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["script-src"] == "'self'"
    assert (policy["default-src"], policy["frame-ancestors"], policy["base-uri"]) == ("'none'",) * 3
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"


def test_hashed_files_are_kept_for_ever_and_sent_compressed(client: TestClient) -> None:
    answer = client.get("/assets/app-1a2b.js", headers={"Accept-Encoding": "gzip, deflate"})
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.text == SCRIPT
    assert int(answer.headers["content-length"]) < len(SCRIPT)


@pytest.mark.parametrize("accepted", ["identity", "gzip;q=0", "br", ""])
def test_who_does_not_take_it_gets_it_plain(client: TestClient, accepted: str) -> None:
    answer = client.get("/assets/app-1a2b.js", headers={"Accept-Encoding": accepted})
    assert "content-encoding" not in answer.headers
    assert answer.text == SCRIPT


def test_the_smaller_copy_wins(dist: Path) -> None:
    (dist / "assets" / "app-1a2b.js.br").write_bytes(b"as if by brotli")
    headers = {"Accept-Encoding": "gzip, br"}
    with console(dist).stream("GET", "/assets/app-1a2b.js", headers=headers) as answer:
        assert answer.headers["content-encoding"] == "br"
        assert int(answer.headers["content-length"]) == len(b"as if by brotli")


def test_other_files_may_change(client: TestClient) -> None:
    answer = client.get("/favicon.svg")
    assert (answer.headers["cache-control"], answer.headers["content-type"]) == ("no-cache", "image/svg+xml")


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api", "/api/"])
def test_the_api_refuses_in_its_own_words(client: TestClient, path: str) -> None:
    answer = client.get(path, headers=HTML)
    assert (answer.status_code, answer.json()["code"]) == (404, "route-not-found")


def test_the_api_answers_first_and_keeps_its_methods(client: TestClient) -> None:
    assert client.get("/api/v1/thing", headers=HTML).json() == "here"
    assert client.post("/api/v1/thing").status_code == 405
    assert client.post("/machines", headers=HTML).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/assets/gone-9f.js", "/assets/../../secret.txt", "/..%2fsecret.txt", "/assets/%2e%2e/%2e%2e/secret.txt",
     "/assets/app-1a2b.js.gz"],
)  # fmt: skip
def test_only_files_of_the_build_are_served(client: TestClient, path: str) -> None:
    answer = client.get(path, headers={"Accept": "*/*"})
    assert answer.status_code == 404, answer.text
    assert "outside" not in client.get(path, headers=HTML).text


def test_head_says_the_same_without_a_body(client: TestClient) -> None:
    answer = client.head("/machines", headers=HTML)
    assert (answer.status_code, answer.content) == (200, b"")


def test_without_a_build_the_page_says_what_to_do_and_the_api_works(tmp_path: Path) -> None:
    client = console(tmp_path / "none")
    answer = client.get("/machines", headers=HTML)
    assert answer.status_code == 503
    assert "./run ui build" in answer.text
    assert client.get("/api/v1/thing").json() == "here"


def test_a_new_build_is_seen_without_a_restart(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    client = console(dist)
    assert client.get("/", headers=HTML).status_code == 503
    dist.mkdir()
    (dist / "index.html").write_text("built now")
    assert client.get("/", headers=HTML).text == "built now"
