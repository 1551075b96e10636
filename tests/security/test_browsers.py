"""What a page of somebody else can make a signed-in browser do: nothing. Generated over every route that writes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from autorke.app import create_app
from autorke.core.ids import new_id
from autorke.core.settings import get_settings
from autorke.users.deps import CSRF_COOKIE, CSRF_HEADER, SESSION_COOKIE
from tests.api import PASSWORD, V1, Api, secret_key  # noqa: F401
from tests.api import api as api
from tests.security.twoclusters import rows
from tests.test_roles import ACCESS, PUBLIC

WRITES = [route for route, row in ACCESS.items() if row != PUBLIC and not route.startswith("GET ")]


def _url(route: str) -> str:
    return re.sub(r"\{\w+\}", lambda _: str(new_id()), route.split(" ", 1)[1])


def test_no_write_by_cookie_without_its_csrf_token(api: Api) -> None:
    """Every route that writes, with no token, an empty one, a made-up one, and the one of another session."""
    api.user("wei", "admin")
    client, other = api.signed_in("wei"), api.signed_in("wei")
    given = client.headers.pop(CSRF_HEADER)
    before, wrong = rows(), []
    for token in (None, "", "0" * 64, given[:-1], other.headers[CSRF_HEADER]):
        headers = {} if token is None else {CSRF_HEADER: token}
        for route in WRITES:
            answer = client.request(route.split(" ")[0], _url(route), json={}, headers=headers)
            if (answer.status_code, answer.json()["code"]) != (403, "csrf-refused"):
                wrong.append((route, token, answer.status_code, answer.text[:200]))
    assert not wrong
    assert rows() == before
    with_it = client.patch(f"{V1}/me", json={"display_name": "Wei"}, headers={CSRF_HEADER: given})
    assert with_it.status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_form_of_another_site_signs_nobody_in(api: Api, kind: str) -> None:
    """A page may send forms anywhere: signed in as the attacker, a person would work under his name."""
    api.user("wei", "requester")
    body = f'{{"name": "wei", "password": "{PASSWORD}", "x": "="}}'.replace(', "x": "="', "")
    answer = api.anonymous.post(f"{V1}/session", content=body, headers={"content-type": kind})
    assert answer.status_code == 422, answer.text
    assert "set-cookie" not in answer.headers


def test_a_session_that_was_planted_is_not_taken_over(api: Api) -> None:
    """Session fixation: a sign-in never adopts the cookie that the browser already had."""
    api.user("wei", "requester")
    api.user("eve")
    planted = api.signed_in("eve").cookies[SESSION_COOKIE]
    for cookie in (planted, "made-up-by-somebody"):
        client = api.anonymous
        client.cookies.set(SESSION_COOKIE, cookie)
        answer = client.post(f"{V1}/session", json={"name": "wei", "password": PASSWORD})
        assert answer.status_code == 200
        fresh = answer.cookies[SESSION_COOKIE]
        assert fresh not in (planted, cookie)
        old = api.anonymous
        old.cookies.set(SESSION_COOKIE, cookie)
        seen = old.get(f"{V1}/me")
        assert seen.status_code == 401 or seen.json()["name"] == "eve", "the planted cookie has become Wei's"


def test_a_write_by_get_head_or_options_is_not_there(api: Api) -> None:
    """The methods that need no CSRF token reach no route that writes."""
    api.user("wei", "admin")
    client = api.signed_in("wei")
    reads = {route.split(" ", 1)[1] for route in ACCESS if route.startswith("GET ")}
    before = rows()
    for route in WRITES:
        if route.split(" ", 1)[1] not in reads:
            for method in ("GET", "HEAD", "OPTIONS"):
                assert client.request(method, _url(route)).status_code in (404, 405, 422), (method, route)
    assert rows() == before


@pytest.fixture
def behind_tls(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("AUTORKE_COOKIE_SECURE", "true")
    get_settings.cache_clear()
    with TestClient(create_app()) as client:
        yield client
    get_settings.cache_clear()


def test_behind_tls_cookies_stay_on_tls(api: Api, behind_tls: TestClient) -> None:
    api.user("wei")
    answer = behind_tls.post(f"{V1}/session", json={"name": "wei", "password": PASSWORD})
    lines = answer.headers.get_list("set-cookie")
    assert {line.split("=")[0] for line in lines} == {SESSION_COOKIE, CSRF_COOKIE}
    assert all("; Secure" in line and "Domain=" not in line for line in lines)
    assert answer.headers["strict-transport-security"].startswith("max-age=")


def test_an_answer_of_the_api_is_kept_by_nobody(api: Api) -> None:
    """Shared caches and the browser's back button: answers may hold what the next person must not see."""
    client = api.caller("admin")
    for route in [route for route in ACCESS if route.startswith("GET ") and "{" not in route and "stream" not in route]:
        policy = client.get(route.split(" ")[1]).headers["cache-control"]
        assert "no-store" in policy or "no-cache" in policy, route
