"""Single sign-on against a provider on loopback: the whole dance, and every way to cheat at it."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from autorke.core import db
from autorke.users import oidc
from autorke.users.deps import CSRF_COOKIE, CSRF_HEADER
from autorke.users.models import User
from autorke.users.oidc_routes import COOKIE
from tests.api import V1, Api
from tests.users import provider as providers
from tests.users.provider import Provider

URL = f"{V1}/session/oidc"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with providers.serving() as found:
        monkeypatch.setenv("AUTORKE_OIDC_ISSUER", found.issuer)
        monkeypatch.setenv("AUTORKE_OIDC_CLIENT_SECRET", providers.SECRET)
        monkeypatch.setenv("AUTORKE_OIDC_DEFAULT_ROLE", "viewer")
        oidc.get_oidc_settings.cache_clear()
        yield found
    oidc.get_oidc_settings.cache_clear()


def _begin(browser: TestClient, provider: Provider, path: str = URL) -> tuple[str, str]:
    """Follow the redirect to the provider and consent: (code, state)."""
    answer = browser.get(path, follow_redirects=False)
    assert answer.status_code == 303
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query["code_challenge_method"] == ["S256"]
    return provider.allow(query), query["state"][0]


def _finish(browser: TestClient, code: str, state: str) -> Any:
    query = {"code": code, "state": state, "session_state": "x", "iss": "y"}
    return browser.get(f"{URL}/callback", params=query, follow_redirects=False)


def _refused(answer: Any, code: str = "sso-refused") -> bool:
    return answer.json()["code"] == code and CSRF_COOKIE not in answer.cookies


def test_a_person_signs_in_and_gets_an_account(api: Api, provider: Provider, session: Session) -> None:
    browser = api.anonymous
    code, state = _begin(browser, provider, f"{URL}?return_to=/tickets/7")
    answer = _finish(browser, code, state)
    assert (answer.status_code, answer.headers["location"]) == (303, "/tickets/7")
    me = browser.get(f"{V1}/me").json()
    assert (me["name"], me["display_name"], me["method"]) == ("wei.zhang", "张伟", "oidc")
    assert me["permissions"]["machine:read"] is None
    browser.headers[CSRF_HEADER] = browser.cookies[CSRF_COOKIE]
    assert browser.delete(f"{V1}/session").status_code == 204
    assert session.execute(select(User.oidc_subject)).scalar_one() == f"{provider.issuer} 42"


def test_the_second_sign_in_finds_the_account_by_subject_even_under_a_new_name(
    api: Api, provider: Provider, session: Session
) -> None:
    for name in ("wei", "renamed"):
        provider.claims = {"preferred_username": name}
        browser = api.anonymous
        assert _finish(browser, *_begin(browser, provider)).status_code == 303
    assert session.execute(select(User.name)).scalars().all() == ["wei"]


def test_endpoints_and_keys_are_kept(api: Api, provider: Provider) -> None:
    for _ in range(3):
        browser = api.anonymous
        _finish(browser, *_begin(browser, provider))
    assert provider.requests == ["/.well-known/openid-configuration", "/keys"]


def test_a_new_key_of_the_provider_is_fetched(api: Api, provider: Provider) -> None:
    browser = api.anonymous
    _finish(browser, *_begin(browser, provider))
    provider.key = provider.signing = ECKey.generate_key("P-256", {"kid": "2", "use": "sig"})
    provider.algorithm = "ES256"
    assert _finish(browser, *_begin(browser, provider)).status_code == 303


def test_a_local_account_of_the_same_name_is_not_taken_over(api: Api, provider: Provider) -> None:
    api.user("wei.zhang", "admin")
    browser = api.anonymous
    answer = _finish(browser, *_begin(browser, provider))
    assert answer.status_code == 409
    assert _refused(answer, "sso-name-taken")
    assert browser.get(f"{V1}/me").status_code == 401


def test_an_admin_can_link_an_account(api: Api, provider: Provider) -> None:
    wei = api.user("wei.zhang", "requester")
    subject = f"{provider.issuer} 42"
    answer = api.caller("admin").patch(f"{V1}/users/{wei}", json={"oidc_subject": subject})
    assert answer.status_code == 200
    browser = api.anonymous
    assert _finish(browser, *_begin(browser, provider)).status_code == 303
    assert "ticket:create" in browser.get(f"{V1}/me").json()["permissions"]


def test_without_leave_no_account_is_made(
    api: Api, provider: Provider, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTORKE_OIDC_CREATE_USERS", "false")
    oidc.get_oidc_settings.cache_clear()
    browser = api.anonymous
    answer = _finish(browser, *_begin(browser, provider))
    assert _refused(answer, "sso-no-account")
    assert f"{provider.issuer} 42" in answer.json()["remedy"]["en"]
    assert session.execute(select(User)).first() is None


def test_a_disabled_account_stays_out(api: Api, provider: Provider) -> None:
    browser = api.anonymous
    _finish(browser, *_begin(browser, provider))
    with db.transaction() as session:
        session.execute(text("UPDATE user_account SET disabled = true"))
    assert _refused(_finish(browser, *_begin(browser, provider)), "login-refused")


def test_somebody_elses_code_signs_nobody_in(api: Api, provider: Provider) -> None:
    """The victim's browser never started this sign-in: it has no cookie for it, or one for another state."""
    attacker, victim = api.anonymous, api.anonymous
    code, state = _begin(attacker, provider)
    assert _refused(_finish(victim, code, state))
    _, other = _begin(victim, provider)
    assert _refused(_finish(victim, code, state))
    assert _refused(_finish(victim, code, other)), "PKCE: the code belongs to another verifier"


def test_a_code_works_once(api: Api, provider: Provider) -> None:
    browser = api.anonymous
    code, state = _begin(browser, provider)
    cookie = browser.cookies[COOKIE]
    assert _finish(browser, code, state).status_code == 303
    again = api.anonymous
    again.cookies.set(COOKIE, cookie)
    assert _refused(_finish(again, code, state))


def test_a_forged_or_late_cookie_is_refused(api: Api, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = api.anonymous
    code, state = _begin(browser, provider)
    cookie = browser.cookies[COOKIE]
    for forged in ("", "AAAA", "%%%", cookie[:-8] + "AAAAAAAA"):
        thief = api.anonymous
        thief.cookies.set(COOKIE, forged)
        assert _refused(_finish(thief, code, state))
    now = time.time()
    monkeypatch.setattr(oidc.time, "time", lambda: now + oidc.START_SECONDS + 1)
    assert _refused(_finish(browser, code, state))


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "https://evil.example.com"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": None},
        {"aud": [providers.CLIENT, "another"]},
        {"aud": [providers.CLIENT, "another"], "azp": "another"},
        {"azp": "another"},
        {"exp": 1},
        {"exp": None},
        {"iat": 99999999999},
        {"iat": None},
        {"sub": None},
    ],
)
def test_an_id_token_that_is_not_ours_is_refused(api: Api, provider: Provider, claims: dict[str, Any]) -> None:
    provider.claims = claims
    browser = api.anonymous
    assert _refused(_finish(browser, *_begin(browser, provider)))


def test_an_id_token_signed_by_somebody_else_is_refused(api: Api, provider: Provider) -> None:
    for kid in ("1", "unknown"):
        provider.signing = RSAKey.generate_key(2048, {"kid": kid})
        browser = api.anonymous
        assert _refused(_finish(browser, *_begin(browser, provider)))


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_weak_algorithms_are_refused(
    api: Api, provider: Provider, algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`none`, and the public key used as an HMAC secret."""
    header = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": "1"}).encode()).decode().rstrip("=")
    signed = f"{header}.{base64.urlsafe_b64encode(b'{}').decode()}".rstrip("=")
    mac = hmac.digest(provider.key.as_pem(private=False), signed.encode(), "sha256") if algorithm == "HS256" else b""
    token = f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    monkeypatch.setattr(provider, "token", lambda *_: {"id_token": token})
    browser = api.anonymous
    assert _refused(_finish(browser, *_begin(browser, provider)))


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://evil.example.com"},
        {"token_endpoint": "http://evil.example.com/token"},
        {"jwks_uri": "ftp://127.0.0.1/keys"},
        {"authorization_endpoint": None},
        {"jwks_uri": "http://127.0.0.1:1/keys"},
    ],
)
def test_a_provider_that_makes_no_sense_is_not_used(api: Api, provider: Provider, discovery: dict[str, Any]) -> None:
    provider.discovery = discovery
    answer = api.anonymous.get(URL, follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (503, "sso-unavailable")


def test_a_provider_that_is_down_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTORKE_OIDC_ISSUER", "http://127.0.0.1:1")
    oidc.get_oidc_settings.cache_clear()
    answer = api.anonymous.get(URL, follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (503, "sso-unavailable")
    oidc.get_oidc_settings.cache_clear()


def test_the_sign_in_page_knows_whether_there_is_sso(api: Api, provider: Provider) -> None:
    assert api.anonymous.get(f"{V1}/login-methods").json() == {"password": True, "oidc": "SSO"}


def test_without_a_provider_there_is_none(api: Api) -> None:
    assert api.anonymous.get(f"{V1}/login-methods").json() == {"password": True, "oidc": None}
    answer = api.anonymous.get(URL, follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (404, "sso-off")


@pytest.mark.parametrize(
    ("given", "kept"),
    [("/tickets", "/tickets"), ("/a?b=c#d", "/a?b=c#d"), (None, "/"), ("", "/"), ("tickets", "/"),
     ("//evil.example.com", "/"), ("/\\evil.example.com", "/"), ("https://evil.example.com", "/"), ("/a\nb", "/")],
)  # fmt: skip
def test_a_sign_in_never_leads_elsewhere(given: str | None, kept: str) -> None:
    assert oidc.local_path(given) == kept
