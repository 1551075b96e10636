"""Every refusal is problem+json, in both languages, and tells nothing it should not."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from fastapi import APIRouter
from sqlalchemy import text

from autorke.core.errors import AutoRkeError
from autorke.core.schemas import Problem
from autorke.web import problems
from autorke.web.deps import SessionDep
from tests.api import V1, Api

router = APIRouter()


@router.post("/sql")
def run(body: dict[str, Any], session: SessionDep) -> None:
    session.execute(text(body["sql"]))


@router.get("/break")
def break_down() -> None:
    raise RuntimeError("the password is hunter2")


@pytest.fixture
def odd(api: Api) -> Api:
    api.app.include_router(router)
    return api


def _problem(answer: Any) -> Problem:
    assert answer.headers["content-type"] == problems.MEDIA_TYPE
    found = Problem.model_validate(answer.json())
    assert found.status == answer.status_code
    assert found.type == f"/problems/{found.code}"
    assert found.instance == answer.headers["x-request-id"]
    assert found.cause.zh
    assert found.cause.en
    return found


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("en;q=0.3, zh;q=0.7", "zh"),
        ("fr, zh;q=0.1", "zh"),
        ("de", "en"),
        ("zh;q=abc", "en"),
        ("zh;q=0", "en"),
    ],
)
def test_the_callers_language_is_chosen(header: str, lang: str) -> None:
    assert problems.language(header) == lang


def test_detail_speaks_the_language_of_the_caller(api: Api) -> None:
    answer = api.anonymous.get(f"{V1}/me", headers={"Accept-Language": "zh-CN"})
    found = _problem(answer)
    assert (found.detail, answer.headers["content-language"]) == (found.cause.zh, "zh")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_unknown_route_and_wrong_method(api: Api) -> None:
    assert _problem(api.anonymous.get("/nowhere")).code == "route-not-found"
    answer = api.anonymous.put(f"{V1}/health")
    assert _problem(answer).code == "method-not-allowed"
    assert answer.headers["allow"] == "GET"


def test_malformed_json_names_the_place(api: Api) -> None:
    answer = api.anonymous.post(
        f"{V1}/session", content=b'{"name": "wei",\n  "password": }', headers={"content-type": "application/json"}
    )
    found = _problem(answer)
    assert (found.status, found.code, found.field) == (400, "malformed-json", "body")
    assert "line 2 column 15" in found.cause.en


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"name": "wei"}, "password", "missing"),
        ({"name": "wei", "password": "x", "admin": True}, "admin", "extra_forbidden"),
        ({"name": 7, "password": "x"}, "name", "string_type"),
        ([], "body", "model_attributes_type"),
        ("text", "body", "model_attributes_type"),
        (None, "body", "missing"),
    ],
)
def test_a_refused_field_is_named(api: Api, body: Any, field: str, code: str) -> None:
    found = _problem(api.anonymous.post(f"{V1}/session", json=body))
    assert (found.status, found.code, found.field) == (422, "invalid-request", field)
    assert found.errors[0]["code"] == code
    assert found.errors[0]["cause"]["zh"] != found.errors[0]["cause"]["en"]


def test_a_refusal_does_not_repeat_the_value(api: Api) -> None:
    answer = api.anonymous.post(f"{V1}/session", json={"name": "wei", "password": "hunter2" * 60})
    assert answer.status_code == 422
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("INSERT INTO user_session(id, user_id, token_sha256, method, expires_at) VALUES"
         " (gen_random_uuid(), gen_random_uuid(), '', 'x', now())", 409, "reference-conflict"),
        ("INSERT INTO user_account(id) VALUES (gen_random_uuid())", 409, "rule-violated"),
        ("SELECT 99999999999::int", 422, "value-not-storable"),
        ("SELECT E'\\x00'::jsonb", 422, "value-not-storable"),
        ("SET LOCAL statement_timeout = '5ms'; SELECT pg_sleep(1)", 409, "concurrent-change"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", 503, "database-unavailable"),
        ("DO $$ BEGIN RAISE disk_full; END $$", 503, "database-full"),
        ("SELECT nonsense", 500, "internal-error"),
    ],
)  # fmt: skip
def test_database_errors_are_told_without_sql(odd: Api, sql: str, status: int, code: str) -> None:
    answer = odd.anonymous.post("/sql", json={"sql": sql})
    found = _problem(answer)
    assert (found.status, found.code) == (status, code)
    assert "SELECT" not in answer.text
    assert "INSERT" not in answer.text


def test_an_unexpected_error_is_logged_and_told_without_its_text(odd: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = odd.anonymous.get("/break")
    found = _problem(answer)
    assert (found.status, found.code) == (500, "internal-error")
    assert "hunter2" not in answer.text
    assert any(record.message == "unexpected error" for record in caplog.records)


def test_every_error_class_has_texts_that_format() -> None:
    """A missing placeholder would turn a clear refusal into a 500."""

    class Any_(dict[str, object]):
        def __missing__(self, key: str) -> object:
            return key

    def walk(kind: type[AutoRkeError]) -> list[type[AutoRkeError]]:
        return [kind, *(found for child in kind.__subclasses__() for found in walk(child))]

    kinds = walk(AutoRkeError)
    assert len(kinds) > 20
    for kind in kinds:
        assert 400 <= kind.status < 600
        assert kind.code == kind.code.lower()
        for one in (kind.text, kind.remedy):
            one.zh.format_map(Any_())
            one.en.format_map(Any_())
