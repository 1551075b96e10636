from __future__ import annotations

import logging

import pytest

from autorke.web.middleware import SECURITY_HEADERS
from tests.api import V1, Api


def test_every_answer_carries_security_headers_and_a_request_id(api: Api) -> None:
    for path in (f"{V1}/health", "/nowhere", f"{V1}/me"):
        headers = api.anonymous.get(path).headers
        assert {name: headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
        assert headers["x-request-id"]
        assert "access-control-allow-origin" not in headers
    assert api.anonymous.get(f"{V1}/health").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1.2_3", True), ("a b", False), ("x" * 65, False), ("<script>", False)]
)
def test_a_harmless_request_id_is_kept(api: Api, given: str, kept: bool) -> None:
    answer = api.anonymous.get(f"{V1}/health", headers={"X-Request-Id": given})
    assert (answer.headers["x-request-id"] == given) is kept


def test_the_log_line_names_the_route_and_neither_query_nor_path(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="autorke"):
        assert api.anonymous.get(f"{V1}/health?code=hunter2").status_code == 422
        api.anonymous.post(f"{V1}/callbacks/hunter2")
        api.anonymous.post(f"{V1}/callbacks/hunter2/")
    lines = [vars(record) for record in caplog.records if record.message == "request"]
    assert [line["path"] for line in lines] == ["/health", "/callbacks/{token}", "(no route)"]
    assert [line["status"] for line in lines][::2] == [422, 404]
    assert not any("hunter2" in str(vars(record)) for record in caplog.records if record.name.startswith("autorke"))
