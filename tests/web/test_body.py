"""Hostile bodies: too large, never ending, or holding what PostgreSQL cannot store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from autorke.web.body import forbidden_place
from tests.api import V1, Api


def _code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_body_over_the_limit_is_refused(api: Api) -> None:
    answer = api.anonymous.post(f"{V1}/session", content=b'{"name": "' + b"a" * 10_000_000 + b'"}')
    assert _code(answer) == (413, "payload-too-large")


def test_a_chunked_body_over_the_limit_is_refused_too(api: Api) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(11):
            yield b" " * 1_000_000

    answer = api.anonymous.post(f"{V1}/session", content=chunks())
    assert _code(answer) == (413, "payload-too-large")


def test_a_body_just_under_the_limit_is_only_wrong(api: Api) -> None:
    answer = api.anonymous.post(f"{V1}/session", json={"name": "a" * 9_999_000, "password": "x"})
    assert _code(answer) == (422, "invalid-request")
    assert len(answer.content) < 5_000


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\uDFFF"])
def test_characters_that_cannot_be_stored_are_refused_with_their_field(api: Api, escape: str) -> None:
    admin = api.caller("admin")
    body = f'{{"name": "wei", "display_name": "a{escape}b"}}'
    answer = admin.post(f"{V1}/users", content=body, headers={"content-type": "application/json"})
    assert _code(answer) == (422, "forbidden-character")
    assert answer.json()["field"] == "display_name"
    assert _code(admin.get(f"{V1}/users?filter=name:eq:a%00b")) == (422, "forbidden-character")
    assert _code(admin.get(f"{V1}/us%00ers")) == (422, "forbidden-character")


def test_an_escaped_pair_and_an_escaped_backslash_are_fine(api: Api) -> None:
    admin = api.caller("admin")
    for number, name in enumerate(
        ["\U0001f600", "\\u0000", "$(reboot)", "'; DROP TABLE user_account; --", "a\nb", "\u202e"]
    ):
        answer = admin.post(f"{V1}/users", json={"name": f"wei{number}", "display_name": name})
        assert answer.status_code == 201, answer.text
        assert answer.json()["display_name"] == name


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 10_000,
        b"\xff\xfe",
        b"NaN",
        b'{"name": NaN, "password": Infinity}',
    ],
)
def test_odd_bodies_are_a_4xx(api: Api, body: bytes) -> None:
    answer = api.anonymous.post(f"{V1}/session", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["cause"]["zh"]


def test_the_place_of_a_character_is_a_path() -> None:
    assert forbidden_place({"a": [{"b": "x"}, {"c": "\x00"}]}) == "a.1.c"
    assert forbidden_place({"\x00": 1}) == "body"
    assert forbidden_place(["ok", "\x00"]) == "1"
    assert forbidden_place({"a": ["ok", 1, None]}) is None
