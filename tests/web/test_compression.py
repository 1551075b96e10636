"""JSON is compressed whole or not at all; streams, small answers and those who take no gzip get what was written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from autorke.web.compression import WORTH_IT, CompressJson

LONG = {"text": "rack " * WORTH_IT}


def _large(_: Request) -> Response:
    return JSONResponse(LONG)


def _small(_: Request) -> Response:
    return JSONResponse({"token": "secret"})


def _text(_: Request) -> Response:
    return Response("x" * WORTH_IT * 2, media_type="text/csv")


def _stream(_: Request) -> Response:
    return StreamingResponse(iter(["[", "1" * WORTH_IT, "]"]), media_type="application/json")


@pytest.fixture
def client() -> Iterator[TestClient]:
    routes = [Route("/large", _large), Route("/small", _small), Route("/text", _text), Route("/stream", _stream)]
    with TestClient(CompressJson(Starlette(routes=routes))) as client:
        yield client


def test_a_large_answer_is_compressed(client: TestClient) -> None:
    answer = client.get("/large", headers={"Accept-Encoding": "br, gzip"})
    assert answer.json() == LONG
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < WORTH_IT
    assert answer.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("accepted", ["identity", "br", "gzip;q=0", ""])
def test_who_takes_no_gzip_gets_none(client: TestClient, accepted: str) -> None:
    answer = client.get("/large", headers={"Accept-Encoding": accepted})
    assert answer.json() == LONG
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("path", ["/small", "/text", "/stream"])
def test_small_answers_other_types_and_streams_stay(client: TestClient, path: str) -> None:
    answer = client.get(path, headers={"Accept-Encoding": "gzip"})
    assert answer.is_success
    assert "content-encoding" not in answer.headers
